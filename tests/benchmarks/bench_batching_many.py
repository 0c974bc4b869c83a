"""What run_batch costs on top of ``asyncio.gather`` and a Semaphore, over the same transport, at
speed "instant".

    .venv/bin/python tests/benchmarks/bench_batching_many.py [--requests 10000] [--rounds 3]

The two take turns in one process; the output shows the median ratio of their CPU times. Memory is
the growth of the largest resident size, measured in a separate process for each, with the results
still referenced.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit import run_batch
from support.batching_stand_in import client_of
from support.offline_api import whole

SLOTS = 100


def prompts(count: int) -> list[str]:
    return [
        f"Question number {i}: what is a rate limit, and how do I keep to it?"
        for i in range(count)
    ]


async def bare(client: Any, count: int, file: str | None = None) -> int:
    gate, asked = asyncio.Semaphore(SLOTS), client.with_options(max_retries=0)

    async def one(prompt: str) -> Any:
        async with gate:
            return await asked.chat.completions.create(
                model="gpt-4o",
                messages=[{"role": "user", "content": prompt}],
                max_completion_tokens=50,
            )

    return len(await asyncio.gather(*map(one, prompts(count))))


async def ours(client: Any, count: int, file: str | None = None) -> int:
    options: dict[str, Any] = {
        "model": "gpt-4o",
        "max_completion_tokens": 50,
        "checkpoint": file,
    }
    results = await run_batch(
        client,
        prompts(count),
        rpm=1e9,
        tpm=1e12,
        max_concurrency=SLOTS,
        **options,
    )
    assert results.stopped is None
    return len(results.answered)


HOW = {"bare": bare, "ours": ours, "kept": ours}


def once(how: str, count: int) -> tuple[float, float]:
    """The seconds of CPU time, and the megabytes by which the largest resident size grew."""

    async def go() -> tuple[float, float]:
        client, answers = client_of(lambda *_: whole())
        same = whole()
        answers.answer = lambda request: same  # type: ignore[method-assign]
        await HOW[how](client, 200)
        gc.collect()
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/answers.db" if how == "kept" else None
            before, start = (
                resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                time.process_time(),
            )
            assert await HOW[how](client, count, file) == count
            took = time.process_time() - start
        return took, (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        ) / 1024

    return asyncio.run(go())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", choices=HOW)
    asked = parser.parse_args()
    if asked.memory:
        print(*once(asked.memory, asked.requests))
        return
    for how in HOW:
        command = [
            sys.executable,
            __file__,
            "--memory",
            how,
            "--requests",
            str(asked.requests),
        ]
        took, grown = map(
            float,
            subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.split(),
        )
        print(
            (
                f"{how}: {asked.requests:,} requests in {took:.1f} s of processor time, "
                f"{grown:.0f} "
                "MB more"
            ),
            flush=True,
        )
    runs = {how: [once(how, asked.requests // 5)[0] for _ in ()] for how in HOW}
    for turn in range(asked.rounds):
        for how in HOW if turn % 2 else reversed(HOW):
            runs[how].append(once(how, asked.requests // 5)[0])
    for how in ("ours", "kept"):
        ratios = sorted(
            one / floor
            for one, floor in zip(runs[how], runs["bare"], strict=True)
        )
        print(
            f"{how} / bare: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


if __name__ == "__main__":
    main()
