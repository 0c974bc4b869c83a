"""The warm process: it imports once what notebooks import, and then forks a kernel for each that
asks.

It is a program of its own, and in each fork goes on as the command that would have started that
kernel, ``python -m ipykernel_launcher``. It must not own what a fork cannot share: it starts no
thread, no event loop, no ZMQ context and no client, and forks only while it has one thread.

One connection to its socket is one kernel: a request (JSON, with three file descriptors), then
{"pid": …} and at the end {"exit": …}, counted as subprocess does; or {"no": why}, where "" says
that nothing is wrong. Who closes the connection ends the kernel. Who asks for nothing makes it
import now. When the standard input ends, so do all kernels.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import runpy
import selectors
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...quick_start import SLOW

assert sys.platform == "linux"
LARGEST = 1 << 20  # bytes of a request; its environment is nearly all of it
# A variable that may differ from kernel to kernel: nothing that is imported here reads it.
OF_A_KERNEL = re.compile(
    r"(COURSEKIT|JPY|JUPYTER|JUPYTERLAB|PYTEST)_\w+|COLUMNS|LINES|PATH"
)


@dataclass(frozen=True)
class Request:
    """A kernel to be: module and arguments for ``python -m``, folder, environment, and its files 0,
    1 and 2.
    """

    command: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]


class Zygote:
    """Forks kernels for those who connect.

    listener  where they connect
    owner     a file descriptor; when it comes to its end, all is ended
    imports   the module that a fork shall have imported
    """

    def __init__(self, listener: socket.socket, owner: int, imports: str) -> None:
        self.listener, self.owner, self.imports = listener, owner, imports
        self.ended, self.wake = (
            socket.socketpair()
        )  # a signal writes a byte, and the selector sees it
        self.wake.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.kernels: dict[int, socket.socket] = {}
        self.environment = _imported_under(os.environ)

    def serve(self) -> Request | None:
        """Serve until the end, and return None. In a fork, return what that process is to
        become.
        """
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for source in (self.owner, self.listener, self.ended):
            self.selector.register(source, selectors.EVENT_READ)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj == self.owner:
                    self._end()
                    return None
                if key.fileobj is self.listener:
                    with contextlib.suppress(
                        OSError
                    ):  # who asked has gone, or there is no room for one more process
                        if request := self._accept():
                            return request
                elif key.fileobj is self.ended:
                    self.ended.recv(4096)
                    self._bury()
                elif key.data in self.kernels:
                    self.selector.unregister(key.fileobj)
                    _kill(key.data)

    def _accept(self) -> Request | None:
        """Answer a connection. In the fork returns what it is to become, else None."""
        connection, _ = self.listener.accept()
        connection.settimeout(10)
        message, files, _, _ = socket.recv_fds(connection, LARGEST, 3)
        request = Request(**json.loads(message), files=files) if message else None
        same = (
            request is None or _imported_under(request.environment) == self.environment
        )
        if same and self.imports not in sys.modules:
            importlib.import_module(self.imports)
            gc.collect()
            gc.freeze()  # what the collector leaves alone stays shared by all forks
        if request is None:
            connection.close()
        elif not same:
            _tell(connection, no="")
        elif (threads := len(os.listdir("/proc/self/task"))) != 1:
            _tell(
                connection,
                no=f"the warm process has {threads} threads, and a fork has but one",
            )
        elif pid := os.fork():
            self.kernels[pid] = connection
            self.selector.register(connection, selectors.EVENT_READ, pid)
            _tell(connection, pid=pid)
        else:
            connection.close()
            self._leave()
            return request
        for file in files:
            os.close(file)
        return None

    def _bury(self, options: int = os.WNOHANG) -> None:
        """Tell of each kernel that has ended."""
        while self.kernels:
            pid, status = os.waitpid(-1, options)
            if pid == 0:
                return
            with self.kernels.pop(pid) as connection:
                with contextlib.suppress(KeyError):  # its client had closed it
                    self.selector.unregister(connection)
                _tell(connection, exit=os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for pid in self.kernels:
            _kill(pid)
        self._bury(0)
        shutil.rmtree(os.path.dirname(self.listener.getsockname()), ignore_errors=True)

    def _leave(self) -> None:
        """In a fork: give up what is the parent's alone."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for one in (self.listener, self.ended, self.wake, *self.kernels.values()):
            one.close()


def become(request: Request) -> None:
    """Go on as ``python -m`` would have begun in that folder and environment; returns when that has
    ended.
    """
    os.setsid()  # as jupyter_client starts a kernel: signals for it go to its group
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment | {"JPY_PARENT_PID": str(os.getppid())})
    time.tzset()
    if "numpy" in sys.modules:
        sys.modules[
            "numpy"
        ].random.seed()  # the standard library reseeds itself after a fork
    if not sys.flags.safe_path:
        sys.path.insert(0, request.folder)
    sys.argv = request.command
    runpy.run_module(request.command[0], run_name="__main__", alter_sys=True)


def _imported_under(environment: Mapping[str, str]) -> dict[str, str]:
    """What a library may have read while it was imported."""
    return {
        name: value
        for name, value in environment.items()
        if not OF_A_KERNEL.fullmatch(name)
    }


def _tell(connection: socket.socket, **answer: Any) -> None:
    with contextlib.suppress(OSError):  # who asked is gone
        connection.sendall(json.dumps(answer).encode())


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:  # it has not yet a group of its own
            os.kill(pid, signal.SIGKILL)


def main() -> None:
    if not sys.flags.safe_path:
        del sys.path[0]  # this process's folder; each kernel gets its own
    del sys.modules[SLOW]  # a kernel imports what it likes
    os.environ["JPY_PARENT_PID"] = str(
        os.getpid()
    )  # read by ipykernel's import: its kernels end with this parent
    request = Zygote(
        socket.socket(fileno=int(sys.argv[1])), owner=0, imports=sys.argv[2]
    ).serve()
    if request:
        become(request)


if __name__ == "__main__":
    main()
