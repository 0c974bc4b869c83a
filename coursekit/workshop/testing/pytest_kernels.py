"""For pytest: the kernels in which nbval runs notebooks. They are forked from a warm process, and
seen to die.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from queue import Empty
from typing import Any

import nbval.plugin
import pytest
from nbval.kernel import RunningKernel

from .warm_kernel import complaints, forked_kernels, wake, warm_process

LOOK = 0.5  # seconds between two looks at a kernel that says nothing


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("coursekit")
    group.addoption(
        "--ordinary-kernels",
        action="store_true",
        help="start the kernel of each notebook; fork none",
    )
    group.addoption(
        "--warm-process",
        type=Path,
        metavar="FOLDER",
        help="fork kernels from this one, which runs already",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The session has one warm process, and the workers of pytest-xdist share it."""
    nbval.plugin.RunningKernel = WatchedKernel
    session = contextlib.ExitStack()
    config.add_cleanup(session.close)
    if hasattr(config, "workerinput"):
        folder = config.workerinput[WarmKernels.__name__]
    elif config.option.ordinary_kernels:
        folder = None
    else:
        folder = config.option.warm_process or session.enter_context(
            warm_process(os.environ)
        )
    kernels = WarmKernels(Path(folder) if folder else None)
    session.enter_context(forked_kernels(kernels.folder))
    config.pluginmanager.register(kernels, WarmKernels.__name__)


class WarmKernels:
    """What a session has to do with the warm process in ``folder``."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist."""
        node.workerinput[type(self).__name__] = str(self.folder) if self.folder else ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.folder and any(item.path.suffix == ".ipynb" for item in session.items):
            wake(self.folder)

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """For workers: the last chapter first. It is by far the longest, and would be left over at
        the end.
        """
        if hasattr(config, "workerinput"):
            chapters = [item for item in items if item.path.match("notebooks/*.ipynb")]
            files = list(dict.fromkeys(item.path for item in chapters))
            ordered = iter(sorted(chapters, key=lambda item: -files.index(item.path)))
            items[:] = [next(ordered) if item.path in files else item for item in items]

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        for reason in complaints(self.folder):
            terminalreporter.line(f"A kernel was started, not forked: {reason}")


class WatchedKernel(RunningKernel):  # type: ignore[misc]  # nbval has no types
    """nbval's kernel; its death is an error at once. nbval itself would wait for an answer until
    the cell's timeout.
    """

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        end = time.monotonic() + timeout if timeout is not None else float("inf")
        while True:
            try:
                return super().get_message(
                    stream, timeout=max(0.0, min(LOOK, end - time.monotonic()))
                )
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("the cell has killed its kernel") from None
                if time.monotonic() >= end:
                    raise
