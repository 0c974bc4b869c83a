"""A JupyterHub as deploy/ sets it up, on free ports on this machine, with its folder where every
user can reach it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from support.ports import free_port

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "jupyterhub_config.py"
PASSWORD = "the class's word"
ADMIN_PASSWORD = "the teacher's much longer password"
ANY_USER = 20_001
START = 300.0  # seconds, which only a hang takes


def missing() -> str:
    """Why a hub cannot run here, or "" if it can."""
    if find_spec("jupyterhub") is None:
        return "jupyterhub is not here (it is the extra hub)"
    if not shutil.which("configurable-http-proxy"):
        return (
            "configurable-http-proxy is not in PATH (npm install --global "
            "configurable-http-proxy@5.3)"
        )
    if os.getuid() == 0:
        try:
            subprocess.run(
                [sys.executable, "-c", ""],
                user=ANY_USER,
                group=ANY_USER,
                extra_groups=[],
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return f"other users may not run {sys.executable}; an environment in /srv or /opt would do"
    return ""


@dataclass
class Hub:
    """A hub with its folder, which can be stopped and restarted on the same ports."""

    folder: Path
    more: dict[str, str]
    ports: tuple[int, int, int]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def learners(self) -> Path:
        return self.folder / "learners"

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def start(self) -> None:
        _, hub, proxy = self.ports
        environment = (
            os.environ
            | {
                "COURSEKIT_HUB_PASSWORD": PASSWORD,
                "COURSEKIT_HUB_ADMIN_PASSWORD": ADMIN_PASSWORD,
                "COURSEKIT_HUB_FOLDER": str(self.folder),
                "COURSEKIT_HUB_URL": self.url,
                "OPENAI_API_KEY": "sk-teachers",
            }
            | self.more
        )
        command = [
            sys.executable,
            "-m",
            "jupyterhub",
            f"--config={CONFIG}",
            f"--JupyterHub.hub_port={hub}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{proxy}",
        ]
        with (self.folder / "hub.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START
        while time.monotonic() < end and self.process.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/hub/health", timeout=5),
            ):
                return
            time.sleep(0.2)
        raise RuntimeError(f"The hub did not answer:\n{self.log[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)

    def processes(self, name: str) -> list[psutil.Process]:
        """The processes of a learner's server and of everything it started, by their working
        directory.
        """
        home = str(self.learners / name)
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("HOME") == home:
                    found.append(process)
        return found

    def memory(self, name: str) -> tuple[float, float]:
        """A learner's memory in MiB: resident, and the part that would be freed if they left
        (unique set size).
        """
        used = []
        for process in self.processes(name):
            with contextlib.suppress(psutil.Error):
                used.append(process.memory_full_info())
        return sum(each.rss for each in used) / 2**20, sum(
            each.uss for each in used
        ) / 2**20


@contextlib.contextmanager
def hub_running(**more: str) -> Iterator[Hub]:
    """A new hub. At the end, the hub, its proxy, and every learner's processes have been stopped.
    ``more`` is added to its environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="hub-"))
    folder.chmod(0o755)  # pytest's own folders are closed to other users
    hub = Hub(folder, more, (free_port(), free_port(), free_port()))
    try:
        hub.start()
        yield hub
    finally:
        hub.stop()
        for home in hub.learners.iterdir() if hub.learners.exists() else []:
            for process in hub.processes(home.name):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        _stop_proxy(folder / "hub" / "proxy.pid")
        shutil.rmtree(folder, ignore_errors=True)


def _stop_proxy(written: Path) -> None:
    # already gone if the hub could stop it
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(written.read_text()), signal.SIGTERM)
