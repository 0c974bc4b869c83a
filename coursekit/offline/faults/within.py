"""Faults within an answer: pure functions from the right answer to the one that arrives.

``after`` is the number of chunks with content that arrive unchanged; None: half of them. If the
answer is not streamed, half of its bytes arrive.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ..event_stream import json_of
from ..exchange import DONE, ApiAnswer, Event, sse
from ..limits.errors import stream_error

PIECES = 10  # of a whole answer that drips
CONTENT = ("content", "tool_calls", "refusal")


def cut(answer: ApiAnswer, after: int | None, abrupt: bool) -> ApiAnswer:
    """The answer ends early. A stream may end cleanly; a body breaks off."""
    if answer.events is None:
        return replace(answer, body=_half(answer.body), breaks=True)
    place = _place(answer.events, after)
    return replace(answer, events=answer.events[:place], breaks=abrupt)


def garble(answer: ApiAnswer, after: int | None) -> ApiAnswer:
    """One event, or the whole body, loses its second half: the rest is broken JSON."""
    if answer.events is None:
        return replace(answer, body=_half(answer.body))
    events = list(answer.events)
    if events:
        place = min(_place(answer.events, after), len(events) - 1)
        struck = events[place]
        events[place] = Event(struck.at, _half(struck.data) + b"\n\n")
    return replace(answer, events=tuple(events))


def report(answer: ApiAnswer, after: int | None) -> ApiAnswer:
    """A stream ends with an event that reports an error, and the [DONE] that follows it."""
    events = answer.events or ()
    place = _place(events, after)
    at = events[min(place, len(events) - 1)].at if events else answer.after
    end = Event(at, sse(stream_error())), Event(at, DONE)
    return replace(answer, events=(*events[:place], *end))


def drip(answer: ApiAnswer, after: int | None, seconds: float) -> ApiAnswer:
    """Each event is ``seconds`` late after the one before; a whole answer arrives in ten pieces."""
    if answer.events is None:
        body, size = answer.body, max(1, math.ceil(len(answer.body) / PIECES))
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        events = tuple(Event(answer.after, piece) for piece in pieces)
        return replace(answer, body=b"", events=_late(events, seconds))
    place = _place(answer.events, after)
    late = _late(answer.events[place:], seconds)
    return replace(answer, events=(*answer.events[:place], *late))


def _late(events: tuple[Event, ...], seconds: float) -> tuple[Event, ...]:
    return tuple(
        Event(event.at + seconds * i, event.data)
        for i, event in enumerate(events, 1)
    )


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _place(events: tuple[Event, ...], after: int | None) -> int:
    """The index of the event that follows ``after`` chunks with content."""
    content = [i for i, event in enumerate(events) if _has_content(event)]
    if not content:
        return min(1, len(events))  # the first event has only the role
    wanted = len(content) // 2 if after is None else min(after, len(content))
    return content[wanted - 1] + 1 if wanted else content[0]


def _has_content(event: Event) -> bool:
    try:
        deltas = [
            choice["delta"] for choice in (json_of(event.data) or {})["choices"]
        ]
    except (LookupError, TypeError):
        return False
    return any(delta.get(name) for delta in deltas for name in CONTENT)
