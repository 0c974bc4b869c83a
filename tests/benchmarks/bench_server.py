"""How much load ``coursekit serve`` can take, compared in the same run with a minimal Starlette app
on uvicorn that returns canned bytes.

    .venv/bin/python tests/benchmarks/bench_server.py [--rounds 5] [--seconds 2]      (needs wrk)

Both servers run at the same time, each in its own process, on uvloop and httptools. wrk alternates
between them, and the output shows the median of the per-round ratios with their range. Each round
waits up to a minute for a quiet moment. Our server has everything switched on: 50 learners' keys,
rate limits, tally, ledger, and access log. The minimal app reads the request to see whether it asks
for a stream, and sends a stream event by event; with --floor blind, it does not even read the
request. Paced streams have 201 events, 10 ms apart. The client measures lateness from the moment it
sent its request.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
from bench_servers import answers  # noqa: E402
from server_load import lateness, percentile, streams, stretch  # noqa: E402

from coursekit.offline.recordings import Recordings  # noqa: E402
from support.offline_api import WRITTEN, params, request  # noqa: E402

LEARNERS, PROMPTS = 50, 20


def bodies(stream: bool) -> list[dict[str, Any]]:
    more = {"stream": True} if stream else {}
    return [
        params(f"Question number {i}: what is a context window?", **more)
        for i in range(PROMPTS)
    ]


HEADERS = """\
Host: 127.0.0.1\r\nAccept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r
X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 3.54.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r
X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\nX-Stainless-Retry-Count: 0\r
Authorization: Bearer sk-learner-%d\r\nContent-Length: %d\r\n"""


def raw(body: dict[str, Any], learner: int = 0) -> bytes:
    text = json.dumps(body)
    return f"POST /v1/chat/completions HTTP/1.1\r\n{HEADERS % (learner, len(text))}\r\n{text}".encode()


def lua(folder: Path, name: str, stream: bool) -> Path:
    """A wrk script that sends all prompts with all learners' keys in turn."""
    requests = [
        raw(body, n)
        for n in range(LEARNERS)
        for body in bodies(stream)[n % 4 :: 4]
    ]
    quoted = ",\n".join(
        '"' + "".join(f"\\{byte:03d}" for byte in text) + '"'
        for text in requests
    )
    path = folder / f"{name}.lua"
    path.write_text(
        f"local all = {{{quoted}}}\nlocal i = 0\nfunction request() i = i % #all + 1 return "
        "all[i] end\n"
    )
    return path


def quiet(longest: float = 60.0) -> float:
    """Wait until the machine is nearly idle, but not longer than a minute. Returns the idle share
    of its CPU.
    """
    end = time.monotonic() + longest
    while True:
        before = _idle()
        time.sleep(0.3)
        after = _idle()
        share = (after[0] - before[0]) / max(1, after[1] - before[1])
        if share > 0.85 or time.monotonic() > end:
            return share


def _idle() -> tuple[int, int]:
    ticks = [
        int(n)
        for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ]
    return ticks[3] + ticks[4], sum(ticks)


