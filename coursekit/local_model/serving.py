"""The process that serves the small model: ``python -m coursekit.local_model.serving PATH NAME
STATE``.

llama.cpp's own server listens on a free port on 127.0.0.1. Each process that uses it holds a
connection open, its *lease*, which the operating system closes no matter how that process ends. The
server stops shortly after the last lease has ended. No other sign of life is needed, so none can be
forgotten.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from ..foundation.files import write_atomically
from .llama import DamagedModel, load

# seconds without a lease until the server stops: the next cell may create a client again
LINGER = 3.0
FIRST = 60.0  # seconds to wait for the first lease
DAMAGED = 3  # the exit code for a damaged model
READY = b"+"  # the first byte of a lease: the server will not stop now


def main(path: str, name: str, state: str) -> int:
    """Serve until no process holds a lease. Returns the exit code."""
    try:
        server = load(Path(path), name=name)
    except DamagedModel:
        return DAMAGED
    with socket.create_server(("127.0.0.1", 0)) as leases:
        value = {
            "url": f"{server.listening_address}/v1",
            "lease": leases.getsockname()[1],
            "pid": os.getpid(),
        }
        write_atomically(Path(state), json.dumps(value), 0o600)
        _hold(leases, Path(state))
    return 0


def _hold(leases: socket.socket, state: Path) -> None:
    """Return once there has been no lease for a while and the state file is removed."""
    selector = selectors.DefaultSelector()
    selector.register(leases, selectors.EVENT_READ)
    held, patience = 0, FIRST
    while True:
        ready = selector.select(timeout=patience if not held else None)
        if not ready and _gone(selector, state):
            return
        for key, _ in ready:
            if key.fileobj is leases:
                lease, _ = leases.accept()
                lease.sendall(READY)
                selector.register(lease, selectors.EVENT_READ)
                held, patience = held + 1, LINGER
            elif not _read(key.fileobj):  # type: ignore[arg-type]
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                held -= 1


def _gone(selector: selectors.BaseSelector, state: Path) -> bool:
    """Remove the state file, unless another process is about to take a lease."""
    try:
        with FileLock(lock_of(state), timeout=0):
            if selector.select(timeout=0):
                return False
            state.unlink(missing_ok=True)
            return True
    except Timeout:
        return False


def _read(lease: socket.socket) -> bytes:
    try:
        return lease.recv(64)
    except OSError:
        return b""


def lock_of(state: Path) -> str:
    """The file that a process locks while it starts a server, takes a lease, or exits."""
    return f"{state}.lock"


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    os._exit(code)  # do not wait for llama.cpp's threads
