"""Start the course's JupyterLab as a learner does, for tests: on a free port, and without a trace
in the home folder.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.ports import free_port
from support.waiting import HANG

# `coursekit lab`, with kernels that are forked.
WARM = f"""import sys
sys.path.append({str(Path(__file__).parents[1])!r})
from coursekit.__main__ import main
from support.warm_kernels import fork_kernels
fork_kernels()
sys.exit(main(sys.argv[1:]))"""
PATIENCE = HANG  # until the server must answer


@dataclass(frozen=True)
class LabServer:
    """A running JupyterLab: ``url`` without a slash at the end, ``token``, the folder that it
    serves, and its process.
    """

    url: str
    token: str
    root: Path
    pid: int

    def get(self, path: str, *, token: bool = True) -> bytes:
        """The body of a GET; raises urllib.error.HTTPError."""
        headers = {"Authorization": f"token {self.token}"} if token else {}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=headers),
            timeout=HANG,
        ) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def lab_server(
    root: Path, home: Path, *, warm: bool = False
) -> Iterator[LabServer]:
    """Run ``coursekit lab`` with the notebooks in ``root``. Settings, workspaces, and logs go to
    ``home``.

    warm  whether kernels are forked; otherwise they start as they do for a learner
    """
    port = free_port()
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_TOKEN": token,
        "COURSEKIT_PROGRESS": str(home / "progress.json"),
    }
    command = [
        sys.executable,
        *(["-c", WARM] if warm else ["-m", "coursekit"]),
        "lab",
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={root}",
        "--expose-app-in-browser",
    ]
    log = home / "lab.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
    server = LabServer(f"http://127.0.0.1:{port}", token, root, process.pid)
    try:
        _wait(server, process, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(
    server: LabServer, process: subprocess.Popen[bytes], log: Path
) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            server.get("/api/status")
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not answer:\n{log.read_text()[-2000:]}")
