"""Checks of chapter 05: requests side by side, under a bound, and under two limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

from . import throughput_cases as made
from .answers import reply
from .case import Case, Function, Such, call
from .exercise import exercise
from .throughput_cases import Sender, Work, awaited

WORDS = [
    "blue",
    "river",
    "seven",
    "copper",
    "window",
    "maps",
    "quiet",
    "engine",
    "often",
    "lemon",
]


@exercise(
    stars=1,
    hints=(
        "Bring all three to one unit, requests a minute. Latency is in seconds.",
        (
            "By Little's law the slots allow concurrency / latency a second. The tokens allow "
            "tpm / "
            "tokens."
        ),
        (
            "Make a dict of the three (60 * concurrency / latency, rpm, tpm / tokens); name = "
            "min(rates, key=rates.get)."
        ),
    ),
)
def binding_limit(rng: Random) -> Iterator[Case]:
    """Which of three limits a run meets first, and the rate that it allows."""

    def case(
        concurrency: int, latency: float, rpm: int, tpm: int, tokens: int, why: str = ""
    ) -> Case:
        rates = {
            "concurrency": 60 * concurrency / latency,
            "rpm": rpm,
            "tpm": tpm / tokens,
        }
        name = min(rates, key=lambda each: rates[each])
        return call(
            concurrency, latency, rpm, tpm, tokens, expects=(name, rates[name]), why=why
        )

    yield case(
        5,
        0.3,
        500,
        30_000,
        600,
        "30,000 tokens a minute are 50 requests of 600 tokens.",
    )
    yield case(
        5,
        0.3,
        500,
        1_000_000,
        600,
        "5 under way, 0.3 s each, are 1,000 a minute; tokens 1,667; rpm is 500.",
    )
    yield case(
        5,
        3.0,
        500,
        1_000_000,
        600,
        "Little's law: 5 under way, 3 s each, are 5 / 3 a second.",
    )
    yield case(5, 0.3, 500, 40_000, 700, "Do not round: 40,000 / 700 is 57.14.")
    yield case(
        3,
        7.0,
        500,
        15_420,
        600,
        "3 under way, 7 s each, are 25.714 a minute; tokens 25.7.",
    )
    yield case(
        100,
        0.5,
        50,
        30_000,
        600,
        "At a tie, the first in the order concurrency, rpm, tpm.",
    )
    yield case(
        1,
        1.0,
        60,
        36_000,
        600,
        "At a tie, the first in the order concurrency, rpm, tpm.",
    )
    for _ in range(5):
        slots, latency = rng.randint(1, 40), rng.randint(1, 60) / 8
        yield case(
            slots,
            latency,
            rng.randint(20, 900),
            1_000 * rng.randint(5, 300),
            rng.randint(50, 2_000),
        )


@exercise(
    stars=2,
    awaits=True,
    hints=(
        (
            "A loop with await in it sends the next request when the answer is there. Start all of "
            "them first."
        ),
        (
            "asyncio.gather takes many coroutines, runs them side by side, and returns the "
            "results in "
            "their order."
        ),
        (
            "async def one(prompt): ... for a single prompt; then return await "
            "asyncio.gather(*map(one, prompts))."
        ),
    ),
)
def ask_all(rng: Random) -> Iterator[Case]:
    """The answers to many prompts, all asked at once, in the order of the prompts."""

    def case(prompts: list[str], seconds: Sequence[float], why: str = "") -> Case:
        answers = {prompt: f"{prompt.upper()}!" for prompt in prompts}
        takes = dict(zip(prompts, seconds, strict=True))

        async def run(function: Function) -> Any:
            from ..offline.exchange import json_answer
            from .script import Script

            def answer(body: dict[str, Any]) -> Any:
                prompt = body["messages"][-1]["content"]
                as_told = (body["model"], body["messages"]) == (
                    made.MODEL,
                    [{"role": "user", "content": prompt}],
                )
                said = reply(
                    answers.get(prompt)
                    if as_told
                    else "another model, or other messages"
                )
                return json_answer(
                    200,
                    said.model_dump(exclude_unset=True),
                    after=takes.get(prompt, 0.0),
                )

            script = Script(answer)
            came = await awaited(function(script.async_client, list(prompts)))
            return {
                "returned": came,
                "requests": len(script.requests),
                "seconds": asyncio.get_running_loop().time(),
            }

        shown = ", ".join(
            f"{prompt!r} ({each:g} s)"
            for prompt, each in zip(prompts, seconds, strict=True)
        )
        texts = [answers[prompt] for prompt in prompts]
        expected = {
            "returned": texts,
            "requests": len(prompts),
            "seconds": max(seconds, default=0.0),
        }
        return Case(
            f"await ask_all(client, prompts): {shown or 'no prompts'}",
            run,
            expected,
            why,
        )

    yield case(["red"], [1.0])
    why = "All at once takes as long as the slowest. One after the other takes the sum."
    yield case(["red", "green", "blue"], [1.0, 1.5, 2.0], why)
    yield case(
        ["slow", "quick"],
        [3.0, 0.5],
        "In the order of the prompts, not in that of arrival.",
    )
    yield case([], [], "No prompts: an empty list, and no request.")
    yield case(
        ["red", "red", "blue"],
        [1.0, 1.0, 0.5],
        "One request for each prompt, for equal ones, too.",
    )
    yield case(
        [f"q{number}" for number in range(40)], [1.0] * 40, "All at once, however many."
    )
    for _ in range(3):
        prompts = rng.sample(WORDS, rng.randint(4, 9))
        yield case(prompts, [rng.randint(1, 40) / 8 for _ in prompts])


@exercise(
    stars=3,
    awaits=True,
    seconds=5.0,
    hints=(
        (
            "A semaphore bounds how much is under way. What fails must become a value, not end the "
            "others."
        ),
        (
            "A coroutine for each item: async with slots: return await function(item). gather has "
            "return_exceptions."
        ),
        (
            "Check the limit; slots = asyncio.Semaphore(limit); async def one(item) as in hint 2; "
            "then return await "
            "asyncio.gather(*map(one, items), return_exceptions=True)."
        ),
    ),
)
def bounded_map(rng: Random) -> Iterator[Case]:
    """An async function over many items, a few at a time, failures kept as values."""

    def case(
        items: Sequence[Any],
        limit: int,
        work: Callable[[], Work],
        words: str,
        why: str = "",
        given: Callable[[Sequence[Any]], Iterable[Any]] = list,
    ) -> Case:
        async def run(function: Function) -> Any:
            each = work()
            came = made.with_errors_told(
                await awaited(function(each, given(items), limit))
            )
            seconds = asyncio.get_running_loop().time()
            return {
                "returned": came,
                "most at once": each.most,
                "begun": each.began,
                "seconds": seconds,
            }

        shown, one = f"iter({list(items)})" if given is iter else list(items), work()
        expected = {
            "returned": [one.outcome(item) for item in items],
            "most at once": min(limit, len(items)),
            "begun": list(items),
            "seconds": made.bounded_seconds(
                [one.seconds(item) for item in items], limit
            ),
        }
        return Case(
            f"await bounded_map(function, {shown}, {limit}): {words}",
            run,
            expected,
            why,
        )

    numbers = [4, 1, 1, 1, 2]
    seconds = "an item takes as many seconds as it says"
    yield case(
        numbers,
        5,
        lambda: Work(float),
        seconds,
        "The results stand in the order of the items.",
    )
    why = (
        "At most two at once; and as soon as one ends, the next begins, although another takes "
        "longer."
    )
    yield case(numbers, 2, lambda: Work(float), seconds, why)
    why = "A failure is kept as the exception itself, at its place; the others go on."
    yield case(
        [1, 2, 3, 4],
        2,
        lambda: Work(float, fails=[2]),
        f"{seconds}, and 2 raises ValueError",
        why,
    )
    nothing: list[Any] = [None, 0, "", [], False]
    yield case(
        range(5),
        2,
        lambda: Work(lambda _: 1.0, answer=nothing.__getitem__),
        "None, 0, '', [], False come",
    )
    yield case([], 3, lambda: Work(float), seconds, "No items, no results: [].")
    yield case(
        numbers,
        2,
        lambda: Work(float),
        seconds,
        "items can be a generator: read it once.",
        iter,
    )
    yield made.without_a_place()
    yield made.cancelled()
    for _ in range(3):
        items = [rng.randint(1, 24) / 4 for _ in range(rng.randint(6, 12))]
        bad = rng.sample(items, 2)
        limit = rng.randint(2, 4)
        yield case(
            items,
            limit,
            lambda bad=bad: Work(float, bad, kind=OSError),  # type: ignore[misc]
            f"{seconds}; {bad} raise OSError",
        )


@exercise(
    stars=3,
    hints=(
        (
            "Keep two numbers: the level, and the time at which it was that. Each call first "
            "updates "
            "both."
        ),
        (
            "level = min(a_minute, level + (now - at) * a_minute / 60), then at = now. Never above "
            "full."
        ),
        (
            "wait: max(0, (amount - level) * 60 / a_minute). take: if amount <= level: level -= "
            "amount and True; "
            "else False. Both refill first, and raise ValueError for amount > a_minute."
        ),
    ),
)
def TokenBucket(rng: Random) -> Iterator[Case]:
    """A budget that begins full and refills evenly."""

    def case(
        a_minute: int, begin: float, *uses: tuple[str, int, float], why: str = ""
    ) -> Case:
        def run(make: Function) -> Any:
            bucket = make(a_minute, begin)
            other = make(a_minute, begin)  # each has its own level
            came = []
            for name, amount, now in uses:
                try:
                    came.append(getattr(bucket, name)(amount, now))
                except ValueError:
                    came.append("ValueError")
            return [*came, other.take(a_minute, begin)]

        bucket, expected = made.Bucket(a_minute, begin), []
        for name, amount, now in uses:
            expected.append(
                "ValueError"
                if amount > a_minute
                else getattr(bucket, name)(amount, now)
            )
        shown = ", ".join(f"{name}({amount}, {now:g})" for name, amount, now in uses)
        last = f"another = TokenBucket({a_minute}, {begin:g}); another.take({a_minute}, {begin:g})"
        given = (
            f"bucket = TokenBucket({a_minute}, {begin:g}); of it {shown}; and {last}"
        )
        return Case(given, run, [*expected, True], why)

    yield case(
        60,
        0.0,
        ("take", 20, 0.0),
        ("take", 30, 0.0),
        ("take", 20, 0.0),
        why="It begins full.",
    )
    yield case(
        60,
        0.0,
        ("take", 50, 0.0),
        ("take", 40, 0.0),
        ("take", 8, 0.0),
        why="A refused take takes nothing.",
    )
    yield case(
        120,
        0.0,
        ("take", 110, 0.0),
        ("wait", 40, 0.0),
        ("take", 40, 16.0),
        why="120 a minute are 2 a second.",
    )
    waits = (
        ("take", 60, 0.0),
        ("wait", 30, 10.0),
        ("wait", 30, 10.0),
        ("wait", 30, 20.0),
        ("wait", 9, 20.0),
    )
    yield case(
        60,
        0.0,
        *waits,
        why="wait takes nothing; it is 0 where there is room, and never less.",
    )
    long = (
        ("take", 30, 0.0),
        ("take", 50, 600.0),
        ("take", 50, 600.0),
        ("wait", 50, 600.0),
    )
    yield case(60, 0.0, *long, why="It is never more than full.")
    yield case(
        60,
        500.0,
        ("take", 60, 500.0),
        ("wait", 30, 505.0),
        why="Time begins where it is told to.",
    )
    big = (("take", 61, 0.0), ("wait", 61, 0.0), ("take", 60, 0.0))
    yield case(
        60,
        0.0,
        *big,
        why="More than a_minute never fits: ValueError, and nothing is taken.",
    )
    for _ in range(4):
        a_minute, begin, uses = made.bucket_uses(rng)
        yield case(a_minute, begin, *uses)


@exercise(
    stars=4,
    awaits=True,
    hints=(
        (
            "Waiting for room and waiting for an answer are two things: the next request needs "
            "only "
            "the first."
        ),
        (
            "Go through the requests in order. Keep a bucket for requests and one for tokens; "
            "sleep until both have "
            "room, take from both, then start a task that sends, and go on."
        ),
        (
            "For each: sleep for the larger of the two waits; refill both by the loop's time; "
            "take 1 and "
            "tokens[number]; tasks.append(asyncio.create_task(send(number))). In the end gather "
            "the tasks."
        ),
    ),
)
def send_all(rng: Random) -> Iterator[Case]:
    """Many requests under two limits, without a 429, in nearly the least time."""

    def case(tokens: list[int], rpm: int, tpm: int, why: str = "") -> Case:
        least = made.least_seconds(tokens, rpm, tpm)
        most = least * made.LATE

        async def run(function: Function) -> Any:
            await asyncio.sleep(made.BEGIN)
            send, loop = Sender(tokens, rpm, tpm), asyncio.get_running_loop()
            try:
                came = await awaited(function(send, list(tokens), rpm, tpm))
            except Exception:
                if not send.refused:
                    raise
                came = None
            seconds = round(loop.time() - made.BEGIN, 6)
            ordered = isinstance(came, list | tuple) and list(came) == [
                f"answer {each}" for each in range(len(tokens))
            ]
            return {
                "in order": ordered,
                "429s": send.refused,
                "sent": send.sent,
                "seconds": seconds,
            }

        def holds(came: Any) -> bool:
            told = (came["in order"], came["429s"], came["sent"])
            return told == (True, 0, len(tokens)) and bool(
                came["seconds"] <= most + 1e-6
            )

        words = (
            f"in order, no 429, {len(tokens)} sent, at most {most:.2f} s (5 % above "
            f"{least:.2f} s)"
        )
        return Case(made.limits_text(tokens, rpm, tpm), run, Such(words, holds), why)

    yield case(
        [100] * 10, 60, 30_000, "All fit in the full buckets: they may go at once."
    )
    why = "60 may go at once; each second makes room for one more. Waiting for answers loses time."
    yield case([10] * 100, 60, 30_000, why)
    yield case(
        [600] * 90,
        500,
        30_000,
        "Tokens are the second budget: 30,000 a minute are 500 a second.",
    )
    yield case([], 60, 30_000, "Nothing to send: [].")
    yield made.too_large()
    yield case([30_000, 10], 60, 30_000, "As many as tpm fit, just once.")
    yield case(
        [2_000] * 25 + [10] * 100,
        60,
        30_000,
        "First the tokens bind, then the requests: keep both budgets.",
    )
    for _ in range(3):
        rpm, tpm, most = (
            rng.randint(40, 90),
            1_000 * rng.randint(20, 60),
            rng.choice([200, 1_200]),
        )
        yield case(
            [rng.randint(20, most) for _ in range(rng.randint(80, 140))], rpm, tpm
        )
