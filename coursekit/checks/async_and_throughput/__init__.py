"""Checks for chapter 05: concurrent requests without a bound, with a bound, and under two limits.

All checks run in an event loop with virtual time.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..engine import Case, Chapter, Function, Matching, call, unchanged
from ..engine.answers import api_error, message, reply
from ..engine.describe import describe
from ..engine.running import NotAwaitable
from ..engine.script import Script

MODEL = "gpt-4o-mini"
LATENCY = 2.0  # seconds for a request in the cases of send_all
# when these cases begin; not 0, because a clock that was read incorrectly would not be noticed
BEGIN = 7.0
LATE = 1.05  # times the least time still counts as well scheduled
# of a request or a token: the account tolerates floating-point errors
TINY = 1e-4
TICK = 1e-3  # seconds that the loop's shortest timers may add up to

Use = tuple[str, float, float]  # a bucket's method, its amount, its now

chapter = Chapter(__file__)


@chapter.exercise
def binding_limit(
    concurrency: int,
    latency: float,
    rpm: int,
    tpm: int,
    tokens: int,
    expects: list[Any],
    why: str = "",
) -> Case:
    """Which of three limits a run reaches first, and the rate that this limit allows."""
    given = (concurrency, latency, rpm, tpm, tokens)
    return call(*given, expects=tuple(expects), why=why)


@chapter.exercise
def ask_all(prompts: Sequence[str], seconds: Sequence[float]) -> Case:
    """The answers to many prompts, all sent at once, in the order of the prompts."""
    takes = dict(zip(prompts, seconds, strict=True))

    async def run(function: Function) -> Any:
        sent = Counter[str]()

        def answer(body: dict[str, Any]) -> Any:
            prompt = body["messages"][-1]["content"]
            sent[prompt] += 1
            if (body["model"], body["messages"]) != (
                MODEL,
                [message("user", prompt)],
            ):
                return reply("another model, or other messages")
            # equal prompts get different answers
            return reply(f"{prompt.upper()} {sent[prompt]}")

        script = Script(
            answer,
            after=lambda body: takes.get(body["messages"][-1]["content"], 0.0),
            gap=0.0,
        )
        returned = await _used(function, script.async_client, prompts)
        return {
            "returned": returned,
            "requests": len(script.requests),
            "seconds": _now(),
        }

    number, texts = Counter[str](), []
    for prompt in prompts:
        number[prompt] += 1
        texts.append(f"{prompt.upper()} {number[prompt]}")

    def in_order(returned: Any) -> bool:
        if not isinstance(returned, list) or len(returned) != len(prompts):
            return False
        # Of equal prompts, either answer may be the first.
        pairs = sorted(zip(prompts, returned, strict=True))
        return pairs == sorted(zip(prompts, texts, strict=True))

    expected = {
        "requests": len(prompts),
        "returned": Matching("", in_order, texts),
        "seconds": max(seconds, default=0.0),
    }
    shown = ", ".join(
        f"{prompt!r} ({each:g} s)"
        for prompt, each in zip(prompts, seconds, strict=True)
    )
    given = f"await ask_all(client, prompts): {shown or 'no prompts'}"
    return Case(given, run, expected)


@chapter.exercise
def bounded_map(
    items: list[float],
    limit: int,
    seconds: float = 0.0,
    fails: Sequence[float] = (),
    answers: Sequence[Any] | None = None,
    once: bool = False,
    cancelled_at: float = 0.0,
    why: str = "",
) -> Case:
    """An async function applied to many items, a few at a time, with failures kept as values."""
    if cancelled_at:
        return _cancelled(items, limit, cancelled_at, why)

    async def run(function: Function) -> Any:
        work = Work(fails, answers)
        try:
            returned = await _used(function, work, items, limit, once=once)
        except ValueError as error:
            if limit > 0:
                raise
            return {
                "raised": "ValueError",
                "limit in its message": "limit" in str(error),
                "items started": work.started,
            }
        return {
            "returned": returned,
            "most at once": work.most,
            "started": work.started,
            "seconds": _now(),
        }

    results = [Work(fails, answers).result(item) for item in items]

    def right(returned: Any) -> bool:
        if not isinstance(returned, list) or len(returned) != len(results):
            return False
        return all(map(_alike, returned, results))

    expected: dict[str, Any] = {
        "raised": "ValueError",
        "limit in its message": True,
        "items started": [],
    }
    if limit > 0:
        expected = {
            "most at once": min(limit, len(items)),
            "started": items,
            "returned": Matching("", right, results),
            "seconds": seconds,
        }
    shown = f"iter({items})" if once else items
    failing = f"; {list(fails)} raise errors" if fails else ""
    given = (
        f"await bounded_map(function, {shown}, {limit}): an item takes as many seconds"
        f" as it says{failing}"
    )
    return Case(given, run, expected, why)


def _alike(result: Any, expected: Any) -> bool:
    return type(result) is type(expected) and repr(result) == repr(expected)


def _cancelled(
    items: list[float], limit: int, cancelled_at: float, why: str
) -> Case:
    """Return a case in which bounded_map is cancelled before some of the items have started."""

    async def run(function: Function) -> Any:
        work = Work()
        task = asyncio.ensure_future(_used(function, work, items, limit))
        await asyncio.sleep(cancelled_at)
        task.cancel()
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
        # for learners who cancel without waiting for the end
        await asyncio.sleep(0.1)
        now = work.now
        await asyncio.sleep(60)
        cancelled = isinstance(ended, asyncio.CancelledError)
        return {
            "it": "cancelled" if cancelled else "returned",
            "items started": len(work.started),
            "in flight": max(now, work.now),
        }

    given = (
        f"await bounded_map(function, {items}, {limit}), cancelled after"
        f" {cancelled_at} seconds, and 60 seconds later"
    )
    expected = {"it": "cancelled", "items started": 4, "in flight": 0}
    return Case(given, run, expected, why)


class Work:
    """An async function for a learner's function to call: ``await work(item)`` takes ``item``
    seconds.

    fails    the items that raise an error: a ValueError for a whole number, otherwise an OSError
    answers  what is returned for each number; None: its text
    started  the items, in the order in which they were started; now, most: how many are, or were at
             most, in flight at once
    """

    def __init__(
        self, fails: Sequence[float] = (), answers: Sequence[Any] | None = None
    ) -> None:
        self.fails, self.answers = fails, answers
        self.started: list[float] = []
        self.now = self.most = 0

    async def __call__(self, item: float) -> Any:
        self.started.append(item)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(item)
            if item in self.fails:
                raise self.error(item)
            return self.answer(item)
        finally:
            self.now -= 1

    def answer(self, item: float) -> Any:
        return (
            f"answer {item!r}"
            if self.answers is None
            else self.answers[int(item)]
        )

    def error(self, item: float) -> Exception:
        kind = ValueError if item == int(item) else OSError
        return kind(f"no answer to {item!r}")

    def result(self, item: float) -> Any:
        """Return the outcome for an item."""
        return self.error(item) if item in self.fails else self.answer(item)


@chapter.exercise
def TokenBucket(
    a_minute: int,
    begin: float = BEGIN,
    uses: Sequence[Use] = (),
    amounts: Sequence[float] = (),
    why: str = "",
) -> Case:
    """A budget that starts full and refills evenly."""
    if amounts:
        return _waited(a_minute, begin, amounts)

    def results(bucket: Any) -> list[Any]:
        got = []
        for name, amount, now in uses:
            try:
                got.append(getattr(bucket, name)(amount, now))
            except ValueError:
                got.append("ValueError")
        return got

    def run(make: Callable[..., Any]) -> Any:
        # each has its own level
        bucket, other = (
            make(a_minute, begin),
            make(a_minute, begin),
        )
        return [*results(bucket), other.take(a_minute, begin)]

    reference = Bucket(a_minute, begin)
    expected = [
        "ValueError"
        if amount > a_minute
        else getattr(reference, name)(amount, now)
        for name, amount, now in uses
    ]

    def given() -> str:
        shown = ", ".join(
            f"{name}({amount:g}, {now:g})" for name, amount, now in uses
        )
        another = f"another TokenBucket({a_minute}, {begin:g}).take({a_minute}, {begin:g})"
        return f"bucket = TokenBucket({a_minute}, {begin:g}); its {shown}; and {another}"

    return Case(given, run, [*expected, True], why)


def _waited(a_minute: int, begin: float, amounts: Sequence[float]) -> Case:
    """Return a case in which each amount is taken from a ``TokenBucket`` after exactly its wait."""

    def run(make: Callable[..., Any]) -> Any:
        bucket, now, taken = make(a_minute, begin), begin, 0
        for amount in amounts:
            now += bucket.wait(amount, now)
            taken += bucket.take(amount, now) is True
        return {"taken": taken, "seconds": now - begin}

    given = (
        f"bucket = TokenBucket({a_minute}, {begin:g}); for {len(amounts)} amounts:"
        " wait, then take"
    )
    return Case(given, run, run(Bucket))


class Bucket:
    """The reference for TokenBucket, and the account behind ``send_all``: a level of tokens at a
    time.
    """

    def __init__(self, a_minute: float, at: float) -> None:
        self.a_minute, self.at, self.level = a_minute, at, float(a_minute)

    def refilled(self, now: float) -> float:
        """Return the level at ``now``."""
        self.level = min(
            self.a_minute, self.level + (now - self.at) * self.a_minute / 60
        )
        self.at = now
        return self.level

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until there is room."""
        return max(0.0, (amount - self.refilled(now)) * 60 / self.a_minute)

    def take(self, amount: float, now: float) -> bool:
        """Take the amount if there is room. Returns whether there was."""
        if self.refilled(now) < amount - TINY:
            return False
        self.level -= amount
        return True