class Served:
    """A server in its own process."""

    def __init__(self, which: str, folder: Path, speed: str) -> None:
        command = [
            sys.executable,
            str(HERE.with_name("bench_servers.py")),
            which,
            str(folder),
            speed,
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=None, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def memory(self, kind: str = "VmHWM") -> float:
        """The resident size in megabytes, by default the largest so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def processor(self) -> float:
        """The seconds of CPU time so far."""
        parts = (
            Path(f"/proc/{self.process.pid}/stat")
            .read_text()
            .rpartition(")")[2]
            .split()
        )
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def wrk(
    server: Served, script: Path, clients: int, seconds: float
) -> dict[str, float]:
    """Requests per second, latencies in ms, errors, and the microseconds of the server's CPU time
    for each request.
    """
    before = server.processor()
    command = [
        "wrk",
        "-t1",
        f"-c{clients}",
        f"-d{seconds}s",
        "--latency",
        "--timeout",
        "10s",
        "-s",
        str(script),
    ]
    out = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    done = int(re.search(r"(\d+) requests in", out)[1])  # type: ignore[index]
    unit = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
    shares = {
        s: float(v) * unit[u]
        for s, v, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", out)
    }
    errors = sum(
        map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", out))
    )
    errors += (
        int(found[1])
        if (found := re.search(r"Non-2xx or 3xx responses: (\d+)", out))
        else 0
    )
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])  # type: ignore[index]
    cpu = (server.processor() - before) / max(1, done) * 1e6
    return {
        "rate": rate,
        "p50": shares.get("50", 0),
        "p99": shares.get("99", 0),
        "errors": errors,
        "cpu": cpu,
    }


def compare(
    name: str,
    floor: Served,
    ours: Served,
    script: Path,
    clients: int,
    rounds: int,
    seconds: float,
) -> None:
    measured: dict[str, list[dict[str, float]]] = {"floor": [], "ours": []}
    for turn in range(rounds):
        quiet()
        pair = [("floor", floor), ("ours", ours)]
        for which, server in pair if turn % 2 else reversed(pair):
            measured[which].append(wrk(server, script, clients, seconds))
    middle = {
        k: {x: statistics.median(m[x] for m in runs) for x in runs[0]}
        for k, runs in measured.items()
    }
    ratios = sorted(
        o["rate"] / f["rate"]
        for o, f in zip(measured["ours"], measured["floor"], strict=True)
    )
    a, b = middle["floor"], middle["ours"]
    errors = sum(m["errors"] for m in measured["ours"])
    row = [
        f"{name:5} {clients:4} clients",
        f"floor {a['rate']:6.0f}/s {a['cpu']:5.0f} µs",
        f"ours {b['rate']:6.0f}/s {b['cpu']:5.0f} µs",
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})",
        f"of cpu {a['cpu'] / b['cpu']:.2f}",
        f"p50 {b['p50']:.1f} p99 {b['p99']:.1f} ms (floor's {a['p50']:.1f}, {a['p99']:.1f})",
        f"errors {errors:.0f}",
        f"{ours.memory('VmRSS'):.0f} MB",
    ]
    print("   ".join(row), flush=True)


def paced(server: Served, clients: int, within: float) -> None:
    offsets = [event.at for event in answers()[1].events or ()]
    idle = quiet()
    before, start = server.processor(), time.perf_counter()
    seen = uvloop.run(
        streams(server.port, raw(bodies(True)[0]), clients, within)
    )
    wall, cpu = time.perf_counter() - start, server.processor() - before
    broken = sum(
        not s.whole or sum(n for _, n in s.reads) != len(offsets) for s in seen
    )
    late = [1000 * second for s in seen for second in lateness(s, offsets)]
    stretches = [stretch(s, offsets) for s in seen if s.whole]
    row = [
        f"paced {clients:4} streams within {within:g} s",
        f"stretch {statistics.median(stretches):.3f} (worst {max(stretches):.3f})",
        (
            f"lateness p50 {percentile(late, 0.5):5.1f} p99 {percentile(late, 0.99):5.1f} max "
            f"{max(late):5.0f} ms"
        ),
        f"broken {broken}",
        f"writes/stream {statistics.mean(len(s.reads) for s in seen):.0f} of {len(offsets)} events",
        f"cpu {cpu / wall:4.0%} {cpu / clients / len(offsets) * 1e6:4.1f} µs/event",
        f"{server.memory():.0f} MB",
        f"(machine {1 - idle:.0%} busy before)",
    ]
    print("   ".join(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--floor", choices=["floor", "blind"], default="floor")
    parser.add_argument("--only", choices=["json", "sse", "paced"])
    parser.add_argument(
        "--clients", type=int, nargs="*", default=[1, 10, 50, 100, 200, 500]
    )
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("bench_server needs wrk (apt-get install wrk).")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recordings, (answer, stream) = Recordings([folder]), answers()
        for body in bodies(False):
            recordings.store(request(body), answer, WRITTEN)
        for body in bodies(True):
            recordings.store(request(body), stream, WRITTEN)
        print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
        for kind in ("json", "sse"):
            if asked.only in (None, kind):
                one, other = (
                    Served(asked.floor, folder, "instant"),
                    Served("ours", folder, "instant"),
                )
                try:
                    script = lua(folder, kind, kind == "sse")
                    for clients in asked.clients:
                        compare(
                            kind,
                            one,
                            other,
                            script,
                            clients,
                            asked.rounds,
                            asked.seconds,
                        )
                finally:
                    one.stop(), other.stop()
        if asked.only in (None, "paced"):
            for clients in asked.clients:
                for within in (1.0, 0.0):
                    # a new process, so that its memory is only for this load
                    server = Served("ours", folder, "1")
                    try:
                        paced(server, clients, within)
                    finally:
                        server.stop()


if __name__ == "__main__":
    main()
