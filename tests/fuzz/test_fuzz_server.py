"""Odd requests do not make the server return a 500, hang, or grow. A few hundred are always sent;
``-m fuzz`` sends ten thousand.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from odd_requests import Odd, requests

from support.offline_api import folder_with, params, streamed, whole
from support.served import error_of, read_all, request_bytes
from support.waiting import HANG

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="needs /proc, to see growth"
)


class Process:
    """``coursekit serve`` in its own process, and how much memory it uses."""

    def __init__(self, folder: Path) -> None:
        folder_with(
            folder,
            (params(), whole("Paris.")),
            (params(stream=True), streamed(["Par", "is."])),
        )
        command = [
            sys.executable,
            "-m",
            "coursekit",
            "serve",
            "--port",
            "0",
            "--recordings",
            str(folder),
        ]
        self.process = subprocess.Popen(
            [
                *command,
                "--speed",
                "instant",
                "--rpm",
                "1000000",
                "--tpm",
                "1000000000",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        # type: ignore[index]
        self.port = int(
            re.search(r":(\d+)/v1", self.process.stdout.readline())[1]
        )
        # The access log is not read from here on, which must not matter either.
        self.statuses: Counter[int] = Counter()

    def memory(self) -> float:
        """The resident size in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(
            encoding="utf-8"
        )
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def send(self, odd: Odd) -> None:
        """Send one request on its own connection. The reply must be a proper answer with a status
        below 500, in good time.
        """
        with socket.create_connection(
            ("127.0.0.1", self.port), timeout=HANG
        ) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(odd.raw)
            if not odd.proper:  # the missing part will not arrive
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
            answer = read_all(connection)
        answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not answer:
            assert not odd.proper, "no answer"
            return
        status = int(answer.split(b" ", 2)[1])
        self.statuses[status] += 1
        assert 200 <= status < 500, answer
        if (
            status >= 400
            and not odd.raw.startswith(b"HEAD")
            and answer.count(b"HTTP/1.1 ") == 1
        ):
            error_of(answer)

    def stop(self) -> str:
        """What it wrote to stderr."""
        self.process.terminate()
        return self.process.communicate(timeout=HANG)[1]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    running = Process(tmp_path)
    yield running
    assert running.stop() == "", "it complained"


def fuzz(process: Process, count: int, seed: bool) -> None:
    """``count`` odd requests, which are the same every time unless ``seed`` is given."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=not seed,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )
    @given(requests())
    def each(odd: Odd) -> None:
        process.send(odd)

    each()


def works(process: Process) -> bool:
    with socket.create_connection(
        ("127.0.0.1", process.port), timeout=HANG
    ) as connection:
        connection.sendall(
            request_bytes(params(), more="Connection: close\r\n")
        )
        return b"Paris." in read_all(connection)


def test_odd_requests(process: Process) -> None:
    """Each of three hundred odd requests is answered with a status below 500 or disconnected
    immediately, and the server keeps working.
    """
    fuzz(process, 300, seed=False)
    assert works(process)
    assert {200, 400, 401, 404} <= set(process.statuses), process.statuses


@pytest.mark.fuzz
@pytest.mark.timeout(3000)
def test_ten_thousand_odd_requests(process: Process) -> None:
    """Ten thousand odd requests cause no 500 and no hang, and after the first two thousand, the
    server stops growing.
    """
    fuzz(process, 2000, seed=True)
    memory, files = process.memory(), process.files()
    fuzz(process, 8000, seed=True)
    grown = process.memory() - memory
    print(
        f"{dict(process.statuses)}; {process.memory():.0f} MB, {grown:+.1f} MB after the first "
        f"2000; {files} files"
    )
    assert works(process)
    assert grown < 10 and process.files() <= files + 2


def test_many_slow_clients_at_once(process: Process) -> None:
    """The server keeps serving others while three hundred connections send a byte now and then
    (slowloris).
    """
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(
                socket.create_connection(("127.0.0.1", process.port))
            )
            for _ in range(300)
        ]
        for byte in b"POST /v1":
            for connection in slow:
                connection.sendall(bytes([byte]))
            assert works(process)


def test_a_flood_of_large_bodies(process: Process) -> None:
    """Twenty bodies of 100 MB, announced or not, cost the server hardly any memory."""
    before = process.memory()
    piece = b" " * 1_000_000
    for number in range(20):
        chunked = number % 2
        announced = (
            "Transfer-Encoding: chunked"
            if chunked
            else "Content-Length: 100000000"
        )
        with socket.create_connection(
            ("127.0.0.1", process.port), timeout=HANG
        ) as connection:
            connection.sendall(
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{announced}\r\n\r\n".encode()
            )
            with contextlib.suppress(ConnectionError):
                for _ in range(100 if number < 2 else 20):
                    connection.sendall(
                        b"f4240\r\n" + piece + b"\r\n" if chunked else piece
                    )
                connection.shutdown(socket.SHUT_WR)
                assert (
                    json.loads(read_all(connection).partition(b"\r\n\r\n")[2])[
                        "error"
                    ]["code"]
                    == "body_too_large"
                )
    assert works(process) and process.memory() - before < 60
