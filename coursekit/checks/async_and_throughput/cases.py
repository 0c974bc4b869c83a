"""What the cases of chapter 05 share: work that counts itself, an account that refuses, and
reference answers.

All of it runs in an event loop of virtual time.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ..engine import Case, Function, Matching, changed
from ..engine.answers import api_error, message, reply
from ..engine.case import Misuse
from ..engine.describe import describe
from ..engine.running import NotAwaitable
from ..engine.script import Script

MODEL = "gpt-4o-mini"
LATENCY = 2.0  # seconds of a request in the cases of send_all
# when these cases begin: not at 0, or a clock that was read wrongly would not be noticed
BEGIN = 7.0
LATE = 1.05  # of the least time is still well scheduled
TINY = 1e-4  # of a request or a token: the account forgives what floating point leaves over
TICK = 1e-3  # seconds: what the loop's shortest timers may add up to

Use = tuple[str, float, float]  # a method of a bucket, its amount, its now


def _now() -> float:
    """The loop's time, without what its shortest timers add."""
    return round(asyncio.get_running_loop().time(), 3)


def _changed(now: list[Any], given: Sequence[Any]) -> Misuse | None:
    return changed([now], [list(given)], lambda: describe(now))


async def _awaited(value: Any) -> Any:
    """The result of an async function's call. Raises NotAwaitable for that of a plain function."""
    if not inspect.isawaitable(value):
        raise NotAwaitable
    return await value


def sent_at_once(prompts: Sequence[str], seconds: Sequence[float]) -> Case:
    """The case of ``ask_all()`` where the answers to the prompts take these seconds."""
    takes = dict(zip(prompts, seconds, strict=True))
    texts, number = [], Counter[str]()
    for prompt in prompts:
        number[prompt] += 1
        # equal prompts get different answers
        texts.append(f"{prompt.upper()} {number[prompt]}")

    async def run(function: Function) -> Any:
        sent = Counter[str]()

        def answer(body: dict[str, Any]) -> Any:
            prompt = body["messages"][-1]["content"]
            sent[prompt] += 1
            as_asked = (body["model"], body["messages"]) == (
                MODEL,
                [message("user", prompt)],
            )
            return reply(
                f"{prompt.upper()} {sent[prompt]}"
                if as_asked
                else "another model, or other messages"
            )

        script = Script(
            answer,
            after=lambda body: takes.get(body["messages"][-1]["content"], 0.0),
            gap=0.0,
        )
        given = list(prompts)
        returned = await _awaited(function(script.async_client, given))
        if misuse := _changed(given, prompts):
            return misuse
        return {
            "returned": returned,
            "requests": len(script.requests),
            "seconds": _now(),
        }

    def in_order(returned: Any) -> bool:
        if not isinstance(returned, list) or len(returned) != len(prompts):
            return False
        # Of equal prompts, either answer may be the first.
        pairs = sorted(zip(prompts, returned, strict=True))
        return pairs == sorted(zip(prompts, texts, strict=True))

    expected = {
        "requests": len(prompts),
        "returned": Matching(describe(texts), in_order, texts),
        "seconds": max(seconds, default=0.0),
    }
    shown = ", ".join(
        f"{prompt!r} ({each:g} s)"
        for prompt, each in zip(prompts, seconds, strict=True)
    )
    return Case(
        f"await ask_all(client, prompts): {shown or 'no prompts'}",
        run,
        expected,
    )


