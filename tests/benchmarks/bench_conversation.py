"""What a turn of a Conversation costs beyond the call itself, early and late in a long
conversation.

    .venv/bin/python tests/benchmarks/bench_conversation.py [--turns 1000]

The client answers immediately, and its own time is subtracted. Each column is the median, in
microseconds, for a tenth of the turns. With a bounded memory, the last column must not be larger
than the first.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit.conversation import (
    Conversation,
    Memory,
    SlidingWindow,
    Summarize,
    TokenBudget,
)
from test_conversation_memory import Instant

QUESTION = "Please explain this to me in detail, with an example. " * 5
MEMORIES: list[Memory | None] = [
    SlidingWindow(10),
    TokenBudget(2_000),
    TokenBudget(8_000),
    Summarize(over=20, keep=10),
    None,
]


def overheads(memory: Memory | None, turns: int) -> list[float]:
    """The microseconds of each send(), minus the client's own."""
    client = Instant()
    conversation, times = Conversation(client, "You are brief.", memory), []
    for number in range(turns):
        start, before = time.perf_counter(), client.seconds
        conversation.send(f"Question number {number}: {QUESTION}")
        times.append(
            1e6 * (time.perf_counter() - start - (client.seconds - before))
        )
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--turns", type=int, default=1000)
    turns = parser.parse_args().turns
    tenth = turns // 10
    for memory in MEMORIES:
        times = overheads(memory, turns)
        early, late = (
            statistics.median(times[tenth : 2 * tenth]),
            statistics.median(times[-tenth:]),
        )
        print(
            f"{memory or 'everything'!s:28} early {early:6.1f} us   late {late:6.1f} us   ratio "
            f"{late / early:.2f}"
        )


if __name__ == "__main__":
    main()
