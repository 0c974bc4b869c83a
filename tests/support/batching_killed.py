"""A program for test_batching_kill.py to kill: 500 requests with a checkpoint.

    python batching_killed.py URL CHECKPOINT

For each line of its input, it forks a process that makes the run, and prints the process ID. When
the run is over, it prints how many requests were answered and how many of those were resumed, or
"killed". (It forks because the imports take a second.)
"""

from __future__ import annotations

import asyncio
import os
import sys

import openai

from coursekit.batching import run_batch

PROMPTS = [f"Question number {i}: what is a checkpoint?" for i in range(500)]
SLOTS = 20


async def main(url: str, checkpoint: str) -> None:
    async with openai.AsyncOpenAI(base_url=url, api_key="key") as client:
        results = await run_batch(
            client,
            PROMPTS,
            model="gpt-4o",
            max_concurrency=SLOTS,
            checkpoint=checkpoint,
        )
    print(
        len(results.answered),
        sum(result.resumed for result in results),
        flush=True,
    )


if __name__ == "__main__":
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(main(*sys.argv[1:]))
            os._exit(0)
        print(child, flush=True)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0:
            print("killed", flush=True)
