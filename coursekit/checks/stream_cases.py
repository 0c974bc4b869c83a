"""What the cases of chapter 04 share: made-up texts, streams shown in short, and what reading a
part of one gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

from ..offline.exchange import ApiAnswer
from ..offline.faults import within
from .answers import stream
from .case import Case, Function

Fault = Callable[[ApiAnswer], ApiAnswer]

PIECES = [
    "Gradient",
    " descent",
    " walks",
    " down",
    "hill",
    ",",
    " step",
    " by",
    " step",
    ".",
    " Then",
    " it",
    " stops",
]


FAULTS: dict[
    str, tuple[str, str, Callable[[int], Fault]]
] = {  # an ending: what happens, what to think of, the fault
    "interrupted": (
        "loses its connection",
        "The connection broke. Keep the text that had come.",
        lambda after: lambda answer: within.cut(answer, after, abrupt=True),
    ),
    "error": (
        "reports an error",
        "The API reported an error in mid-stream: a plain APIError.",
        lambda after: lambda answer: within.report(answer, after),
    ),
}


def garbled(answer: ApiAnswer) -> ApiAnswer:
    """The answer with broken JSON after its first text."""
    return within.garble(answer, 1)


def same(answer: ApiAnswer) -> ApiAnswer:
    """The answer as it is."""
    return answer


def opened(chunks: Sequence[Any], fault: Fault) -> Iterable[Any]:
    """The SDK's stream of these chunks, with that fault in it."""
    from .script import Script

    script = Script(fault(Script()._as_answer(chunks)))
    return script.client.chat.completions.create(
        model="gpt-4o", messages=question(), stream=True
    )


def question() -> list[Any]:
    """Some messages, made anew: a learner's function may change them."""
    return [{"role": "user", "content": "Explain gradient descent."}]


def request_text(body: dict[str, Any]) -> str:
    """What counts of a request in these cases."""
    messages = (
        "the messages as given"
        if body.get("messages") == question()
        else "other messages"
    )
    more = sorted(set(body) - {"model", "stream", "stream_options", "messages"})
    return f"{body.get('model')}, stream={body.get('stream')}, {messages}" + "".join(
        f", {name}" for name in more
    )


class Broken:
    """A stream of these chunks, then this error."""

    def __init__(self, error: Exception, *chunks: Any) -> None:
        self.error, self.chunks = error, chunks

    def __iter__(self) -> Iterator[Any]:
        yield from self.chunks
        raise self.error

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to close."""


def pieces(rng: Random) -> list[str]:
    """Some pieces of text."""
    return rng.choices(PIECES, k=rng.randint(3, 9))


def interleaved(lanes: list[list[Any]], rng: Random) -> list[Any]:
    """All items, those of each lane in their order."""
    turns = [number for number, lane in enumerate(lanes) for _ in lane]
    rng.shuffle(turns)
    rest = [iter(lane) for lane in lanes]
    return [next(rest[number]) for number in turns]


def read(chunks: Iterable[Any], enough: Callable[[str], bool]) -> tuple[str, float]:
    """What is read until it is enough, and when the last chunk that it takes comes; one comes each
    0.1 s.
    """
    text, seconds = "", 0.0
    for number, piece in enumerate(chunks):
        seconds = number * 0.1
        for choice in piece.choices:
            text += choice.delta.content or ""
            if choice.delta.content and enough(text):
                return text, seconds
    return text, seconds


def read_case(
    chunks: Sequence[Any], enough: Callable[[str], bool], words: str, why: str = ""
) -> Case:
    """The case of ``read_until()`` with a stream of these chunks."""

    def run(function: Function) -> Any:
        from .script import Script

        script = Script(chunks)
        came = function(script.client, question(), enough)
        asked = list(map(request_text, script.requests))
        seconds = script.clock.now()
        return {
            "asked": asked,
            "returned": came,
            "read for (s)": seconds,
            "left open": script.left_open,
        }

    text, seconds = read(chunks, enough)
    asked = ["gpt-4o, stream=True, the messages as given"]
    expected = {
        "asked": asked,
        "returned": text,
        "read for (s)": seconds,
        "left open": 0,
    }
    given = (
        f"read_until(client, messages, enough): enough is {words}; a piece each 0.1 s: "
        f"{shown(chunks)}"
    )
    return Case(given, run, expected, why)


def raising_case() -> Case:
    """The case of ``read_until()`` where ``enough`` raises."""

    def enough(text: str) -> bool:
        raise ValueError("enough is broken")

    def run(function: Function) -> Any:
        from .script import Script

        script = Script(stream(PIECES))
        try:
            came = function(script.client, question(), enough)
        except ValueError as error:
            return {"raised": str(error), "left open": script.left_open}
        return {"returned": came, "left open": script.left_open}

    given = "read_until(client, messages, enough): enough raises ValueError('enough is broken')"
    expected = {"raised": "enough is broken", "left open": 0}
    return Case(
        given,
        run,
        expected,
        "The error comes through, and the stream is closed all the same.",
    )


def reading(chunks: Sequence[Any], expected: Any, why: str) -> Case:
    """The case of a function of chunks. It gets an iterator: like a real stream, it can be read
    once only.
    """
    given = f"(chunks), their contents: {shown(chunks)}"
    return Case(given, lambda function: function(iter(list(chunks))), expected, why)


def shown(chunks: Sequence[Any]) -> str:
    """The contents of the chunks, for a learner to read; with their index where there are several
    answers.
    """
    several = any(choice.index for piece in chunks for choice in piece.choices)
    return ", ".join(piece_text(piece, several) for piece in chunks) or "none"


def piece_text(piece: Any, several: bool = False) -> str:
    """A chunk in a few characters."""
    if not piece.choices:
        return "(no choices)"
    told = []
    for choice in piece.choices:
        words = (
            f"{choice.index}: {choice.delta.content!r}"
            if several
            else repr(choice.delta.content)
        )
        told.append(
            words + (f" ({choice.finish_reason})" if choice.finish_reason else "")
        )
    return " + ".join(told)


def result_of(function: Function, stream: Iterable[Any]) -> dict[str, Any]:
    """What ``stream_result(stream)`` brought, as plain values."""
    came = function(stream)
    return {
        "text": getattr(came, "text", came),
        "status": getattr(came, "status", "no .status"),
    }


def broken_case(error: Exception, what: str, status: str) -> Case:
    """The case of ``stream_result()`` with a stream that raises before any text."""
    given = f"stream_result(stream), where the stream {what}"
    return Case(
        given,
        lambda function: result_of(function, Broken(error)),
        {"text": "", "status": status},
    )
