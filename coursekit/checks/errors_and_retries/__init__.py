"""Checks of chapter 06: errors told apart, requests counted, a breaker, and a retry with everything
that it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from ...retrying.classify import OUT_OF_MONEY
from ..engine import Case, Chapter, call
from .cases import broken, error_of, error_text, retried, two_breakers

chapter = Chapter(__file__)


def _judged(error: dict[str, Any], expected: Any, why: str = "") -> Case:
    made = error_of(**error)
    return call(
        made, expects=expected, why=why, text=lambda: f"({error_text(made)})"
    )


@chapter.exercise
def out_of_money(rng: Random) -> Iterator[Case]:
    """Whether an error says that the account is empty."""
    yield from chapter.each("out_of_money", _judged)
    for code in rng.sample(OUT_OF_MONEY, len(OUT_OF_MONEY)):
        yield _judged(
            {"status": rng.choice([400, 402, 403, 429]), "code": code},
            True,
            "Whatever the status.",
        )


@chapter.plain
def requests_sent(
    loops: list[int], max_retries: int, failures: float, why: str = ""
) -> Case:
    """The HTTP requests of nested retries."""
    expected = min(math.prod(loops) * (1 + max_retries), failures + 1)
    return call(loops, max_retries, failures, expects=expected, why=why)


@chapter.exercise
def classify(rng: Random) -> Iterator[Case]:
    """Retry, fix or stop?"""
    yield from chapter.each("classify", _judged)


@chapter.exercise
def Breaker(rng: Random) -> Iterator[Case]:
    """A circuit breaker: it keeps calls away from a server that does not answer."""
    simple, *others = chapter.each("Breaker", broken)
    yield simple
    yield two_breakers()
    yield from others


@chapter.exercise
def retry(rng: Random) -> Iterator[Case]:
    """Ask again while it can help: with a limit of attempts, with waits, and with a deadline."""
    yield from chapter.each("retry", retried)
    for seed in range(4):
        policy = {
            "max_attempts": rng.randint(2, 6),
            "base": rng.uniform(0.2, 2),
            "cap": rng.uniform(2, 9),
            "deadline": rng.uniform(5, 30),
        }
        errors = rng.choices(
            ["500", "wait 7", "connection", "stream", "json"],
            k=rng.randint(1, 5),
        )
        last = rng.choice(["Paris.", "400", "503"])
        yield retried(
            [*errors, last], policy, rng.choice([0.0, 0.5, 2.0]), seed=seed
        )
