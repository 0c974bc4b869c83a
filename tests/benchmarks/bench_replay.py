"""What replay costs, against ``httpx2.MockTransport`` returning the same bytes, measured in one
run.

    .venv/bin/python tests/benchmarks/bench_replay.py [--rounds 15]

The first part measures the CPU time of blocks of calls. MockTransport and replay take turns, block
by block, in the same process, and the output shows the median of the per-round ratios with their
quartiles. At speed "instant", nothing waits. The second part replays a recorded stream in real time
and compares each arrival with its schedule.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit import connect, connect_async
from coursekit.offline.exchange import ApiAnswer, Event, sse
from coursekit.offline.recordings import Recordings
from support.offline_api import WRITTEN, chunk, params, request, streamed, whole

CALLS = 60


def shelf(
    folder: Path, size: int, answer: ApiAnswer, **more: Any
) -> list[dict[str, Any]]:
    """Make ``size`` recordings of distinct prompts. Returns the parameters of CALLS of them."""
    recordings = Recordings([folder])
    bodies = [
        params(f"Question number {i}: what is the capital of France?", **more)
        for i in range(size)
    ]
    for body in bodies:
        recordings.store(request(body), answer, WRITTEN)
    return [bodies[i * size // CALLS % size] for i in range(CALLS)]


def mock(
    answer: ApiAnswer, client: Any, body: dict[str, Any]
) -> Callable[[httpx2.Request], httpx2.Response]:
    """A handler that returns what ``client``'s offline API returns: the same bytes with the same
    headers.
    """
    served = client._client._transport.api.answer(request(body))
    content = (
        served.body
        if served.events is None
        else b"".join(event.data for event in served.events)
    )
    return lambda _: httpx2.Response(
        200, headers=served.headers, content=content
    )


def compare(
    base: Callable[[], None],
    ours: Callable[[], None],
    rounds: int,
    calls: int = CALLS,
) -> tuple[list[float], float]:
    """The ratio of CPU times in each round, and the median number of microseconds added to a
    call.
    """
    base(), ours()
    ratios, added = [], []
    for turn in range(rounds):
        times = {}
        for run in (base, ours) if turn % 2 else (ours, base):
            gc.collect()
            start = time.process_time()
            run()
            times[run] = time.process_time() - start
        ratios.append(times[ours] / times[base])
        added.append((times[ours] - times[base]) / calls * 1e6)
    return ratios, statistics.median(added)


def row(name: str, measured: tuple[list[float], float]) -> None:
    ratios, added = measured
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(
        f"{name:42} {middle:5.2f}x  ({low:.2f}-{high:.2f})  {added:+7.0f} µs a call"
    )


def floor(
    answer: ApiAnswer, client: openai.OpenAI, body: dict[str, Any]
) -> openai.OpenAI:
    """The SDK over MockTransport, with the answers that ``client`` gets."""
    transport = httpx2.MockTransport(mock(answer, client, body))
    return openai.OpenAI(
        api_key="x", http_client=openai.DefaultHttpx2Client(transport=transport)
    )


def sync_rows(rounds: int) -> None:
    answer = whole("Paris is the capital of France.")
    for size in (10, 100, 1000):
        with tempfile.TemporaryDirectory() as folder:
            bodies = shelf(Path(folder), size, answer)
            client = connect("replay", recordings=folder, speed="instant")
            base = floor(answer, client, bodies[0])

            def run(
                one: openai.OpenAI, bodies: list[dict[str, Any]] = bodies
            ) -> None:
                for body in bodies:
                    one.chat.completions.create(**body)

            row(
                f"sync, {size} recordings",
                compare(partial(run, base), partial(run, client), rounds),
            )
            if size == 1000:
                row(
                    "  control: the floor against itself",
                    compare(partial(run, base), partial(run, base), rounds),
                )


def form_rows(rounds: int) -> None:
    """Requests that differ from their recordings: with defaults that frameworks send, and as
    streams of answers that were recorded complete.
    """
    answer = whole("Paris is the capital of France.")
    with tempfile.TemporaryDirectory() as folder:
        bodies = shelf(Path(folder), 100, answer)
        client = connect("replay", recordings=folder, speed="instant")
        cases: dict[str, dict[str, Any]] = {
            "sync, defaults and a user sent too": {
                "stream": False,
                "n": 1,
                "user": "u",
            },
            "sync, recorded whole, 9-chunk stream": {"stream": True},
        }
        for name, more in cases.items():
            base = floor(answer, client, {**bodies[0], **more})

            def run(one: openai.OpenAI, more: dict[str, Any] = more) -> None:
                for body in bodies:
                    reply = one.chat.completions.create(**body, **more)
                    if more["stream"]:
                        assert sum(1 for _ in reply) == 9

            row(name, compare(partial(run, base), partial(run, client), rounds))


def async_rows(rounds: int) -> None:
    answer = whole("Paris is the capital of France.")
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        bodies = shelf(Path(folder), 100, answer)
        client = connect_async("replay", recordings=folder, speed="instant")
        transport = httpx2.MockTransport(mock(answer, client, bodies[0]))
        base = openai.AsyncOpenAI(
            api_key="x",
            http_client=openai.DefaultAsyncHttpx2Client(transport=transport),
        )

        def run(one: openai.AsyncOpenAI) -> None:
            async def main() -> None:
                await asyncio.gather(
                    *[one.chat.completions.create(**body) for body in bodies]
                )

            runner.run(main())

        row(
            f"async, {CALLS} at once, 100 recordings",
            compare(partial(run, base), partial(run, client), rounds),
        )


def stream_rows(rounds: int) -> None:
    answer = streamed([f"word{i} " for i in range(200)], first=0.0, gap=0.0)
    with tempfile.TemporaryDirectory() as folder:
        bodies = shelf(Path(folder), 100, answer, stream=True)[:5]
        client = connect("replay", recordings=folder, speed="instant")
        base = floor(answer, client, bodies[0])

        def run(one: openai.OpenAI) -> None:
            for body in bodies:
                assert (
                    sum(1 for _ in one.chat.completions.create(**body)) == 203
                )

        row(
            "200-chunk stream",
            compare(partial(run, base), partial(run, client), rounds, calls=5),
        )


def timing() -> None:
    """A stream with 201 events over about 2.5 s and a stall of 0.4 s, replayed at speed 1."""
    offsets = [0.38]
    for i in range(1, 201):
        offsets.append(
            offsets[-1]
            + (
                0.4
                if i == 120
                else 0.004 + 0.013 * (i % 3 == 0) + 0.002 * (i % 5)
            )
        )
    events = [
        Event(round(at, 4), sse(chunk({"content": f"w{i} "})))
        for i, at in enumerate(offsets)
    ]
    answer = ApiAnswer(
        200,
        {"content-type": "text/event-stream"},
        events=tuple(events),
        after=0.3,
    )
    with tempfile.TemporaryDirectory() as folder:
        [body] = shelf(Path(folder), 1, answer, stream=True)[:1]
        for kind in ("sync", "async"):
            arrivals = arrived(kind, folder, body)
            errors = [
                abs(seen - due.at) * 1000
                for seen, due in zip(arrivals, events, strict=True)
            ]
            stall = max(b - a for a, b in itertools.pairwise(arrivals))
            print(
                f"timing, {kind:5}: {len(arrivals)} of {len(events)} chunks, "
                f"total {arrivals[-1] / offsets[-1] - 1:+.2%} of {offsets[-1]:.2f} s, "
                f"longest gap {stall:.3f} s (recorded 0.400), "
                f"error of arrival median {statistics.median(errors):.2f} ms, max "
                f"{max(errors):.1f} ms"
            )


def arrived(kind: str, folder: str, body: dict[str, Any]) -> list[float]:
    if kind == "sync":
        client = connect("replay", recordings=folder, speed=1.0)
        start = time.perf_counter()
        return [
            time.perf_counter() - start
            for _ in client.chat.completions.create(**body)
        ]

    async def main() -> list[float]:
        client = connect_async("replay", recordings=folder, speed=1.0)
        start = time.perf_counter()
        return [
            time.perf_counter() - start
            async for _ in await client.chat.completions.create(**body)
        ]

    return asyncio.run(main())


def imports(rounds: int) -> None:
    """The CPU time of fresh interpreters: ``import coursekit`` compared with ``import openai``."""

    def seconds(code: str) -> float:
        probe = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
        return float(
            subprocess.run(
                [sys.executable, "-c", probe],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )

    # type: ignore[var-annotated]
    cases = {
        "import coursekit": [],
        "import openai; from coursekit import connect, Meter, stream_text": [],
    }
    for _ in range(rounds):
        floor = seconds("import openai")
        for code, ratios in cases.items():
            ratios.append(seconds(code) / floor)
    for code, ratios in cases.items():
        print(
            f"{code}: {statistics.median(ratios):.3f}x of import openai "
            f"({min(ratios):.3f}-{max(ratios):.3f})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(
        json.dumps(
            {
                "openai": openai.__version__,
                "python": sys.version.split()[0],
                "rounds": rounds,
            }
        )
    )
    sync_rows(rounds)
    form_rows(rounds)
    async_rows(rounds)
    stream_rows(rounds)
    imports(max(5, rounds // 3))
    timing()