@chapter.exercise
def send_all(
    tokens: Sequence[tuple[int, int]],
    rpm: int,
    tpm: int,
    least: float | None = None,
    why: str = "",
) -> Case:
    """Many requests under two limits, without a 429, in nearly the shortest possible time."""
    each = [size for number, size in tokens for _ in range(number)]

    async def run(function: Function) -> Any:
        await asyncio.sleep(BEGIN)
        loop = asyncio.get_running_loop()
        begin, send, returned = loop.time(), Sender(each, rpm, tpm), None
        try:
            returned = await _used(function, send, each, rpm, tpm)
        except Exception as error:
            if least is None and isinstance(error, ValueError):
                await asyncio.sleep(60)  # what was started before continues
                return {"raised": "ValueError", "sent": sum(send.sent)}
            if least is None or not send.refused:
                raise
        return {
            "refused": send.refused,
            "each sent once": all(sent == 1 for sent in send.sent),
            "returned": returned,
            "seconds": loop.time() - begin,
        }

    expected: dict[str, Any] = {"raised": "ValueError", "sent": 0}
    if least is not None:
        most = least * LATE
        expected = {
            "refused": 0,
            "each sent once": True,
            "returned": [f"answer {number}" for number in range(len(each))],
            "seconds": Matching(
                f"at most {most:.2f} (5% above {least:.2f})",
                lambda got: got <= most + TICK,
            ),
        }
    sizes = "".join(f", {number} of {size:,} tokens" for number, size in tokens)
    if len(tokens) > 2:
        sizes = f", {len(each)} of {min(each)} to {max(each)} tokens"
    given = (
        f"await send_all(send, tokens, {rpm}, {tpm:_}), requests of {LATENCY:g}"
        f" s{sizes}"
    )
    return Case(given, run, expected, why)


