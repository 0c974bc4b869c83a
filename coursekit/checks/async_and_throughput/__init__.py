"""Checks of chapter 05: requests side by side, under a bound, and under two limits."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from ..engine import Case, Chapter, call
from .cases import (
    bucket_used,
    cancelled,
    mapped,
    scheduled,
    sent_at_once,
    too_large,
    waited,
    without_a_slot,
)

chapter = Chapter(__file__)


@chapter.plain
def binding_limit(
    concurrency: int,
    latency: float,
    rpm: int,
    tpm: int,
    tokens: int,
    why: str = "",
) -> Case:
    """Which of three limits a run meets first, and the rate that it allows."""
    rates = {
        "concurrency": 60 * concurrency / latency,
        "rpm": rpm,
        "tpm": tpm / tokens,
    }
    name = min(rates, key=lambda each: rates[each])
    return call(
        concurrency,
        latency,
        rpm,
        tpm,
        tokens,
        expects=(name, rates[name]),
        why=why,
    )


@chapter.exercise
def ask_all(rng: Random) -> Iterator[Case]:
    """The answers to many prompts, all asked at once, in the order of the prompts."""
    yield from chapter.each("ask_all", sent_at_once)


@chapter.exercise
def bounded_map(rng: Random) -> Iterator[Case]:
    """An async function over many items, a few at a time, failures kept as values."""
    yield from chapter.each("bounded_map", mapped)
    nothing: list[Any] = [None, 0, "", [], False]
    yield mapped(
        [0, 1, 2, 3, 4],
        2,
        answers=nothing,
        why="None, 0, '', [] and False are results as well.",
    )
    yield without_a_slot(0)
    yield without_a_slot(-1)
    yield cancelled()


@chapter.exercise
def TokenBucket(rng: Random) -> Iterator[Case]:
    """A budget that begins full and refills evenly."""
    yield from chapter.each("TokenBucket", bucket_used)
    yield waited(70, [rng.randint(1, 40) for _ in range(60)])
    yield waited(30_000, [rng.randint(1, 9_000) for _ in range(60)])
    for _ in range(4):
        a_minute, now = 60 * rng.randint(1, 9), rng.randint(0, 800) / 8
        begin, uses = now, []
        for _ in range(9):
            now += rng.choice([0.0, 0.125, 2.5, 20.0])
            uses.append(
                (
                    rng.choice(["take", "take", "wait"]),
                    rng.randint(1, a_minute * 3 // 4) + 0.3,
                    now,
                )
            )
        yield bucket_used(a_minute, begin, uses)


@chapter.exercise
def send_all(rng: Random) -> Iterator[Case]:
    """Many requests under two limits, without a 429, in nearly the least time."""
    yield from chapter.each("send_all", scheduled)
    yield too_large()
    for _ in range(3):
        most = rng.choice([200, 1_200])
        tokens = [
            (1, rng.randint(20, most)) for _ in range(rng.randint(80, 140))
        ]
        yield scheduled(
            tokens, rng.randint(40, 90), 1_000 * rng.randint(20, 60)
        )
