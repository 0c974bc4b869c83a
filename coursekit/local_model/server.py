"""Finds or starts the process that serves the small model, one process for all of a user's kernels.

The current process keeps a lease on the server (see ``serving``) until the process ends.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from filelock import FileLock

from ..settings import cache_folder
from .llama import DamagedModel, program
from .model_file import ModelFile
from .serving import DAMAGED, READY, lock_of

STARTED_WITHIN = 300.0  # seconds; enough to read a large model from a slow disk
LOOK = 0.02  # seconds between two checks of a server that is starting
_leases: dict[Path, tuple[socket.socket, str]] = {}
_lock = threading.Lock()


def address_of(model: ModelFile) -> str:
    """Return the base address of the server that runs this model, such as
    "http://127.0.0.1:45123/v1".

    Starts the server if none is running. Raises DamagedModel, or RuntimeError if the server does
    not start.
    """
    with _lock:
        held = _leases.get(model.path)
        if held is not None and not _alive(held[0]):  # the server was killed
            held[0].close()
            held = None
        if held is None:
            held = _leases[model.path] = _lease(model)
        return held[1]


def _lease(model: ModelFile) -> tuple[socket.socket, str]:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(
        f"{model.path} {model.path.stat().st_mtime_ns} {program()}".encode()
    ).hexdigest()[:12]
    state = folder / f"server-{key}.json"
    with FileLock(lock_of(state)):
        lease = _connected(state)
        if lease is None:
            _start(model, state)
            lease = _connected(state)
    if lease is None:
        raise RuntimeError(
            f"The server for {model.label} stopped again. Run the cell again."
        )
    return lease


def _connected(state: Path) -> tuple[socket.socket, str] | None:
    """Return a lease on the server that the state file describes; None: the server has stopped."""
    try:
        value = json.loads(state.read_text("utf-8"))
        lease = socket.create_connection(
            ("127.0.0.1", value["lease"]), timeout=10.0
        )
    except (OSError, ValueError, LookupError):
        return None
    try:
        if lease.recv(1) == READY:
            return lease, str(value["url"])
    except OSError:
        pass
    lease.close()
    return None


def _start(model: ModelFile, state: Path) -> None:
    state.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "coursekit.local_model.serving",
        str(model.path),
        model.name,
        str(state),
    ]
    # The server's threads must not spin between two tokens, and it must not see a key.
    environment = {"OMP_WAIT_POLICY": "PASSIVE"}
    for name, value in os.environ.items():
        if not name.startswith("OPENAI_"):
            environment[name] = value
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        start_new_session=True,
    )
    until = time.monotonic() + STARTED_WITHIN
    while not state.is_file():
        code = process.poll()
        if code == DAMAGED:
            raise DamagedModel(model.path)
        if code is not None or time.monotonic() > until:
            process.kill()
            raise RuntimeError(
                f"The server for {model.label} did not start (exit code {process.wait()}).\n"
                "Test the model with `coursekit local status`, then run the cell again."
            )
        time.sleep(LOOK)
    # The server stops after the last lease ends, and this process does not wait for it.
    process.returncode = 0


def _alive(lease: socket.socket) -> bool:
    """Return whether the other end still exists. It never sends anything, so if there is something
    to read, it has closed.
    """
    lease.setblocking(False)
    try:
        return lease.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _forget() -> None:
    """Drop the leases in a forked process, where they belong to the parent."""
    for lease, _ in _leases.values():
        lease.close()
    _leases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
