"""How long run_batch and its alternatives take for 200 requests under a limit, compared with the
shortest time that the limit allows.

    .venv/bin/python tests/benchmarks/bench_batching.py [--only WORD]      (needs aiolimiter)

The offline server runs in a separate process, in real time. Each run has its own account with LEFT
requests left in its minute, like an account in use. (A fresh account with 600 requests per minute
would accept all 200 immediately, and there would be nothing to measure.) Shortest time = (requests
- LEFT) / rate + latency. The output shows answers, requests on the wire, 429s, and wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import openai
from batching_server import (
    LATENCY,
    LEFT,
    LOWERED_AFTER,
    MODEL,
    REQUESTS,
    RPM,
    TOKEN,
    TOKENS,
    TPM,
)

from coursekit.batching import run_batch

HERE = Path(__file__).resolve()
Strategy = Callable[[openai.AsyncOpenAI, list[dict[str, Any]]], Awaitable[int]]


def bodies() -> list[dict[str, Any]]:
    asked = [
        f"Question number {i}: what is a rate limit?" for i in range(REQUESTS)
    ]
    return [
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "max_completion_tokens": TOKENS,
        }
        for text in asked
    ]


def ours(**options: Any) -> Strategy:
    async def send(
        client: openai.AsyncOpenAI, requests: list[dict[str, Any]]
    ) -> int:
        return len(
            (
                await run_batch(client, requests, progress=False, **options)
            ).answered
        )

    return send


def semaphore(slots: int, retries: int) -> Strategy:
    """The batch_completions of many tutorials, except that it counts failures instead of raising
    them.
    """

    async def send(
        client: openai.AsyncOpenAI, requests: list[dict[str, Any]]
    ) -> int:
        gate, asked = (
            asyncio.Semaphore(slots),
            client.with_options(max_retries=retries),
        )

        async def one(body: dict[str, Any]) -> Any:
            async with gate:
                return await asked.chat.completions.create(**body)

        replies = await asyncio.gather(
            *map(one, requests), return_exceptions=True
        )
        return sum(not isinstance(reply, BaseException) for reply in replies)

    return send


def limiter(rate: float, seconds: float) -> Strategy:
    """aiolimiter's leaky bucket before each request, followed by the SDK's retries."""

    async def send(
        client: openai.AsyncOpenAI, requests: list[dict[str, Any]]
    ) -> int:
        from aiolimiter import AsyncLimiter

        bucket = AsyncLimiter(rate, seconds)

        async def one(body: dict[str, Any]) -> Any:
            async with bucket:
                pass
            return await client.chat.completions.create(**body)

        replies = await asyncio.gather(
            *map(one, requests), return_exceptions=True
        )
        return sum(not isinstance(reply, BaseException) for reply in replies)

    return send


def cookbook(
    rpm: float, tpm: float, tokens: float, attempts: int = 5
) -> Strategy:
    """The algorithm of the OpenAI cookbook's api_request_parallel_processor.py, rewritten: capacity
    starts full and refills over time, each 429 causes a 15-second pause, and there are five
    attempts.
    """

    async def send(
        client: openai.AsyncOpenAI, requests: list[dict[str, Any]]
    ) -> int:
        asked = client.with_options(max_retries=0)
        waiting = [(body, attempts) for body in requests]
        again: list[tuple[dict[str, Any], int]] = []
        left_requests, left_tokens, at = rpm, tpm, time.monotonic()
        refused_at, answered, tasks = -1e9, 0, set()

        async def one(body: dict[str, Any], chances: int) -> None:
            nonlocal refused_at, answered
            try:
                await asked.chat.completions.create(**body)
                answered += 1
            except openai.OpenAIError as error:
                if isinstance(error, openai.RateLimitError):
                    refused_at = time.monotonic()
                if chances > 1:
                    again.append((body, chances - 1))

        while waiting or again or tasks:
            now = time.monotonic()
            left_requests = min(rpm, left_requests + (now - at) * rpm / 60)
            left_tokens = min(tpm, left_tokens + (now - at) * tpm / 60)
            at = now
            queue = again or waiting
            if queue and left_requests >= 1 and left_tokens >= tokens:
                left_requests, left_tokens = (
                    left_requests - 1,
                    left_tokens - tokens,
                )
                task = asyncio.create_task(one(*queue.pop(0)))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.001)
            if (pause := refused_at + 15 - time.monotonic()) > 0:
                await asyncio.sleep(pause)
        return answered

    return send


RUNS: list[tuple[str, str, Strategy]] = [
    ("requests", "run_batch(rpm=600)", ours(rpm=RPM)),
    ("requests", "run_batch(), limits learnt", ours()),
    ("requests", "aiolimiter, 10 a second", limiter(RPM / 60, 1)),
    ("requests", "aiolimiter, 9 a second", limiter(9, 1)),
    ("requests", "aiolimiter, 600 a minute", limiter(RPM, 60)),
    ("requests", "Semaphore(5), no retries", semaphore(5, 0)),
    ("requests", "Semaphore(5), SDK's retries", semaphore(5, 2)),
    ("requests", "Semaphore(20), SDK's retries", semaphore(20, 2)),
    ("requests", "cookbook, 600 a minute", cookbook(RPM, 1e9, TOKENS)),
    ("requests", "cookbook, 300 a minute", cookbook(RPM / 2, 1e9, TOKENS)),
    ("tokens", "run_batch(tpm=90_000)", ours(tpm=TPM)),
    ("tokens", "run_batch(), limits learnt", ours()),
    ("tokens", "Semaphore(20), SDK's retries", semaphore(20, 2)),
    ("lowered", "run_batch(rpm=600)", ours(rpm=RPM)),
    ("lowered", "run_batch(), limits learnt", ours()),
    ("lowered", "aiolimiter, 10 a second", limiter(RPM / 60, 1)),
    ("fresh", "run_batch(), limits learnt", ours(max_concurrency=200)),
    ("fresh", "gather, all at once", semaphore(200, 0)),
]


def least(case: str) -> float:
    """The seconds that the limits require."""
    late = {
        "fresh": 0.0,
        "lowered": (REQUESTS - LEFT - LOWERED_AFTER * RPM / 60) / (RPM / 120)
        + LOWERED_AFTER,
    }
    return late.get(case, (REQUESTS - LEFT) * 60 / RPM) + LATENCY


async def measure(
    port: int, number: int, case: str, name: str, strategy: Strategy
) -> None:
    statuses: Counter[int] = Counter()

    async def count(response: Any) -> None:
        statuses[response.status_code] += 1

    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1",
        api_key=f"{TOKEN}-{case}.{number}",
    ) as client:
        client._client.event_hooks = {"response": [count]}
        # the SDK's lazy imports, and the connection
        for body in bodies()[:5]:
            await client.with_options(
                api_key=f"{TOKEN}-fresh.warm"
            ).chat.completions.create(**body)
        statuses.clear()
        start = time.perf_counter()
        answered = await strategy(client, bodies())
        wall = time.perf_counter() - start
    sent = sum(statuses.values())
    print(
        f"{case:9} {name:30} {answered:4} of {REQUESTS}   {sent:5} requests   {statuses[429]:5} "
        "refused   "
        f"{wall:6.2f} s   {wall / least(case):6.3f} of the least ({least(case):.1f} s)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--only", default="", help="runs whose case and name contain this"
    )
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            str(HERE.with_name("batching_server.py")),
            folder,
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            for number, (case, name, strategy) in enumerate(RUNS):
                if only in f"{case} {name}":
                    asyncio.run(measure(port, number, case, name, strategy))
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
