"""Durations that tests leave out, because a test must not depend on how fast the machine is.

    .venv/bin/python tests/benchmarks/bench_durations.py [--rounds 9]

Each line is the ratio of two durations that are measured alternately (CPU time, or wall time for
the server): the median of the rounds, with the minimum and the maximum. For the lateness of paced
streams, see bench_server; for the turns of a conversation, bench_conversation; for the sampling
lab's sliders, bench_labs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit.offline import verdict_on
from coursekit.offline.exchange import error_answer
from coursekit.offline.rules.validation import refusal_of
from coursekit.offline.watched.ledger import SIZE, Ledger
from coursekit.widgets.cost_explorer import CostExplorer, Plan
from coursekit.widgets.throughput_lab import Load, view
from support.offline_api import folder_with, params, request, whole
from support.served import Served, served

BODY = params(temperature=0.2, max_completion_tokens=50, stream=True)
Pair = tuple[Callable[[], object], Callable[[], object]]


def seconds(
    work: Callable[[], object], clock: Callable[[], float] = time.process_time
) -> float:
    began = clock()
    work()
    return clock() - began


def many(work: Callable[[], object], times: int = 200) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(times):
            work()

    return repeated


def ledger(attempts: int) -> Ledger:
    filled = Ledger()
    for number in range(attempts):
        answer = error_answer(500, "No.") if number % 3 == 0 else whole()
        filled.open(request(), answer, float(number)).finish(
            "all", number + 0.5
        )
    return filled


def move(turns: int) -> Callable[[], None]:
    lab = CostExplorer(
        Plan(turns=turns, policy="token budget", size=8000, cached=True)
    )
    sizes = [7_500, 7_600]

    def moved() -> None:
        sizes.reverse()
        lab.sizes["token budget"].value = sizes[0]

    return moved


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    full, tenth = ledger(SIZE), ledger(SIZE // 10)
    text = json.dumps(BODY)
    pairs: dict[str, Pair] = {
        "checking a request / parsing it as JSON": (
            many(lambda: refusal_of(BODY)),
            many(lambda: json.loads(text)),
        ),
        "verdict on a full ledger / on a tenth of it": (
            lambda: verdict_on(full),
            lambda: verdict_on(tenth),
        ),
        "a move at 150 turns / at 15 (cost explorer)": (move(150), move(15)),
        "drawing the throughput lab / 1 MB of JSON": (
            lambda: view(Load()),
            lambda: json.loads(json.dumps(["x" * 100] * 10_000)),
        ),
    }
    for name, (first, second) in pairs.items():
        report(name, [seconds(first) / seconds(second) for _ in range(rounds)])
    with tempfile.TemporaryDirectory() as folder:
        path = folder_with(Path(folder), (params(), whole("Paris.")))
        with served(path) as server:
            report(
                "a small request beside a large one / alone",
                waits(server, rounds),
            )


def waits(server: Served, rounds: int) -> list[float]:
    """How long a small request waits while a 2 MB body is being counted, compared with a small
    request alone.
    """
    small = json.dumps(params()).encode()
    large = json.dumps(params("word " * 400_000)).encode()
    server.post(small)
    ratios = []
    for _ in range(rounds):
        alone = seconds(lambda: server.post(small), time.perf_counter)
        counting = threading.Thread(target=server.post, args=(large,))
        counting.start()
        time.sleep(0.05)  # it is being counted
        beside = seconds(lambda: server.post(small), time.perf_counter)
        ratios.append(beside / alone)
        counting.join()
    return ratios


def report(name: str, ratios: list[float]) -> None:
    middle = statistics.median(ratios)
    print(
        f"{name:46} {middle:7.1f}  ({min(ratios):.1f}-{max(ratios):.1f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
