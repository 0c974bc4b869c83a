"""For jupyter_client: a kernel that is forked from the warm process, or the ordinary one where that
cannot be.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from . import SOCKET, complain

assert sys.platform == "linux"

SECONDS = 60  # for its imports, on a busy machine


class NotForked(Exception):
    """The warm process has forked no kernel; the text says why, "" where all is well."""


class WarmProvisioner(LocalProvisioner):
    """Starts kernels as LocalProvisioner does, but by a fork where the command and the environment
    allow it.
    """

    process: Any  # Popen or ForkedKernel
    folder: ClassVar[Path] = Path(os.devnull)  # the warm process's

    async def launch_kernel(
        self, cmd: list[str], **kwargs: Any
    ) -> KernelConnectionInfo:
        """Start the kernel that ``cmd`` starts; ``kwargs`` are Popen's."""
        try:
            process = ForkedKernel(self.folder, cmd, **self._scrub_kwargs(kwargs))
        except NotForked as why:
            if str(why):
                complain(self.folder, str(why))
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process
        self.pid = self.pgid = process.pid
        self.cwd = Path(kwargs.get("cwd") or Path.cwd())
        return self.connection_info


class ForkedKernel:
    """A kernel process forked elsewhere, with what LocalProvisioner needs of subprocess.Popen.

    folder, command, env, cwd, stdout, stderr  as for Popen; the standard input is empty
    Raises NotForked.
    """

    stdin = stdout = stderr = None

    def __init__(
        self,
        folder: Path,
        command: list[str],
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        stdout: Any = None,
        stderr: Any = None,
        **other: Any,
    ) -> None:
        if command[:2] != [sys.executable, "-m"] or other:
            raise NotForked("")
        request = {
            "command": command[2:],
            "folder": os.path.abspath(cwd or os.curdir),
            "environment": dict(env),
        }
        message, output = (
            json.dumps(request).encode(),
            [_number(stdout, 1), _number(stderr, 2)],
        )
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.returncode: int | None = None
        try:
            self._connection.settimeout(SECONDS)
            self._connection.connect(str(folder / SOCKET))
            with open(os.devnull, "rb") as nothing:
                socket.send_fds(
                    self._connection, [message], [nothing.fileno(), *output]
                )
            answer = self._receive()
        except OSError as error:
            self._connection.close()
            raise NotForked(f"the warm process does not answer: {error}") from error
        if "pid" not in answer:
            self._connection.close()
            raise NotForked(answer.get("no", "the warm process has made no kernel"))
        self.pid: int = answer["pid"]

    def poll(self) -> int | None:
        """The exit code, as Popen's, or None while it runs."""
        return self._wait(0)

    def wait(self) -> int:
        """Wait for its end, and return the exit code."""
        code = self._wait(None)
        assert code is not None
        return code

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait(self, seconds: float | None) -> int | None:
        if self.returncode is None:
            self._connection.settimeout(seconds)
            try:
                # Without an answer the warm process is gone, and its kernels follow within a
                # second.
                self.returncode = self._receive().get("exit", -signal.SIGKILL)
            except BlockingIOError:
                return None
            self._connection.close()
        return self.returncode

    def _receive(self) -> dict[str, Any]:
        message = self._connection.recv(4096)
        answer: dict[str, Any] = json.loads(message) if message else {}
        return answer


def _number(file: Any, inherited: int) -> int:
    """The file descriptor that Popen would give to the process. Raises NotForked for a pipe that it
    would open.
    """
    number = (
        inherited if file is None else file if isinstance(file, int) else file.fileno()
    )
    if number < 0:  # subprocess.PIPE and its like
        raise NotForked("")
    return number
