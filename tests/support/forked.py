"""Forked processes that are no kernels and do nothing, and whether processes are gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from coursekit.workshop.testing import warm_kernel
from coursekit.workshop.testing.warm_kernel import warm_process
from support.waiting import until

SLEEPER = [sys.executable, "-m", "sleeper"]
LITTLE = {"LC_ALL": "C.UTF-8"}  # without a locale Python itself adds a variable


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A warm process that has imported nothing to speak of, to fork SLEEPER."""
    (tmp_path / "sleeper.py").write_text("import time\ntime.sleep(3600)\n")
    monkeypatch.setattr(warm_kernel, "IMPORTS", "json")
    with warm_process(LITTLE) as folder:
        assert folder
        yield folder


def gone(pids: list[int]) -> bool:
    """True as soon as these processes have ended."""
    until(lambda: not any(_runs(pid) for pid in pids))
    return True


def parent_of(pid: int) -> int:
    """The parent of a running process."""
    return int(_stat(pid)[1])


def _runs(pid: int) -> bool:
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def _stat(pid: int) -> list[str]:
    """What /proc says of a process: its state, its parent, and more."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