class Work:
    """An async function for a learner's function to call: ``await work(item)`` takes ``item``
    seconds.

    fails    the items that raise an error: a ValueError for a whole number, otherwise an OSError
    answers  what is returned for each number; None: its text
    started  the items, in the order in which they were started; now, most: in flight at once
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
        """The outcome for an item."""
        return self.error(item) if item in self.fails else self.answer(item)


def _alike(result: Any, expected: Any) -> bool:
    same = (
        repr(result) == repr(expected)
        if isinstance(expected, Exception)
        else result == expected
    )
    return type(result) is type(expected) and bool(same)


def mapped(
    items: Sequence[float],
    limit: int,
    fails: Sequence[float] = (),
    answers: Sequence[Any] | None = None,
    once: bool = False,
    why: str = "",
) -> Case:
    """The case of ``bounded_map()`` with a ``Work``; once: the items are an iterator."""

    async def run(function: Function) -> Any:
        work, given = Work(fails, answers), list(items)
        returned = await _awaited(
            function(work, iter(given) if once else given, limit)
        )
        if misuse := _changed(given, items):
            return misuse
        return {
            "returned": returned,
            "most at once": work.most,
            "started": work.started,
            "seconds": _now(),
        }

    results = [Work(fails, answers).result(item) for item in items]

    def right(returned: Any) -> bool:
        same_length = isinstance(returned, list) and len(returned) == len(
            results
        )
        return same_length and all(map(_alike, returned, results))

    expected = {
        "most at once": min(limit, len(items)),
        "started": list(items),
        "returned": Matching(describe(results), right, results),
        "seconds": _bounded_seconds(items, limit),
    }
    shown = f"iter({list(items)})" if once else list(items)
    failing = f"; {list(fails)} raise errors" if fails else ""
    given = (
        f"await bounded_map(function, {shown}, {limit}): an item takes as many seconds"
        f" as it says{failing}"
    )
    return Case(given, run, expected, why)


def _bounded_seconds(seconds: Sequence[float], limit: int) -> float:
    """How long it takes when each of ``limit`` slots takes the next item as soon as it is free."""
    free = [0.0] * limit
    for each in seconds:
        free[free.index(min(free))] += each
    return max(free)


def without_a_slot(limit: int) -> Case:
    """bounded_map with a limit below 1."""

    async def run(function: Function) -> Any:
        work = Work()
        try:
            returned = await _awaited(function(work, [1, 2], limit))
        except ValueError as error:
            return {
                "raised": "ValueError",
                "limit in its message": "limit" in str(error),
                "items started": work.started,
            }
        return {"returned": returned, "items started": work.started}

    expected = {
        "raised": "ValueError",
        "limit in its message": True,
        "items started": [],
    }
    why = (
        "Without a slot, nothing could ever run: raise a ValueError whose message"
        " contains 'limit', before anything is started."
    )
    return Case(
        f"await bounded_map(function, [1, 2], {limit})", run, expected, why
    )


def cancelled() -> Case:
    """bounded_map, cancelled while half of the items have started."""

    async def run(function: Function) -> Any:
        work = Work()
        task = asyncio.ensure_future(
            _awaited(function(work, [2, 2, 2, 2, 2], 2))
        )
        await asyncio.sleep(3)
        task.cancel()
        ended = (await asyncio.gather(task, return_exceptions=True))[0]
        await asyncio.sleep(0.1)  # for those who cancel without waiting for it
        now = work.now
        await asyncio.sleep(60)
        how = (
            "cancelled"
            if isinstance(ended, asyncio.CancelledError)
            else "returned"
        )
        return {
            "it": how,
            "items started": len(work.started),
            "in flight": max(now, work.now),
        }

    given = (
        "await bounded_map(function, [2, 2, 2, 2, 2], 2), cancelled after 3 seconds,"
        " and 60 seconds later"
    )
    why = (
        "Cancelling is not an item's failure: it must propagate, and end what is in"
        " flight. Catch only Exception."
    )
    return Case(
        given, run, {"it": "cancelled", "items started": 4, "in flight": 0}, why
    )


class Bucket:
    """The reference of TokenBucket, and the account behind ``send_all``: a level of tokens at a
    time.
    """

    def __init__(self, a_minute: float, at: float) -> None:
        self.a_minute, self.at, self.level = a_minute, at, float(a_minute)

    def refilled(self, now: float) -> float:
        """The level at ``now``."""
        self.level = min(
            self.a_minute, self.level + (now - self.at) * self.a_minute / 60
        )
        self.at = now
        return self.level

    def wait(self, amount: float, now: float) -> float:
        """Seconds until there is room."""
        return max(0.0, (amount - self.refilled(now)) * 60 / self.a_minute)

    def take(self, amount: float, now: float) -> bool:
        """Whether there was room; if so, it is taken."""
        if self.refilled(now) < amount - TINY:
            return False
        self.level -= amount
        return True


def bucket_used(
    a_minute: int, begin: float, uses: Sequence[Use], why: str = ""
) -> Case:
    """The case of a ``TokenBucket`` and some calls of its methods."""

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


def waited(a_minute: int, amounts: Sequence[int]) -> Case:
    """The case of a ``TokenBucket`` from which each amount is taken after exactly its wait."""

    def run(make: Callable[..., Any]) -> Any:
        bucket, now, taken = make(a_minute, BEGIN), BEGIN, 0
        for amount in amounts:
            now += bucket.wait(amount, now)
            taken += bucket.take(amount, now) is True
        return {"taken": taken, "seconds": now - BEGIN}

    given = (
        f"bucket = TokenBucket({a_minute}, {BEGIN:g}); for {len(amounts)} amounts:"
        " wait, then take"
    )
    return Case(given, run, run(Bucket))


class Sender:
    """``await sender(number)`` sends a request to an account with two limits, which refuses what is
    too much.
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
        if self.requests.wait(
            1, now
        ) * self.requests.a_minute > 60 * TINY or not self.budget.take(
            tokens, now
        ):
            self.refused += 1
            raise api_error(
                429, "Rate limit reached.", code="rate_limit_exceeded"
            )
        self.requests.take(1, now)
        await asyncio.sleep(LATENCY)
        return f"answer {number}"


