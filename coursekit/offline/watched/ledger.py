"""The ledger of attempts: the answer to each request to the offline API, and how far it was
delivered.

The doors (``transport``, ``server``) write it, because only they see the delivery. Nothing is
parsed on entry: ``verdict`` works out what it means, on demand.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...foundation.retry_after import seconds_to_wait
from ..event_stream import data_of, is_done, is_error
from ..exchange import NEVER, ApiAnswer, ApiRequest

SIZE = 10_000  # attempts; older ones are forgotten


@dataclass(slots=True, eq=False)
class LoggedAttempt:
    """One request on the wire, and its answer. Times are seconds of API time.

    at        when it was sent
    body      a number that is the same for the same request body
    model     as the body names it
    retry     the SDK's count (x-stainless-retry-count): 0 for a first attempt
    answer    what the server said
    received  "all" of what the server sent; "timed out": the caller's timeout ended it; or
              "left": the caller went away, or is still reading
    ended_at  when it was received, or given up
    """

    at: float
    body: int
    model: str
    retry: int
    answer: ApiAnswer
    ended_at: float
    received: str = "left"

    def finish(self, received: str, at: float) -> None:
        """Called by the door: how the delivery ended, and when."""
        self.received, self.ended_at = received, at

    @property
    def status(self) -> int:
        """The HTTP status; 0: there was no answer at all."""
        return 0 if self.answer.after == NEVER else self.answer.status

    @property
    def streamed(self) -> bool:
        return self.answer.headers.get("content-type", "").startswith(
            "text/event-stream"
        )

    @property
    def sent(self) -> str:
        """What the server sent.

        whole      all of an answer
        cut        a stream that ends in good order, but without [DONE]
        broken     the connection broke
        error      a stream that reports an error
        malformed  broken JSON
        """
        answer, events = self.answer, self.answer.events or ()
        if answer.breaks:
            return "broken"
        if answer.forward is not None:  # nothing of it was stored
            return "whole"
        if not self.streamed:
            body = answer.body or b"".join(event.data for event in events)
            return "whole" if _is_json(body) else "malformed"
        if any(is_error(event.data) for event in events):
            return "error"
        if not all(_is_readable(event.data) for event in events):
            return "malformed"
        return "whole" if events and is_done(events[-1].data) else "cut"

    @property
    def code(self) -> str | None:
        """error.code, else error.type; "request_too_large" for that kind of rate limit."""
        with contextlib.suppress(ValueError, LookupError, TypeError):
            error: dict[str, Any] = json.loads(self.answer.body)["error"]
            # The one 429 without Retry-After: no wait makes room for this request.
            if error["type"] == "tokens" and self.retry_after is None:
                return "request_too_large"
            return str(error["code"] or error["type"])
        return None

    @property
    def retry_after(self) -> float | None:
        """Seconds (> 0) that the answer asks to wait; None: it does not say."""
        return seconds_to_wait(self.answer.headers)


class Ledger:
    """The latest attempts, oldest first."""

    def __init__(self, size: int = SIZE) -> None:
        self._attempts: deque[LoggedAttempt] = deque(maxlen=size)

    def open(
        self, request: ApiRequest, answer: ApiAnswer, at: float
    ) -> LoggedAttempt:
        """Enter a request sent at ``at`` and its answer. The door then calls ``finish``."""
        retry = request.headers.get("x-stainless-retry-count", "0")
        attempt = LoggedAttempt(
            at=at,
            body=hash((request.path, request.raw)),
            model=request.model,
            retry=int(retry) if retry.isdecimal() and len(retry) < 9 else 0,
            answer=answer,
            ended_at=at + answer.after,
        )
        self._attempts.append(attempt)
        return attempt

    def __iter__(self) -> Iterator[LoggedAttempt]:
        return iter(list(self._attempts))

    def __len__(self) -> int:
        return len(self._attempts)


def _is_readable(data: bytes) -> bool:
    # True of nearly all events, and far cheaper than parsing them.
    if data.endswith(b"}\n\n") and data.count(b"{") == data.count(b"}"):
        return True
    text = data_of(data)
    return text is None or is_done(data) or _is_json(text)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
