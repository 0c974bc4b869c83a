"""What the cases of chapter 05 share: work that counts itself, an account that refuses, and
reference answers.

All of it runs in an event loop of virtual time.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ..offline.limits.account import MINUTE, Account
from .answers import api_error
from .case import Case, Function
from .running import NotAwaitable

MODEL = "gpt-4o-mini"
LATENCY = 2.0  # seconds of a request in the cases of send_all
# when these cases begin: not at 0, or a clock that was read wrongly would not be noticed
BEGIN = 7.0
LATE = 1.05  # of the least time is still well scheduled


async def awaited(value: Any) -> Any:
    """What an async function's call comes to; the check says so where it was a plain function."""
    if not inspect.isawaitable(value):
        raise NotAwaitable
    return await value


@dataclass
class Work:
    """An async function for a learner's function to call: ``await work(item)``.

    seconds  how long each item takes; fails: the items that raise ``kind``; answer: what the others
             return

    began    the items, in the order in which they were begun; now, most: under way at once
    """

    seconds: Callable[[Any], float]
    fails: Sequence[Any] = ()
    answer: Callable[[Any], Any] = str
    kind: type[Exception] = ValueError
    began: list[Any] = field(default_factory=list)
    now: int = 0
    most: int = 0

    async def __call__(self, item: Any) -> Any:
        self.began.append(item)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds(item))
            if item in self.fails:
                raise self.kind(f"no answer to {item!r}")
            return self.answer(item)
        finally:
            self.now -= 1

    def outcome(self, item: Any) -> Any:
        """What comes of an item, an error as its text."""
        return (
            error_told(self.kind(f"no answer to {item!r}"))
            if item in self.fails
            else self.answer(item)
        )


def with_errors_told(came: Any) -> Any:
    """A list in which each exception is replaced by its text; anything else as it is."""
    if not isinstance(came, list | tuple):
        return came
    return [error_told(one) if isinstance(one, BaseException) else one for one in came]


def error_told(error: BaseException) -> str:
    """An exception as text that no text of its own equals."""
    return f"the exception {error!r}"


def bounded_seconds(seconds: Sequence[float], limit: int) -> float:
    """How long it takes when each of ``limit`` places takes the next item as soon as it is free."""
    free = [0.0] * limit
    for each in seconds:
        first = min(range(limit), key=free.__getitem__)
        free[first] += each
    return max(free) if seconds else 0.0


@dataclass
class Bucket:
    """The reference of TokenBucket: a level of tokens as of a time."""

    a_minute: float
    at: float
    level: float = -1.0

    def __post_init__(self) -> None:
        self.level = float(self.a_minute)

    def refilled(self, now: float) -> float:
        """The level at ``now``."""
        self.level = min(
            self.a_minute, self.level + (now - self.at) * self.a_minute / MINUTE
        )
        self.at = now
        return self.level

    def wait(self, amount: float, now: float) -> float:
        """Seconds until there is room."""
        return max(0.0, (amount - self.refilled(now)) * MINUTE / self.a_minute)

    def take(self, amount: float, now: float) -> bool:
        """Whether there was room; if so, it is taken."""
        if amount > self.refilled(now):
            return False
        self.level -= amount
        return True


