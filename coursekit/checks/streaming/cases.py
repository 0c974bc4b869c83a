"""What the cases of chapter 04 share: chunks out of data, streams shown in short, and streams that
end badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from ...offline.exchange import DONE, ApiAnswer, Event, sse
from ..engine import Case, Function, changed
from ..engine.answers import chunk, message, usage, usage_chunk
from ..engine.describe import message_lines
from ..engine.script import Script, stream_answer

BITS = [
    "Gradient",
    " descent",
    " walks",
    " down",
    "hill",
    ",",
    " step",
    " by",
    ".",
    " Then",
    " it",
    " stops",
]
ENDINGS = {
    "": "ends",
    "lost": "loses its connection",
    "reported": "reports an error",
    "garbled": "has an event with broken JSON",
}
PROMPT = "Explain gradient descent."


def chunk_of(data: Any) -> Any:
    """A chunk out of exercises.toml, which describes the form; a chunk is unchanged."""
    if isinstance(data, str):
        return chunk(data)
    if not isinstance(data, dict):
        return data
    if not data:
        return usage_chunk(usage(9, 6))
    return chunk(
        data.get("text"),
        index=data.get("index", 0),
        role=data.get("role"),
        finish_reason=data.get("end"),
    )


def bits(rng: Random) -> list[str]:
    """Some pieces of text."""
    return rng.choices(BITS, k=rng.randint(3, 9))


def interleaved(lanes: list[list[Any]], rng: Random) -> list[Any]:
    """All items, those of each lane in their order."""
    turns = [number for number, lane in enumerate(lanes) for _ in lane]
    rng.shuffle(turns)
    rest = [iter(lane) for lane in lanes]
    return [next(rest[number]) for number in turns]


def listed(chunks: Sequence[Any]) -> str:
    """The contents of the chunks, for a learner to read; with their index if there are several
    answers.
    """
    several = any(choice.index for each in chunks for choice in each.choices)
    shown = ", ".join(short(each, several) for each in chunks)
    return f"(chunks), their contents: {shown or 'none'}"


def short(piece: Any, several: bool = False) -> str:
    """A chunk in a few characters."""
    parts = []
    for choice in piece.choices:
        index = f"{choice.index}: " if several else ""
        end = f" ({choice.finish_reason})" if choice.finish_reason else ""
        parts.append(f"{index}{choice.delta.content!r}{end}")
    return " + ".join(parts) or "(no choices)"


def reading_until(
    chunks: Sequence[Any], until: str, raises: BaseException | None = None
) -> Case:
    """The case of ``read_until()`` with a stream of these chunks, 0.1 s apart, where enough is
    ``until in text``.

    raises  what ``enough`` raises instead
    """
    made = [chunk_of(one) for one in chunks]
    texts, seconds = _read(made, until)

    def run(function: Function) -> Any:
        script, calls = Script(made), []

        def enough(text: str) -> bool:
            calls.append(text)
            if raises:
                raise raises
            return until in text

        messages = [message("user", PROMPT)]
        try:
            returned = function(script.client, messages, enough)
        except BaseException as error:
            if error is not raises:
                raise
            returned = f"raised {error!r}"
        if misuse := changed(
            [messages],
            [[message("user", PROMPT)]],
            lambda: message_lines(messages),
        ):
            return misuse
        return {
            "requests": list(map(_request, script.requests)),
            "enough got": calls,
            "returned": returned,
            "seconds": script.clock.now(),
            "left open": script.left_open,
        }

    expected = {
        "requests": ["gpt-4o, stream=True, the messages as given"],
        "enough got": texts[:1] if raises else texts,
        "returned": f"raised {raises!r}"
        if raises
        else texts[-1]
        if texts
        else "",
        "seconds": seconds,
        "left open": 0,
    }
    why = "Let an exception from enough propagate." if raises else ""
    what = f"raises {raises!r}" if raises else f"is {until!r} in text"
    given = "read_until(client, messages, enough): enough {}; a chunk each 0.1 s: {}"
    return Case(
        lambda: given.format(what, ", ".join(map(short, made))),
        run,
        expected,
        why,
    )


def _read(chunks: Sequence[Any], until: str) -> tuple[list[str], float]:
    """What ``enough`` gets, and when the last chunk that is needed arrives."""
    texts: list[str] = []
    for number, each in enumerate(chunks):
        for choice in each.choices:
            if choice.delta.content:
                texts.append(
                    (texts[-1] if texts else "") + choice.delta.content
                )
                if until in texts[-1]:
                    return texts, number * 0.1
    return texts, max(len(chunks) - 1, 0) * 0.1


def _request(body: dict[str, Any]) -> str:
    """What counts of a request in these cases."""
    messages = (
        "the messages as given"
        if body.get("messages") == [message("user", PROMPT)]
        else "other messages"
    )
    more = sorted(set(body) - {"model", "stream", "stream_options", "messages"})
    return ", ".join(
        [
            str(body.get("model")),
            f"stream={body.get('stream')}",
            messages,
            *more,
        ]
    )


def resulting(
    chunks: Sequence[Any], status: str, ending: str = "", why: str = ""
) -> Case:
    """The case of ``stream_result()`` with a stream of these chunks and one of ENDINGS."""
    made = [chunk_of(one) for one in chunks]
    text = "".join(
        choice.delta.content or "" for each in made for choice in each.choices
    )

    def run(function: Function) -> Any:
        client = Script(_with_ending(made, ending)).client
        messages: Any = [message("user", PROMPT)]
        return result_of(
            function,
            client.chat.completions.create(
                model="gpt-4o", messages=messages, stream=True
            ),
        )

    given = f"stream_result(stream), where the stream {ENDINGS[ending]} after: "
    return Case(
        lambda: given + (", ".join(map(short, made)) or "nothing"),
        run,
        {"text": text, "status": status},
        why,
    )


def _with_ending(chunks: Sequence[Any], ending: str) -> ApiAnswer:
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


def result_of(function: Function, stream: Iterable[Any]) -> dict[str, Any]:
    """What ``stream_result(stream)`` returned, as plain values."""
    result = function(stream)
    return {
        "text": getattr(result, "text", result),
        "status": getattr(result, "status", "no .status"),
    }


class Broken:
    """A stream of these chunks, then this error."""

    def __init__(self, error: Exception, *chunks: Any) -> None:
        self._chunks = self._read(error, chunks)

    def _read(self, error: Exception, chunks: Sequence[Any]) -> Iterator[Any]:
        yield from chunks
        raise error

    def __iter__(self) -> Iterator[Any]:
        return self._chunks

    def __next__(self) -> Any:
        return next(self._chunks)

    def __enter__(self) -> Broken:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to close."""
