"""Kernels under pytest: a dead one is seen, the longest notebook comes first, and what went wrong
is said.
"""

from __future__ import annotations

import time
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from nbval.kernel import RunningKernel

from coursekit.workshop.testing import pytest_kernels
from coursekit.workshop.testing.pytest_kernels import WarmKernels, WatchedKernel
from coursekit.workshop.testing.warm_kernel import complain


def silent(monkeypatch: pytest.MonkeyPatch, *, alive: bool) -> WatchedKernel:
    """A kernel that sends nothing."""

    def nothing(kernel: Any, stream: str, timeout: float) -> Any:
        time.sleep(timeout)
        raise Empty

    monkeypatch.setattr(RunningKernel, "get_message", nothing)
    monkeypatch.setattr(pytest_kernels, "LOOK", 0.01)
    kernel: WatchedKernel = WatchedKernel.__new__(WatchedKernel)
    monkeypatch.setattr(kernel, "is_alive", lambda: alive, raising=False)
    return kernel


def test_a_dead_kernel_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a message of a kernel that has died is told so long before the time is up."""
    with pytest.raises(RuntimeError, match="the cell has killed its kernel"):
        silent(monkeypatch, alive=False).get_message("shell", timeout=3600)


def test_a_living_kernel_has_all_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that lives and says nothing is waited for as long as was asked, and then it is
    nbval's Empty.
    """
    start = time.monotonic()
    with pytest.raises(Empty):
        silent(monkeypatch, alive=True).get_message("iopub", timeout=0.1)
    assert time.monotonic() >= start + 0.1


def test_a_worker_begins_with_the_last_chapter() -> None:
    """Chapters come last first, each with its cells in order; all else, and a run without workers,
    stays as it is.
    """
    paths = (
        "tests/test_x.py",
        "notebooks/00.ipynb",
        "notebooks/00.ipynb",
        "notebooks/09.ipynb",
        "solutions/01.ipynb",
    )
    items: Any = [
        SimpleNamespace(path=Path("/c") / path, number=number)
        for number, path in enumerate(paths)
    ]
    kernels: Any = WarmKernels(None)
    kernels.pytest_collection_modifyitems(SimpleNamespace(), items)
    assert [item.number for item in items] == [0, 1, 2, 3, 4]
    kernels.pytest_collection_modifyitems(SimpleNamespace(workerinput={}), items)
    assert [item.number for item in items] == [0, 3, 1, 2, 4]


def test_the_summary_says_why_kernels_were_not_forked(tmp_path: Path) -> None:
    """A reason is one line, however often it was met; without one nothing is said."""
    lines: list[str] = []
    reporter: Any = SimpleNamespace(line=lines.append)
    WarmKernels(tmp_path).pytest_terminal_summary(reporter)
    assert lines == []
    complain(tmp_path, "no room")
    complain(tmp_path, "no room")
    WarmKernels(tmp_path).pytest_terminal_summary(reporter)
    assert lines == ["A kernel was started, not forked: no room"]
