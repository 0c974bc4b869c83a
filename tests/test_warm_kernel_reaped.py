"""No kernel and no warm process outlives those who wanted it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.forked import LITTLE, SLEEPER, bare, gone, parent_of
from support.waiting import HANG

if sys.platform == "linux":
    from coursekit.workshop.testing.warm_kernel.provisioner import ForkedKernel

__all__ = ["bare"]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kernels are forked on Linux only"
)
ROOT = Path(__file__).parents[1]
OWNER = """
import sys, time
from pathlib import Path
from coursekit.workshop import warm_kernel
from coursekit.workshop.testing.warm_kernel.provisioner import ForkedKernel
warm_kernel.IMPORTS = "json"
little = {"LC_ALL": "C.UTF-8"}
with warm_kernel.warm_process(little) as folder:
    kernels = [ForkedKernel(folder, [sys.executable, "-m", "sleeper"], env=little, cwd=sys.argv[1]) for _ in range(3)]
    print(folder, *(kernel.pid for kernel in kernels), flush=True)
    if sys.stdin.read(1):
        sys.exit()
"""
PYTEST = """
import sys, pytest
from coursekit.workshop import warm_kernel
warm_kernel.IMPORTS = "ipykernel.kernelapp"
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "end", ["normal", signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str
)
def test_nothing_outlives_its_owner(end: Any, bare: Path, tmp_path: Path) -> None:
    """After a normal end, Ctrl-C, a SIGTERM or a kill -9 there is neither warm process, kernel nor
    folder left.
    """
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as owner:
        assert owner.stdin and owner.stdout
        folder, *numbers = owner.stdout.readline().split()
        kernels = [int(number) for number in numbers]
        parents = {parent_of(pid) for pid in kernels}
        assert len(kernels) == 3 and len(parents) == 1
        if end == "normal":
            owner.stdin.write("x")
        else:
            owner.send_signal(end)
        owner.stdin.close()
        owner.wait(HANG)
    assert gone([*kernels, *parents])
    assert not Path(folder).exists()


def test_no_kernel_outlives_a_killed_pytest(
    write_notebook: Callable[..., Path], tmp_path: Path
) -> None:
    """After a kill -9 of pytest in the middle of a notebook, its kernel and its warm process are
    gone.
    """
    mark = tmp_path / "pids"
    path = write_notebook(
        f"import os, pathlib, time; pathlib.Path({str(mark)!r}).write_text(f'{{os.getpid()}} "
        f"{{os.getppid()}}')\n"
        "time.sleep(3600)"
    )
    options = [
        "-c",
        str(ROOT / "pyproject.toml"),
        f"--rootdir={tmp_path}",
        "-n0",
        "-pno:cacheprovider",
        str(path),
    ]
    options += [
        f"--nbval-sanitize-with={ROOT / 'coursekit' / 'workshop' / 'testing' / 'sanitize.cfg'}"
    ]
    with subprocess.Popen(
        [sys.executable, "-c", PYTEST, *options],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    ) as pytest_:
        while not (mark.exists() and mark.read_text().count(" ")):
            assert pytest_.poll() is None
            time.sleep(0.05)
        pytest_.kill()
    assert gone([int(pid) for pid in mark.read_text().split()])


def test_a_kernel_ends_with_whoever_asked_for_it(bare: Path, tmp_path: Path) -> None:
    """When a worker dies, its kernels do too, though the session's warm process goes on."""
    mine, others = (
        ForkedKernel(bare, SLEEPER, env=LITTLE, cwd=str(tmp_path)) for _ in range(2)
    )
    others._connection.close()  # as the system does when a process dies
    assert gone([others.pid])
    assert mine.poll() is None
    mine.kill()
    assert mine.wait() == -signal.SIGKILL
