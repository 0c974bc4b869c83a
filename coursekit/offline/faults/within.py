"""What goes wrong within an answer: pure functions from the answer as it should be to the one that
arrives.

``after`` is the number of chunks with content that arrive untouched; None: half of those there are.
Of an answer that is not streamed the half that arrives is half of its bytes.
"""

from __future__ import annotations

from dataclasses import replace

from ..event_stream import json_of
from ..exchange import DONE, ApiAnswer, Event, sse
from ..limits.errors import stream_error

PIECES = 10  # in which a whole answer drips


def cut(answer: ApiAnswer, after: int | None, abrupt: bool) -> ApiAnswer:
    """The answer ends early. A stream may end in good order; a body without its end can only be a
    broken connection.
    """
    if answer.events is None:
        return replace(answer, body=answer.body[: len(answer.body) // 2], breaks=True)
    return replace(
        answer, events=answer.events[: _place(answer.events, after)], breaks=abrupt
    )


def garble(answer: ApiAnswer, after: int | None) -> ApiAnswer:
    """One event, or the whole body, loses its second half: what is left is no JSON."""
    if answer.events is None:
        return replace(answer, body=answer.body[: len(answer.body) // 2])
    place = min(_place(answer.events, after), len(answer.events) - 1)
    broken = [
        Event(struck.at, struck.data[: len(struck.data) // 2] + b"\n\n")
        for struck in answer.events[place:][:1]
    ]
    return replace(
        answer, events=(*answer.events[:place], *broken, *answer.events[place + 1 :])
    )


def report(answer: ApiAnswer, after: int | None) -> ApiAnswer:
    """The rest of a stream is an event that reports an error, and the [DONE] that still follows
    it.
    """
    events = answer.events or ()
    place = _place(events, after)
    at = events[min(place, len(events) - 1)].at if events else answer.after
    return replace(
        answer,
        events=(*events[:place], Event(at, sse(stream_error())), Event(at, DONE)),
    )


def drip(answer: ApiAnswer, after: int | None, seconds: float) -> ApiAnswer:
    """Each event from there on comes ``seconds`` later after its predecessor; a whole answer comes
    in ten pieces.
    """
    if answer.events is None:
        size = max(1, -(-len(answer.body) // PIECES))
        pieces = [answer.body[i : i + size] for i in range(0, len(answer.body), size)]
        events = [
            Event(answer.after + seconds * (i + 1), piece)
            for i, piece in enumerate(pieces)
        ]
        return replace(answer, body=b"", events=tuple(events))
    place = _place(answer.events, after)
    late = [
        Event(event.at + seconds * (i + 1), event.data)
        for i, event in enumerate(answer.events[place:])
    ]
    return replace(answer, events=(*answer.events[:place], *late))


def _place(events: tuple[Event, ...], after: int | None) -> int:
    """The index of the event that follows ``after`` chunks with content."""
    content = [i for i, event in enumerate(events) if _has_content(event)]
    if not content:
        return min(1, len(events))  # the first event only tells the role
    wanted = len(content) // 2 if after is None else min(after, len(content))
    return content[wanted - 1] + 1 if wanted else content[0]


def _has_content(event: Event) -> bool:
    try:
        deltas = [choice["delta"] for choice in (json_of(event.data) or {})["choices"]]
    except (LookupError, TypeError):
        return False
    return any(
        delta.get("content") or delta.get("tool_calls") or delta.get("refusal")
        for delta in deltas
    )
