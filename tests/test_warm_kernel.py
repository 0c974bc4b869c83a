"""Kernels forked from a warm process: as fresh, as exact and as mortal as the ordinary ones."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from coursekit.workshop.authoring.execution import execute
from coursekit.workshop.commands.environment import offline_environment
from coursekit.workshop.testing import warm_kernel
from coursekit.workshop.testing.warm_kernel import (
    complaints,
    forked_kernels,
    warm_process,
)
from support.forked import LITTLE, SLEEPER, bare, gone, parent_of
from support.waiting import HANG, until

if sys.platform == "linux":
    from coursekit.workshop.testing.warm_kernel.provisioner import (
        ForkedKernel,
        NotForked,
    )

__all__ = ["bare"]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kernels are forked on Linux only"
)
FORKED = "import os, pathlib; b'zygote' in pathlib.Path(f'/proc/{os.getppid()}/cmdline').read_bytes()"
WORLD = """
import gc, locale, os, signal, sys, threading, warnings
own = ("JPY_", "PYTEST_CURRENT_TEST")
[sorted(item for item in os.environ.items() if not item[0].startswith(own)), os.getcwd(), sys.path, sys.argv[0],
 sys.flags, [str(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
 signal.set_wakeup_fd(-1), os.getsid(0) == os.getpid() == os.getpgrp(), os.umask(0o22),
 sys.stdin.read(), locale.getlocale(), warnings.filters,
 sorted(thread.name for thread in threading.enumerate()), int(os.environ["JPY_PARENT_PID"]) == os.getppid()]
"""


@pytest.fixture(scope="module")
def small() -> Iterator[Path]:
    """A warm process that has imported just what a kernel needs itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_kernel, "IMPORTS", "ipykernel.kernelapp")
        with warm_process(offline_environment()) as folder:
            assert folder
            yield folder


@pytest.fixture
def warm(small: Path) -> Iterator[Path]:
    """Kernels are forked from that process."""
    with forked_kernels(small):
        yield small


def values(path: Path) -> list[str]:
    """What each cell's last expression is, in a kernel of its own."""
    return [
        cell.outputs[0].data["text/plain"]
        for cell in execute(path, offline_environment()).cells
        if cell.outputs
    ]


@contextlib.contextmanager
def running(**options: Any) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    manager = KernelManager()
    manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=HANG)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_fork_finds_the_world_that_an_ordinary_kernel_finds(
    warm: Path, write_notebook: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment, folder, paths, flags, signals, standard input, warnings and threads are those of
    a fresh start.
    """
    path = write_notebook(WORLD, FORKED)
    forked = values(path)
    monkeypatch.setattr(
        KernelProvisionerFactory.instance(),
        "default_provisioner_name",
        "local-provisioner",
    )
    ordinary = values(path)
    assert forked[0] == ordinary[0]
    assert (forked[1], ordinary[1]) == ("True", "False")
    assert complaints(warm) == []


def test_what_a_notebook_does_to_its_modules_no_other_sees(
    warm: Path, write_notebook: Callable[..., Path]
) -> None:
    """A changed module, a lost one, a variable of the environment and a seed stay in the kernel
    they were made in.
    """
    path = write_notebook(
        "import json, os, random, sys, zmq\n"
        "before = zmq.Context is None, 'ast' in sys.modules, 'MINE' in os.environ, hasattr(json, 'mine')",
        "zmq.Context = None; del sys.modules['ast']; os.environ['MINE'] = json.mine = 'yes'",
        FORKED,
        "before, random.random()",
    )
    first, second = values(path), values(path)
    assert first[0] == second[0] == "True"
    assert first[1].startswith("((False, True, False, False), ")
    assert second[1].startswith("((False, True, False, False), ")
    assert first[1] != second[1]


def test_a_kernel_is_interrupted_restarted_and_dies_alone(warm: Path) -> None:
    """An interrupt is a KeyboardInterrupt, a restart a new process; a crash is seen at once, in
    that kernel only.
    """
    with running() as (manager, client), running() as (other, other_client):
        client.execute("import time; print('on'); time.sleep(3600)")
        while client.get_iopub_msg(timeout=HANG)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=HANG))[
            "msg_type"
        ] != "execute_reply":
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"

        before = manager.provisioner.pid
        manager.restart_kernel(now=True)
        assert manager.provisioner.pid != before and gone([before])
        client.wait_for_ready(timeout=HANG)

        client.execute("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        until(lambda: not manager.is_alive())
        assert manager.provisioner.process.returncode == -signal.SIGSEGV

        assert (
            other_client.execute_interactive("1", timeout=HANG)["content"]["status"]
            == "ok"
        )
        with pytest.raises(OSError, match="No such process"):
            os.kill(before, 0)
        other_client.execute("import os; os._exit(3)")
        assert other.provisioner.process.wait() == 3
    assert complaints(warm) == []


def test_this_session_forks_its_kernels(request: pytest.FixtureRequest) -> None:
    """Where tests run, in one process or in workers of pytest-xdist, the kernels of notebooks are
    forked ones.
    """
    if request.config.option.ordinary_kernels:
        pytest.skip("ordinary kernels were asked for")
    with running() as (manager, _):
        assert isinstance(manager.provisioner.process, ForkedKernel)


def test_another_environment_gets_an_ordinary_kernel(
    bare: Path, tmp_path: Path
) -> None:
    """What a library may have read while it was imported must be equal; COURSEKIT_*, JPY_* and
    PYTEST_* may differ.
    """
    for env in (
        {"TZ": "Asia/Tokyo"},
        {"LD_PRELOAD": "faketime.so"},
        {"MPLCONFIGDIR": "x"},
    ):
        with pytest.raises(NotForked, match=r"^$"):
            ForkedKernel(bare, SLEEPER, env=LITTLE | env, cwd=str(tmp_path))
    for command in (
        ["/usr/bin/python3", "-m", "sleeper"],
        [sys.executable, "-c", "pass"],
    ):
        with pytest.raises(NotForked, match=r"^$"):
            ForkedKernel(bare, command, env=LITTLE, cwd=str(tmp_path))
    own = {
        "COURSEKIT_MODE": "live",
        "JPY_SESSION_NAME": "x",
        "PYTEST_XDIST_WORKER": "gw0",
        "COLUMNS": "80",
    }
    kernel = ForkedKernel(bare, SLEEPER, env=LITTLE | own, cwd=str(tmp_path))
    assert kernel.poll() is None
    kernel.terminate()
    assert kernel.wait() == -signal.SIGTERM


def test_where_nothing_can_be_forked_an_ordinary_kernel_starts_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm process that has gone, or that has threads, costs no test: kernels start as ever, and
    why is told.
    """
    manager = KernelManager()
    with forked_kernels(tmp_path):
        manager.start_kernel()
    try:
        assert isinstance(manager.provisioner.process, subprocess.Popen)
    finally:
        manager.shutdown_kernel(now=True)
    assert complaints(tmp_path) == [
        "the warm process does not answer: [Errno 2] No such file or directory"
    ]

    (tmp_path / ("x" * 100)).mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / ("x" * 100)))
        with warm_process(LITTLE) as folder:
            assert complaints(folder) == [
                "the warm process cannot start: AF_UNIX path too long"
            ]

    (tmp_path / "threads.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    monkeypatch.setattr(warm_kernel, "IMPORTS", "threads")
    environment = LITTLE | {"PYTHONPATH": str(tmp_path)}
    with warm_process(environment) as folder:
        assert folder
        with pytest.raises(NotForked, match="has 2 threads, and a fork has but one"):
            ForkedKernel(folder, SLEEPER, env=environment, cwd=str(tmp_path))


def test_a_kernel_ends_with_a_warm_process_that_was_killed(warm: Path) -> None:
    """A kernel whose warm process was killed with -9 ends by itself, and its death is seen."""
    with running() as (manager, _):
        pid = manager.provisioner.pid
        os.kill(parent_of(pid), signal.SIGKILL)
        assert gone([pid])
        assert not manager.is_alive()
