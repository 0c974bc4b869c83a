"""From a clone to the first reply on a bare machine: time and bytes, and then the same without a
network.

    .venv/bin/python tests/benchmarks/bench_fresh_machine.py [--pip] [--keep FOLDER]

The machine has a clean clone, an empty home folder, empty caches, and only PATH in its environment.
`make lab` runs until JupyterLab answers; then a kernel is started and gets its first reply. This is
repeated for the second start. Then, in a network namespace without a route (Linux), `make lab` and
chapter 01's test run again. The installers use a proxy on this machine, which counts the bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient

ROOT = Path(__file__).resolve().parents[2]
ASK = """from coursekit import connect, models
question = {"role": "user", "content": "What does API stand for? Answer in one sentence."}
print(connect().chat.completions.create(model=models.CHAT, messages=[question]).choices[0].message.content)"""
NO_ROUTE = [
    "unshare",
    "--map-root-user",
    "--net",
    "sh",
    "-c",
    'ip link set lo up; exec "$@"',
    "sh",
]


class Counter(socketserver.ThreadingTCPServer):
    """A CONNECT proxy that forwards everything and counts the downloaded bytes."""

    daemon_threads = allow_reuse_address = True
    came = 0

    class RequestHandlerClass(socketserver.StreamRequestHandler):  # type: ignore[assignment]
        def handle(self) -> None:
            host, _, port = (
                self.rfile.readline().split()[1].decode().rpartition(":")
            )
            while self.rfile.readline().strip():
                pass
            with socket.create_connection((host, int(port))) as there:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                up = threading.Thread(
                    target=self.copy, args=(self.connection, there), daemon=True
                )
                up.start()
                self.copy(there, self.connection, count=True)

        def copy(
            self,
            source: socket.socket,
            target: socket.socket,
            count: bool = False,
        ) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    if count:
                        self.server.came += len(data)  # type: ignore[attr-defined]
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)
        threading.Thread(target=self.serve_forever, daemon=True).start()


@contextlib.contextmanager
def lab(course: Path, env: dict[str, str], *around: str) -> Iterator[None]:
    """Run `make lab` until it answers and a kernel has its first reply, and print when that was."""
    port, token = 20000 + secrets.randbelow(20000), secrets.token_hex(8)
    begun = time.monotonic()
    more = f"--no-browser --port={port} --ServerApp.port_retries=0 --IdentityProvider.token={token}"
    command = [*around, "make", "lab", f"ARGS={more}"]
    process = subprocess.Popen(
        command,
        cwd=course,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        inside = around and [
            "nsenter",
            f"--target={namespace(process)}",
            "--user",
            "--net",
            "--preserve-credentials",
        ]
        asked = [
            *inside,
            sys.executable,
            __file__,
            "--ask",
            str(port),
            token,
            env["HOME"],
        ]
        said = subprocess.run(
            asked, capture_output=True, text=True, check=False
        )
        print(
            re.sub(
                r"(\d+\.\d)",
                lambda at: f"{float(at[1]) - begun:.1f} s",
                said.stdout,
            )
            + said.stderr,
            end="",
            flush=True,
        )
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def namespace(process: subprocess.Popen[bytes]) -> int:
    time.sleep(1)  # unshare replaces itself, so the process is the one inside
    return process.pid


def ask(port: str, token: str, home: str) -> None:
    """Wait for JupyterLab, start a kernel through its API, send a request from the kernel, and
    print the time at each step.
    """
    url = f"http://127.0.0.1:{port}/api"
    headers = {"Authorization": f"token {token}"}
    open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
    for _ in range(6000):
        with contextlib.suppress(OSError):
            open_url(
                urllib.request.Request(f"{url}/status", headers=headers),
                timeout=5,
            ).close()
            break
        time.sleep(0.1)
    print(f"  JupyterLab answers after {time.monotonic():.1f}")
    with open_url(
        urllib.request.Request(f"{url}/kernels", b"{}", headers), timeout=60
    ) as answer:
        kernel = json.load(answer)["id"]
    client = BlockingKernelClient()
    client.load_connection_file(
        f"{home}/.local/share/jupyter/runtime/kernel-{kernel}.json"
    )
    client.start_channels()
    client.wait_for_ready(60)
    client.execute_interactive(
        ASK,
        timeout=60,
        output_hook=lambda m: print(" ", m["content"].get("text", ""), end=""),
    )
    print(f"  and that was the first reply, after {time.monotonic():.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--pip",
        action="store_true",
        help="uv is cut out of the lock: pip installs everything",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="where the clone stays; it must not be there yet",
    )
    parser.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ask:
        ask(*asked.ask)
        return
    folder = asked.keep or Path(tempfile.mkdtemp())
    home, course, counter = folder / "home", folder / "course", Counter()
    home.mkdir(parents=True)
    subprocess.run(
        ["git", "clone", "--quiet", str(ROOT), str(course)], check=True
    )
    if asked.pip:
        lock = (course / "requirements.lock").read_text()
        (course / "requirements.lock").write_text(
            re.sub(r"^uv==(.*\n)(    .*\n)*", "", lock, flags=re.MULTILINE)
        )
    env = {
        "HOME": str(home),
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    }
    through = {"HTTPS_PROXY": f"http://127.0.0.1:{counter.server_address[1]}"}
    print(
        (
            f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; "
            f"{'pip' if asked.pip else 'uv'}"
        ),
        flush=True,
    )
    with lab(course, env | through):
        pass
    sizes = [
        int(
            subprocess.run(
                ["du", "-sm", str(p)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()[0]
        )
        for p in (course / ".venv", home)
    ]
    print(
        f"  {counter.came / 1e6:.0f} MB came down; .venv has {sizes[0]} MiB, the home with its "
        f"caches {sizes[1]} MiB"
    )
    print("the second start")
    with lab(course, env):
        pass
    print("without a route")
    with lab(course, env, *NO_ROUTE):
        pass
    test = [*NO_ROUTE, ".venv/bin/coursekit", "test", "01"]
    ran = subprocess.run(
        test, cwd=course, env=env, capture_output=True, text=True, check=False
    )
    print(" ", ran.stdout.strip().splitlines()[-1])
    if not asked.keep:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
