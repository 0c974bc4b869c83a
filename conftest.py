"""For tests and notebooks: kernels are forked where that can be; the longest files go first."""

from __future__ import annotations

import pytest

pytest_plugins = ["support.warm_kernels"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First the browser, then notebooks, the last chapter first: none is left over at the end."""
    notebooks = [item for item in items if item.path.suffix == ".ipynb"]
    files = list(dict.fromkeys(item.path for item in notebooks))
    notebooks.sort(key=lambda item: -files.index(item.path))
    others = [item for item in items if item.path.suffix != ".ipynb"]
    browser = [item for item in others if item.path.parent.name == "browser"]
    rest = [item for item in others if item.path.parent.name != "browser"]
    items[:] = [*browser, *notebooks, *rest]
