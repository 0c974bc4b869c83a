"""For all tests: sockets reach only this machine, async tests run on asyncio, and tests can make
notebooks.

``--quick``, which `make check` uses before every commit, skips browser tests, tests that start a
process or a server, and tests that are marked slow.
"""

from __future__ import annotations

import os
import platform
import socket
import ssl
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
import pytest_socket
from hypothesis import HealthCheck, settings
from nbformat import v4
from xdist.scheduler.loadfile import LoadFileScheduling

from support.cells_again import CellsAgain
from support.warm_kernels import fork_kernels

# On a busy machine, an example's duration says little, and the first example often reads data. The
# weekly workflow runs more examples: --hypothesis-profile=ci-deep
STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("check", STEADY, max_examples=10)
settings.register_profile("test", STEADY, max_examples=50)
settings.register_profile("ci-deep", STEADY, max_examples=1000)
settings.load_profile("test")

TESTS = Path(__file__).parent
LOOPBACK = ["127.0.0.1", "::1", "localhost"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("coursekit").addoption(
        "--quick",
        action="store_true",
        help="no browser, no test that starts a process or a server, or is marked slow",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.quick:
        settings.load_profile("check")
    else:
        fork_kernels()


def pytest_ignore_collect(
    collection_path: Path, config: pytest.Config
) -> bool | None:
    return (
        True
        if config.option.quick and collection_path == TESTS / "browser"
        else None
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Browser tests run first, then notebooks, beginning with the last chapter, and then files with
    slow tests, so that nothing long runs alone at the end. After a chapter's cells, all of them run
    again.
    """
    files = list(dict.fromkeys(item.path for item in items))
    chapters = {
        item.path: item.parent
        for item in items
        if item.path.parent == TESTS.parent / "notebooks"
    }
    items += [
        CellsAgain.from_parent(notebook, name="cells again")
        for notebook in chapters.values()
    ]

    slow = [item for item in items if item.get_closest_marker("slow")]
    slow_files = {item.path for item in slow}

    def turn(item: pytest.Item) -> tuple[int, int]:
        if item.path.parent == TESTS / "browser":
            return 0, 0
        if item.path.suffix == ".ipynb":
            return 1, -files.index(item.path)
        return (2 if item.path in slow_files else 3), 0

    items.sort(key=turn)
    if config.option.quick:
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


class ByFile(LoadFileScheduling):
    """Each file goes to one worker, because a notebook's cells share a kernel. All browser tests go
    to one worker, because they share JupyterLab, except those of the console, which do not use it.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        shares = file.startswith("tests/browser/") and "console" not in file
        return "tests/browser" if shares else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker more than there are CPUs, because the worker that drives the browser mostly
    waits.
    """
    return (os.cpu_count() or 1) + (not config.option.quick)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """A failure is always reported. After browser tests, CPython 3.11 may refuse to parse a source
    for pytest's report (SystemError: AST constructor recursion depth mismatch), which would end the
    worker.
    """
    try:
        return (yield)
    except SystemError:
        error = call.excinfo.value
        lines = [
            f"{frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        text = "\n".join([*lines, f"{type(error).__name__}: {error}"])
        plain = pytest.fail.Exception(text, pytrace=False)
        call.excinfo = pytest.ExceptionInfo.from_exception(
            plain.with_traceback(error.__traceback__)
        )
        return pytest.TestReport.from_item_and_call(item, call)


@pytest.fixture(scope="session", autouse=True)
def no_process_and_no_server(pytestconfig: pytest.Config) -> Iterator[None]:
    """With --quick, a test is skipped at the moment when it would start a process or a server, so
    no list of such tests is needed.
    """

    def skip(*args: Any, **more: Any) -> None:
        if isinstance(args[0], socket.socket):
            args[0].close()
        pytest.skip("it starts a process or a server: make test runs it")

    # runs `uname -p` once for all tests that ask for the platform
    tuple(platform.uname())
    with pytest.MonkeyPatch.context() as patch:
        if pytestconfig.option.quick:
            patch.setattr(subprocess.Popen, "__init__", skip)
            patch.setattr(socket.socket, "bind", skip)
        yield


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTEST_CURRENT_TEST"
    }


@pytest.fixture(autouse=True)
def unchanged_environment() -> Iterator[None]:
    """If a test leaves a changed environment behind, that test fails, not a later one in the same
    process.
    """
    before = _environment()
    yield
    after = _environment()
    changed = sorted(name for name, _ in before.items() ^ after.items())
    os.environ.update(before)
    for name in after.keys() - before.keys():
        del os.environ[name]
    assert not changed, (
        f"this test leaves other environment variables: {', '.join(changed)}"
    )


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """A test that tries to reach the network fails, with the address that it tried."""
    pytest_socket.socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    yield
    pytest_socket._remove_restrictions()


@pytest.fixture(scope="session", autouse=True)
def no_certificates() -> Iterator[None]:
    """No test speaks TLS, and reading all certificate authorities takes 28 ms for each HTTP client:
    22 of a run's 430 seconds of CPU time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ssl.SSLContext, "load_verify_locations", lambda *args, **more: None
        )
        yield


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def write_notebook(tmp_path: Path) -> Callable[..., Path]:
    """write_notebook(cell, ...) -> path. A cell is its source, or a node from nbformat.v4."""

    def write(
        *cells: Any,
        name: str = "notebooks/01_basics.ipynb",
        metadata: Any = None,
    ) -> Path:
        nodes = [
            v4.new_code_cell(cell) if isinstance(cell, str) else cell
            for cell in cells
        ]
        for number, node in enumerate(nodes):
            node.id = f"cell-{number}"
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(
            v4.new_notebook(cells=nodes, metadata=metadata or {}), path
        )
        return path

    return write