def scheduled(
    tokens: Sequence[tuple[int, int]], rpm: int, tpm: int, why: str = ""
) -> Case:
    """The case of ``send_all()``; ``tokens``: pairs of how many requests and the tokens of each."""
    each = [size for number, size in tokens for _ in range(number)]
    least = _least_seconds(each, rpm, tpm)
    answers = [f"answer {number}" for number in range(len(each))]

    async def run(function: Function) -> Any:
        await asyncio.sleep(BEGIN)
        begin, send, returned = (
            asyncio.get_running_loop().time(),
            Sender(each, rpm, tpm),
            None,
        )
        given = list(each)
        try:
            returned = await _awaited(function(send, given, rpm, tpm))
        except Exception:
            if not send.refused:
                raise
        seconds = asyncio.get_running_loop().time() - begin
        if misuse := _changed(given, each):
            return misuse
        once = all(sent == 1 for sent in send.sent)
        return {
            "refused": send.refused,
            "each sent once": once,
            "returned": returned,
            "seconds": seconds,
        }

    most = least * LATE
    expected = {
        "refused": 0,
        "each sent once": True,
        "returned": answers,
        "seconds": Matching(
            f"at most {most:.2f} (5 % above {least:.2f})",
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


def _least_seconds(tokens: Sequence[int], rpm: int, tpm: int) -> float:
    """How long it takes when the requests go in their order, each as soon as both buckets have room
    for it.
    """
    requests, budget, now = Bucket(rpm, 0.0), Bucket(tpm, 0.0), 0.0
    for size in tokens:
        now += max(requests.wait(1, now), budget.wait(size, now))
        requests.take(1, now)
        budget.take(size, now)
    return now + LATENCY if tokens else 0.0


def too_large() -> Case:
    """send_all with a request that no wait makes possible."""
    tokens = [10, 30_001, 10]

    async def run(function: Function) -> Any:
        send = Sender(tokens, 60, 30_000)
        try:
            returned = await _awaited(function(send, list(tokens), 60, 30_000))
        except ValueError:
            await asyncio.sleep(60)  # what was started before goes on
            return {"raised": "ValueError", "sent": sum(send.sent)}
        return {"returned": returned, "sent": sum(send.sent)}

    given = f"await send_all(send, {tokens}, rpm=60, tpm=30_000)"
    why = "30,001 tokens can never fit: raise a ValueError before anything is sent."
    return Case(given, run, {"raised": "ValueError", "sent": 0}, why)
