"""Checks for chapter 04: assembling a stream, timing it, stopping early, and telling its endings
apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

from ...offline.exchange import DONE, ApiAnswer, Event, sse
from ..engine import Case, Chapter, Function, Once, Raises, call
from ..engine.answers import (
    chunk,
    error_named,
    message,
    usage,
    usage_chunk,
)
from ..engine.script import Script, stream_answer

GAP = 0.1  # seconds between two chunks
PROMPT = [message("user", "Explain gradient descent.")]
ENDINGS = {
    "": "ends",
    "lost": "loses its connection",
    "reported": "reports an error",
    "garbled": "has an event with broken JSON",
}

chapter = Chapter(__file__)


@chapter.exercise
def text_of(chunks: list[Any], expects: str, why: str = "") -> Case:
    """The text of a streamed answer, with or without its usage."""
    return _of_chunks(chunks, expects, why)


@chapter.exercise
def assemble(
    chunks: list[Any], expects: list[dict[str, Any]], why: str = ""
) -> Case:
    """The answers in one stream with n > 1, each assembled."""
    return _of_chunks(chunks, expects, why)


@chapter.exercise
def timing(events: list[Any], expects: dict[str, Any], why: str = "") -> Case:
    """When the first text in a stream arrived, the gaps, and the total."""
    made = [(at, chunk_of(row)) for at, row in events]

    def text() -> str:
        shown = ", ".join(f"{at:g} s {short(each)}" for at, each in made)
        return f"(events), the contents of their chunks: {shown or 'none'}"

    return call(Once(made), expects=expects, why=why, text=text)


@chapter.exercise
def read_until(
    chunks: list[Any], until: str, reads: int, error: str = ""
) -> Case:
    """A streamed answer that is read only as far as needed, and whose stream is then closed."""
    made = list(map(chunk_of, chunks))
    raised = error_named(error)
    contents = [
        choice.delta.content for each in made[:reads] for choice in each.choices
    ]
    texts = list(accumulate(filter(None, contents)))

    def run(function: Function) -> Any:
        script, calls = Script(made, gap=GAP), []

        def enough(text: str) -> bool:
            calls.append(text)
            if raised:
                raise raised
            return until in text

        asking = call(PROMPT, enough, expects=None)
        try:
            returned = asking.run(partial(function, script.client))
        except BaseException as caught:
            if caught is not raised:
                raise
            returned = f"raised {caught!r}"
        return {
            "requests": [
                {k: v for k, v in body.items() if k != "stream_options"}
                for body in script.requests
            ],
            "enough got": calls,
            "returned": returned,
            "seconds": script.clock.now(),
            "left open": script.left_open,
        }

    expected = {
        "requests": [{"messages": PROMPT, "model": "gpt-4o", "stream": True}],
        "enough got": texts,
        "returned": f"raised {raised!r}" if raised else "".join(texts[-1:]),
        "seconds": max(reads - 1, 0) * GAP,
        "left open": 0,
    }
    why = "Let an exception from enough propagate." if raised else ""
    what = f"raises {raised!r}" if raised else f"is {until!r} in text"
    given = "read_until(client, messages, enough): enough {}; a chunk each 0.1 s: {}"
    return Case(
        lambda: given.format(what, ", ".join(map(short, made))),
        run,
        expected,
        why,
    )


@chapter.exercise
def stream_result(
    chunks: list[Any],
    status: str = "",
    ending: str = "",
    error: str = "",
    expects: Raises | None = None,
    why: str = "",
) -> Case:
    """The text of a stream, and how it ended."""
    made = list(map(chunk_of, chunks))
    text = "".join(
        choice.delta.content or "" for each in made for choice in each.choices
    )
    raised = error_named(error)

    def run(function: Function) -> Any:
        stream: Any = Broken(raised, made)
        if not raised:
            completions = Script(
                _with_ending(made, ending)
            ).client.chat.completions
            stream = completions.create(
                model="gpt-4o", messages=PROMPT, stream=True
            )
        result = function(stream)
        return {
            "text": getattr(result, "text", result),
            "status": getattr(result, "status", "no .status"),
        }

    how = f"raises {raised!r}" if raised else ENDINGS[ending]
    return Case(
        lambda: (
            f"stream_result(stream), where the stream {how} after: "
            + (", ".join(map(short, made)) or "nothing")
        ),
        run,
        expects or {"text": text, "status": status},
        why,
    )


def _with_ending(chunks: list[Any], ending: str) -> ApiAnswer:
    whole = stream_answer(chunks)
    events = whole.events or ()
    if not ending:
        return whole
    events = tuple(event for event in events if event.data != DONE)
    at = events[-1].at if events else 0.0
    if ending == "lost":
        return replace(whole, events=events, breaks=True)
    error = {
        "message": "The server had an error.",
        "type": "server_error",
        "param": None,
        "code": None,
    }
    last = (
        sse({"error": error})
        if ending == "reported"
        else b'data: {"id": "chatcmpl-\n\n'
    )
    return replace(whole, events=(*events, Event(at, last)))


class Broken(Iterator[Any], AbstractContextManager[Any]):
    """A stream with these chunks and then this error."""

    def __init__(self, error: Exception, chunks: list[Any]) -> None:
        self.error, self.chunks = error, iter(chunks)

    def __next__(self) -> Any:
        for each in self.chunks:
            return each
        raise self.error

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""


def chunk_of(row: Any) -> Any:
    """Return a chunk from exercises.toml, which describes the format. A list is a chunk with
    several choices.
    """
    if isinstance(row, str):
        return chunk(row)
    if isinstance(row, list):
        made = list(map(chunk_of, row))
        made[0].choices = [each.choices[0] for each in made]
        return made[0]
    if not row:
        return usage_chunk(usage(9, 6))
    return chunk(
        row.get("text"),
        index=row.get("index", 0),
        role=row.get("role"),
        finish_reason=row.get("end"),
    )


def _of_chunks(chunks: list[Any], expected: Any, why: str) -> Case:
    made = list(map(chunk_of, chunks))

    def text() -> str:
        # with their index if there are several answers
        several = any(choice.index for each in made for choice in each.choices)
        shown = ", ".join(short(each, several) for each in made)
        return f"(chunks), their contents: {shown or 'none'}"

    return call(Once(made), expects=expected, why=why, text=text)


def short(piece: Any, several: bool = False) -> str:
    """Describe a chunk in a few characters."""
    parts = []
    for choice in piece.choices:
        index = f"{choice.index}: " if several else ""
        end = f" ({choice.finish_reason})" if choice.finish_reason else ""
        parts.append(f"{index}{choice.delta.content!r}{end}")
    return " + ".join(parts) or "(no choices)"
