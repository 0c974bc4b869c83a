"""On Linux, tests fork notebooks' kernels from a process that has already imported what they
import.

Most of a short notebook's time goes into starting Python and importing openai and matplotlib. The
fork server is multiprocessing's own; only the *provisioner*, the part of jupyter_client that starts
a kernel's process, is ours. It starts an ordinary kernel where a fork could differ: in an
environment other than this session's, and on other systems. (On macOS, a fork without exec is
unsafe; Windows does not have fork.) tests/benchmarks/bench_notebooks.py measures what it saves.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import runpy
import signal
import sys
import time
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from unittest import mock

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from support.ports import KernelPorts

TESTS = str(Path(__file__).parents[1])
# A variable that may differ between kernels, because no import reads it.
OF_A_KERNEL = re.compile(
    r"(COURSEKIT|JPY|JUPYTER|JUPYTERLAB|PYTEST)_\w+"
    r"|OPENAI_(API_KEY|BASE_URL)|COLUMNS|LINES|PATH"
)


def fork_kernels() -> None:
    """From now on, this process forks its kernels and gives them ports that stay free."""
    KernelPorts.instance()
    if sys.platform == "linux":
        factory = KernelProvisionerFactory.instance()
        entry = f"{__name__}:WarmProvisioner"
        factory.provisioners["warm"] = EntryPoint(
            "warm", entry, factory.GROUP_NAME
        )
        factory.default_provisioner_name = "warm"
        WarmProvisioner.environment = _imported_under(os.environ)


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking if the command and the environment allow it."""

    process: Any  # ForkedKernel, or LocalProvisioner's Popen
    environment: dict[str, str]  # what the fork server has seen

    async def launch_kernel(
        self, cmd: list[str], **kwargs: Any
    ) -> KernelConnectionInfo:
        environment = kwargs["env"]
        ours = cmd[:2] == [sys.executable, "-m"]
        if not ours or _imported_under(environment) != self.environment:
            return await super().launch_kernel(cmd, **kwargs)
        folder = os.path.abspath(kwargs.get("cwd") or os.curdir)
        self.process = ForkedKernel(cmd[2:], folder, environment)
        self.pid = self.pgid = self.process.pid
        self.cwd = Path(folder)
        return self.connection_info


class ForkedKernel:
    """A forked process that continues as ``python -m`` with ``command``; used like a Popen."""

    stdin = stdout = stderr = None

    def __init__(
        self, command: list[str], folder: str, environment: Mapping[str, str]
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["support.warm_imports"])
        arguments = command, folder, dict(environment)
        self._process = context.Process(
            target=_become, args=arguments, daemon=True
        )
        paths = [TESTS, os.environ.get("PYTHONPATH", "")]
        search = os.pathsep.join(path for path in paths if path)
        # The fork server reads it when it starts.
        with mock.patch.dict(os.environ, PYTHONPATH=search):
            self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(
    command: list[str], folder: str, environment: dict[str, str]
) -> None:
    """In the fork, continue as ``python -m`` would have started in that folder and environment."""
    from support.warm_imports import FRESH_PATH

    os.setsid()  # as when jupyter_client starts a kernel: signals go to its process group
    nothing = os.open(os.devnull, os.O_RDWR)
    for file in range(3):
        os.dup2(nothing, file)
    os.closerange(3, 4096)
    # multiprocessing closed it
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment | {"JPY_PARENT_PID": str(os.getppid())})
    time.tzset()
    if "numpy" in sys.modules:
        sys.modules[
            "numpy"
        ].random.seed()  # the standard library reseeds itself after a fork
    sys.path[:] = FRESH_PATH if sys.flags.safe_path else [folder, *FRESH_PATH]
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def _imported_under(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that a library may have read while it was imported."""
    return {
        name: value
        for name, value in environment.items()
        if not OF_A_KERNEL.fullmatch(name)
    }