def bucket_uses(rng: random.Random) -> tuple[int, float, list[tuple[str, int, float]]]:
    """A size, a beginning and some uses of a bucket. None is so near to the edge that rounding
    could decide it.
    """
    a_minute, begin = 60 * rng.randint(1, 9), rng.randint(0, 800) / 8
    bucket, now = Bucket(a_minute, begin), begin
    uses: list[tuple[str, int, float]] = []
    while len(uses) < 9:
        now += rng.choice([0.0, 0.125, 2.5, 20.0])
        name, amount = (
            rng.choice(["take", "take", "wait"]),
            rng.randint(1, a_minute * 3 // 4),
        )
        if abs(bucket.refilled(now) - amount) > 0.25:
            uses.append((name, amount, now))
            getattr(bucket, name)(amount, now)
    return a_minute, begin, uses


class Sender:
    """``await sender(number)`` sends a request to an account with two limits, which refuses what is
    too much.
    """

    def __init__(self, tokens: Sequence[int], rpm: int, tpm: int) -> None:
        self.tokens, self.sent, self.refused = list(tokens), 0, 0
        self._account = Account(rpm=rpm, tpm=tpm)
        self._refusal = api_error(
            429, "Rate limit reached.", code="rate_limit_exceeded"
        )

    async def __call__(self, number: int) -> str:
        self.sent += 1
        _, refusal = self._account.admit(
            MODEL, self.tokens[number], asyncio.get_running_loop().time()
        )
        if refusal is not None:
            self.refused += 1
            raise self._refusal
        await asyncio.sleep(LATENCY)
        return f"answer {number}"


def least_seconds(tokens: Sequence[int], rpm: int, tpm: int) -> float:
    """How long it takes when the requests go in their order, each as soon as both buckets have room
    for it.
    """
    budgets, now = (Bucket(rpm, 0.0), Bucket(tpm, 0.0)), 0.0
    for size in tokens:
        now += max(
            budget.wait(cost, now)
            for budget, cost in zip(budgets, (1, size), strict=True)
        )
        for budget, cost in zip(budgets, (1, size), strict=True):
            budget.level = budget.refilled(now) - cost
    return now + LATENCY if tokens else 0.0


def limits_text(tokens: Sequence[int], rpm: int, tpm: int) -> str:
    """A case of send_all in words."""
    sizes = "".join(
        f", {len(list(same))} of {size:,} tokens" for size, same in groupby(tokens)
    )
    if len(set(tokens)) > 2:
        sizes = f", {len(tokens)} of {min(tokens)} to {max(tokens)} tokens"
    return f"await send_all(send, tokens, {rpm}, {tpm:_}), requests of {LATENCY:g} s{sizes}"


def without_a_place() -> Case:
    """bounded_map with a limit of 0."""

    async def run(function: Function) -> Any:
        work = Work(float)
        try:
            came = await awaited(function(work, [1, 2], 0))
        except ValueError as error:
            return {
                "raised": "ValueError",
                "limit in its message": "limit" in str(error),
                "begun": work.began,
            }
        return {"returned": came, "begun": work.began}

    expected = {"raised": "ValueError", "limit in its message": True, "begun": []}
    return Case(
        "await bounded_map(function, [1, 2], 0)",
        run,
        expected,
        "With no place nothing could ever end.",
    )


def cancelled() -> Case:
    """bounded_map, cancelled while half of the items have begun."""

    async def run(function: Function) -> Any:
        work = Work(float)
        task = asyncio.ensure_future(awaited(function(work, [2, 2, 2, 2, 2], 2)))
        await asyncio.sleep(3)
        task.cancel()
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
        await asyncio.sleep(0.1)  # for those who cancel without waiting for it
        now = work.now
        await asyncio.sleep(60)
        was = "cancelled" if isinstance(ended, asyncio.CancelledError) else "returned"
        return {"it": was, "begun": len(work.began), "under way": max(now, work.now)}

    given = (
        "await bounded_map(function, [2, 2, 2, 2, 2], 2), cancelled after 3 seconds, and 60 "
        "seconds later"
    )
    why = (
        "Cancelling is no failure of an item: it must come through, and end what is under way. "
        "Catch Exception."
    )
    return Case(given, run, {"it": "cancelled", "begun": 4, "under way": 0}, why)


def too_large() -> Case:
    """send_all with a request that no wait makes possible."""
    tokens = [10, 30_001, 10]

    async def run(function: Function) -> Any:
        send = Sender(tokens, 60, 30_000)
        try:
            came = await awaited(function(send, list(tokens), 60, 30_000))
        except ValueError:
            await asyncio.sleep(60)  # what was begun before goes on
            return {"raised": "ValueError", "sent": send.sent}
        return {"returned": came, "sent": send.sent}

    given = f"await send_all(send, {tokens}, rpm=60, tpm=30_000)"
    why = "30,001 tokens never fit: say so before anything is sent."
    return Case(given, run, {"raised": "ValueError", "sent": 0}, why)
