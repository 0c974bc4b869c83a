"""Checks of chapter 04: a stream put together, timed, left early, and told apart by its ending."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise
from random import Random
from typing import Any

from ..engine import Case, Chapter, Function, Once, Raises, call
from ..engine.answers import chunk, connection_error
from .cases import (
    Broken,
    bits,
    chunk_of,
    interleaved,
    listed,
    reading_until,
    result_of,
    resulting,
    short,
)

chapter = Chapter(__file__)


@chapter.exercise
def text_of(rng: Random) -> Iterator[Case]:
    """The text of a streamed answer, with or without its usage."""

    def case(chunks: Sequence[Any], why: str = "") -> Case:
        made = [chunk_of(one) for one in chunks]
        text = "".join(
            choice.delta.content or ""
            for each in made
            for choice in each.choices
        )
        return call(
            Once(made), expects=text, why=why, text=lambda: listed(made)
        )

    yield from chapter.each("text_of", case)
    yield case(
        ["on ", "and "] * 40,
        "Return all of it, no matter how many pieces there are.",
    )
    for number in range(4):
        yield case(
            [
                {"role": "assistant"},
                *bits(rng),
                {"end": "stop"},
                *[{}] * (number % 2),
            ]
        )


@chapter.exercise
def assemble(rng: Random) -> Iterator[Case]:
    """The answers of one stream with n > 1, each put together."""

    def case(chunks: Sequence[Any], why: str = "") -> Case:
        made = [chunk_of(one) for one in chunks]
        answers: dict[int, dict[str, Any]] = {}
        for choice in (choice for each in made for choice in each.choices):
            answer = answers.setdefault(
                choice.index, {"text": "", "finish_reason": None}
            )
            answer["text"] += choice.delta.content or ""
            answer["finish_reason"] = (
                choice.finish_reason or answer["finish_reason"]
            )
        expected = [answers[index] for index in sorted(answers)]
        return call(
            Once(made), expects=expected, why=why, text=lambda: listed(made)
        )

    yield from chapter.each("assemble", case)
    several = chunk(index=2, finish_reason="content_filter")
    several.choices += chunk("one").choices + chunk("two", index=1).choices
    why = (
        "A chunk may hold several choices, in any order. An answer without text is"
        " still an answer."
    )
    yield case([several, {"end": "stop"}, {"index": 1, "end": "stop"}], why)
    for n in (2, 3, 12):
        lanes = [
            [{"index": i, "text": bit} for bit in bits(rng)] for i in range(n)
        ]
        for i, lane in enumerate(lanes):
            lane.append({"index": i, "end": rng.choice(["stop", "length"])})
        yield case(interleaved(lanes, rng))


@chapter.exercise
def timing(rng: Random) -> Iterator[Case]:
    """When the first text of a stream arrived, the gaps, and the total."""

    def case(events: Sequence[tuple[float, Any]], why: str = "") -> Case:
        made = [(at, chunk_of(one)) for at, one in events]
        arrivals = [
            at
            for at, each in made
            if any(choice.delta.content for choice in each.choices)
        ]
        expected = {
            "first_token": arrivals[0] if arrivals else None,
            "gaps": [later - earlier for earlier, later in pairwise(arrivals)],
            "total": made[-1][0] if made else None,
        }

        def text() -> str:
            shown = ", ".join(f"{at:g} s {short(each)}" for at, each in made)
            return f"(events), the contents of their chunks: {shown or 'none'}"

        return call(Once(made), expects=expected, why=why, text=text)

    yield from chapter.each("timing", case)
    yield case(
        [(number / 7, "a") for number in range(30)],
        "Each gap counts, and none is rounded.",
    )
    for _ in range(4):
        chunks = [{"role": "assistant"}, *bits(rng), {"end": "stop"}]
        seconds = accumulate(rng.randint(50, 800) / 10_000 for _ in chunks)
        yield case(list(zip(seconds, chunks, strict=True)))


@chapter.exercise
def read_until(rng: Random) -> Iterator[Case]:
    """A streamed answer, read no further than needed, and its stream closed."""
    yield from chapter.each("read_until", reading_until)
    for error in (ValueError("enough is broken"), KeyboardInterrupt("Stop")):
        yield reading_until([*bits(rng), {"end": "stop"}], "", raises=error)
    for _ in range(4):
        texts = bits(rng)
        yield reading_until([*texts, {"end": "stop"}, {}], rng.choice(texts))


@chapter.exercise
def stream_result(rng: Random) -> Iterator[Case]:
    """The text of a stream, and how it ended."""
    import openai

    yield from chapter.each("stream_result", resulting)
    given = "stream_result(stream), where the stream raises an APITimeoutError"
    slow = {"text": "One", "status": "interrupted"}
    yield Case(
        given,
        lambda fn: result_of(
            fn, Broken(connection_error(timeout=True), chunk("One"))
        ),
        slow,
    )
    bug = "This is a bug, not an ending: an except clause that is too broad would hide it."
    for error in (
        ZeroDivisionError("a bug"),
        ValueError("a bug"),
        OSError("a bug"),
        openai.OpenAIError("a bug"),
    ):
        given = f"stream_result(stream), where the stream raises: {error!r}"
        yield Case(given, partial(_raising, error), Raises(type(error)), bug)
    for _ in range(4):
        ending = rng.choice(["lost", "reported", "garbled", "", ""])
        status = {
            "lost": "interrupted",
            "reported": "error",
            "garbled": "error",
            "": "truncated",
        }[ending]
        yield resulting(
            [*bits(rng), *([] if ending else [{"end": "length"}])],
            status,
            ending,
        )


def _raising(error: Exception, function: Function) -> Any:
    return function(Broken(error, chunk("One")))
