"""Kernels that are forked from a process that has imported everything are as fresh as ordinary
ones, and end like them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory

from coursekit.workshop.authoring.execution import execute
from coursekit.workshop.commands.environment import offline_environment
from support.waiting import HANG, until
from support.warm_kernels import ForkedKernel

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="kernels are forked on Linux only"
)
FORKED = "import os, pathlib; b'forkserver' in pathlib.Path(f'/proc/{os.getppid()}/cmdline').read_bytes()"
WORLD = """
import locale, os, signal, sys, threading
own = ("JPY_", "PYDEVD_", "PYTEST_CURRENT_TEST")
[sorted(item for item in os.environ.items() if not item[0].startswith(own)), os.getcwd(), sys.path, sys.argv[0],
 sys.flags, [str(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
 signal.set_wakeup_fd(-1), os.getsid(0) == os.getpid() == os.getpgrp(), os.umask(0o22),
 sys.stdin.read(), locale.getlocale(),
 len(threading.enumerate()), int(os.environ["JPY_PARENT_PID"]) == os.getppid()]
"""
OWNER = """
import os, sys
from jupyter_client.manager import KernelManager
from support.warm_kernels import fork_kernels
fork_kernels()
manager = KernelManager()
manager.start_kernel()
pid = manager.provisioner.pid
server = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
print(pid, server, flush=True)
sys.stdin.read()
"""


def values(path: Path) -> list[str]:
    """The value of each cell's last expression, in its own kernel."""
    cells = execute(path, offline_environment()).cells
    return [
        cell.outputs[0].data["text/plain"] for cell in cells if cell.outputs
    ]


@contextlib.contextmanager
def running(
    **options: Any,
) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
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


@pytest.mark.slow
def test_a_fork_finds_the_world_that_an_ordinary_kernel_finds(
    write_notebook: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment, folder, paths, flags, signals, standard input, and threads are the same."""
    path = write_notebook(WORLD, FORKED)
    forked = values(path)
    factory = KernelProvisionerFactory.instance()
    monkeypatch.setattr(
        factory, "default_provisioner_name", "local-provisioner"
    )
    ordinary = values(path)
    assert forked[0] == ordinary[0]
    assert (forked[1], ordinary[1]) == ("True", "False")


def test_what_a_notebook_does_to_its_modules_no_other_sees(
    write_notebook: Callable[..., Path],
) -> None:
    """A changed module, a removed module, an environment variable, and a seed stay in their
    kernel.
    """
    path = write_notebook(
        "import json, os, random, sys, zmq\n"
        "before = zmq.Context is None, 'ast' in sys.modules, 'MINE' in os.environ, hasattr(json, 'mine')",
        "zmq.Context = None; del sys.modules['ast']; os.environ['MINE'] = json.mine = 'yes'",
        FORKED,
        "before, random.random()",
        "import os; len(os.listdir(f'/proc/{os.getppid()}/task'))",
    )
    first, second = values(path), values(path)
    assert first[0] == second[0] == "True"
    assert first[1].startswith("((False, True, False, False), ")
    assert second[1].startswith("((False, True, False, False), ")
    assert first[1] != second[1]
    assert first[2] == "1", "a fork has one thread of its parent"


def test_a_kernel_is_interrupted_restarted_and_dies_alone() -> None:
    """An interrupt is a KeyboardInterrupt, a restart is a new process, and a crash ends only that
    kernel.
    """
    with running() as (manager, client), running() as (other, other_client):
        assert isinstance(manager.provisioner.process, ForkedKernel)
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
        assert manager.provisioner.pid != before
        until(lambda: _ended(before))
        client.wait_for_ready(timeout=HANG)

        client.execute(
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
        )
        until(lambda: not manager.is_alive())
        assert manager.provisioner.process.poll() == -signal.SIGSEGV

        reply = other_client.execute_interactive("1", timeout=HANG)
        assert reply["content"]["status"] == "ok"
        other_client.execute("import os; os._exit(3)")
        assert other.provisioner.process.wait() == 3


def test_another_environment_gets_an_ordinary_kernel() -> None:
    """The settings that a library may have read while it was imported must be equal; COURSEKIT_*,
    the key, and the base URL may differ.
    """
    with running(env=os.environ | {"TZ": "Asia/Tokyo"}) as (manager, _):
        assert isinstance(manager.provisioner.process, subprocess.Popen)
    own = {
        "COURSEKIT_MODE": "live",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    }
    with running(env=os.environ | own) as (manager, _):
        assert isinstance(manager.provisioner.process, ForkedKernel)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=str)
@pytest.mark.slow
def test_no_kernel_outlives_its_owner(end: signal.Signals) -> None:
    """After SIGTERM or kill -9 ends the process that started a kernel, the kernel and the fork
    server also end.
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdin and owner.stdout
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.send_signal(end)
        owner.wait(HANG)
    until(lambda: all(_ended(pid) for pid in pids))


def _ended(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            == "Z"
        )
    except OSError:
        return True
