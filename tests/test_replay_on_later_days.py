"""Replay after the source's models are shut down: not a single output changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Debian's and Homebrew's libfaketime, with which the entire process sees another clock
FAKETIME = shutil.which("faketime")


@pytest.mark.successors
@pytest.mark.timeout(900)
@pytest.mark.skipif(FAKETIME is None, reason="no faketime")
@pytest.mark.parametrize("day", ["2026-12-12", "2027-02-01"])
def test_every_notebook_shows_the_same_on_a_later_day(day: str) -> None:
    """With the machine's clock set to a date after each shutdown, every stored output of every
    chapter is reproduced.
    """
    clock = [str(FAKETIME), f"{day} 12:00:00"]
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "0",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=0",
    ]
    # each kernel is a process that was started with this clock
    tests += [
        "--ordinary-kernels",
        "notebooks",
    ]
    done = subprocess.run(
        [*clock, *tests], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-500:]
