"""Finds the process that serves the small model, or starts it: one for all of a user's kernels.

This process keeps a lease on it (see ``serving``) until it ends.
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

STARTED_WITHIN = 300.0  # seconds; a large model is read from a slow disk
LOOK = 0.02  # seconds between two looks at a server that is starting
_leases: dict[Path, tuple[socket.socket, str]] = {}
_lock = threading.Lock()


def address_of(model: ModelFile) -> str:
    """The base address of the server that runs this model, such as "http://127.0.0.1:45123/v1".

    Starts the server if there is none. Raises DamagedModel, or RuntimeError if it does not start.
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
    """A lease on the server that the state file describes; None: it has ended."""
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
    # Its threads must not spin between two tokens, and it must not see a key.
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
    # It ends after the last lease, and this process does not wait for it.
    process.returncode = 0


def _alive(lease: socket.socket) -> bool:
    """Whether the other end exists: it never sends anything, so anything to read means its end."""
    lease.setblocking(False)
    try:
        return lease.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def _forget() -> None:
    """Drops the leases in a forked process, where they are the parent's."""
    for lease, _ in _leases.values():
        lease.close()
    _leases.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
