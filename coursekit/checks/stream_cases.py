"""What the cases of chapter 04 share: made-up texts, streams shown in short, and what reading a part of one gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

from ..offline import stream_faults
from ..offline.exchange import ApiAnswer
from .answers import chunk
from .case import Case

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


FAULTS: dict[str, tuple[str, str, Callable[[int], Fault]]] = {  # an ending: what happens, what to think of, the fault
    "interrupted": (
        "loses its connection",
        "The connection broke. Keep the text that had come.",
        lambda after: lambda answer: stream_faults.cut(answer, after, abrupt=True),
    ),
    "error": (
        "reports an error",
        "The API reported an error in mid-stream: a plain APIError.",
        lambda after: lambda answer: stream_faults.report(answer, after),
    ),
}


def garbled(answer: ApiAnswer) -> ApiAnswer:
    """The answer with broken JSON after its first text."""
    return stream_faults.garble(answer, 1)


def same(answer: ApiAnswer) -> ApiAnswer:
    """The answer as it is."""
    return answer


def opened(chunks: Sequence[Any], fault: Fault) -> Iterable[Any]:
    """The SDK's stream of these chunks, with that fault in it."""
    from .script import Script

    script = Script(fault(Script()._as_answer(chunks)))
    return script.client.chat.completions.create(model="gpt-4o", messages=question(), stream=True)


def question() -> list[Any]:
    """Some messages, made anew: a learner's function may change them."""
    return [{"role": "user", "content": "Explain gradient descent."}]


def request_text(body: dict[str, Any]) -> str:
    """What counts of a request in these cases."""
    messages = "the messages as given" if body.get("messages") == question() else "other messages"
    return f"{body.get('model')}, stream={body.get('stream')}, {messages}"


class Bug:
    """A stream with a bug in it."""

    def __iter__(self) -> Iterator[Any]:
        yield chunk("One")
        raise ZeroDivisionError("a bug")

    def __enter__(self) -> Bug:
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
    """What is read until it is enough, and when the last chunk that it takes comes; one comes each 0.1 s."""
    text, seconds = "", 0.0
    for number, piece in enumerate(chunks):
        seconds = number * 0.1
        for choice in piece.choices:
            text += choice.delta.content or ""
            if choice.delta.content and enough(text):
                return text, seconds
    return text, seconds


def reading(chunks: Sequence[Any], expected: Any, why: str) -> Case:
    """The case of a function of chunks. It gets an iterator: like a real stream, it can be read once only."""
    given = f"(chunks), their contents: {shown(chunks)}"
    return Case(given, lambda function: function(iter(list(chunks))), expected, why)


def shown(chunks: Sequence[Any]) -> str:
    """The contents of the chunks, for a learner to read; with their index where there are several answers."""
    several = any(choice.index for piece in chunks for choice in piece.choices)
    return ", ".join(piece_text(piece, several) for piece in chunks) or "none"


def piece_text(piece: Any, several: bool = False) -> str:
    """A chunk in a few characters."""
    if not piece.choices:
        return "(no choices)"
    told = []
    for choice in piece.choices:
        words = f"{choice.index}: {choice.delta.content!r}" if several else repr(choice.delta.content)
        told.append(words + (f" ({choice.finish_reason})" if choice.finish_reason else ""))
    return " + ".join(told)