class Sender:
    """``await sender(number)`` sends a request to an account with two limits, which refuses
    requests that exceed them.
    """

    def __init__(self, tokens: Sequence[int], rpm: int, tpm: int) -> None:
        now = asyncio.get_running_loop().time()
        self.tokens, self.sent, self.refused = (
            list(tokens),
            [0] * len(tokens),
            0,
        )
        self.requests, self.budget = Bucket(rpm, now), Bucket(tpm, now)

    async def __call__(self, number: int) -> str:
        now, tokens = asyncio.get_running_loop().time(), self.tokens[number]
        self.sent[number] += 1
        too_early = self.requests.wait(1, now) * self.requests.a_minute
        if too_early > 60 * TINY or not self.budget.take(tokens, now):
            self.refused += 1
            raise api_error(
                429, "Rate limit reached.", code="rate_limit_exceeded"
            )
        self.requests.take(1, now)
        await asyncio.sleep(LATENCY)
        return f"answer {number}"


async def _used(
    function: Function,
    first: Any,
    items: Sequence[Any],
    *more: Any,
    once: bool = False,
) -> Any:
    """Return the result of ``function(first, items, *more)``; once: the items are an iterator.
    Raises NotAwaitable for a plain function, and Misuse if the items were changed.
    """
    given = list(items)
    promised = function(first, iter(given) if once else given, *more)
    if not inspect.isawaitable(promised):
        raise NotAwaitable
    returned = await promised
    unchanged([given], [list(items)], lambda: describe(given))
    return returned


def _now() -> float:
    """Return the loop's time without what its shortest timers add."""
    return round(asyncio.get_running_loop().time(), 3)
