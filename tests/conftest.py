"""For all tests: no socket but to this machine, async tests on asyncio, and notebooks made on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import pytest_socket
from hypothesis import settings
from nbformat import v4

# An example's time says little on a busy machine, and the first one often reads data; hanging has its own timeout.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """A test that reaches for the network fails, and says where to."""
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """write_notebook(cell, ...) -> path. A cell is its source, or a node from nbformat.v4."""

    def write(*cells: Any, name: str = "notebooks/01_basics.ipynb", metadata: Any = None) -> Path:
        nodes = [v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
        for number, node in enumerate(nodes):
            node.id = f"cell-{number}"
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(v4.new_notebook(cells=nodes, metadata=metadata or {}), path)
        return path

    return write
