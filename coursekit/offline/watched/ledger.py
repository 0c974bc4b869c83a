"""The ledger of attempts: which answer each request to the offline API got, and how far it got.

The doors keep it (``transport``, ``server``), because only they see the delivery. An entry is made
without reading anything again; what it means is worked out when somebody asks, by ``verdict``.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..event_stream import data_of, is_done, is_error
from ..exchange import NEVER, ApiAnswer, ApiRequest

KEPT = 10_000  # attempts; older ones are forgotten


@dataclass(slots=True)
class Attempt:
    """One request on the wire and what became of it. Times are seconds of API time.

    at        when it was sent
    body      a number that is the same for the same request body
    model     as the body names it
    retry     the SDK's count (x-stainless-retry-count): 0 for a first attempt
    answer    what the server said
    received  "all" of what the server sent; "timed out": the caller's timeout came first; or
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
        """For the door: how the delivery ended, and when."""
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
        """What the server sent: "whole"; "cut" (a stream that ends in good order without [DONE]);
        "broken" (the connection breaks); "error" (a stream that reports an error); "malformed"
        (broken JSON)."""
        answer, events = self.answer, self.answer.events or ()
        if answer.breaks:
            return "broken"
        if (
            answer.forward is not None
        ):  # it passed as it came, and nothing of it was kept
            return "whole"
        if not self.streamed:
            return (
                "whole"
                if _is_json(answer.body or b"".join(event.data for event in events))
                else "malformed"
            )
        if any(is_error(event.data) for event in events):
            return "error"
        if not all(_is_readable(event.data) for event in events):
            return "malformed"
        return "whole" if events and is_done(events[-1].data) else "cut"

    @property
    def code(self) -> str | None:
        """error.code, else error.type, of an error; "request_too_large" for that kind of rate
        limit.
        """
        with contextlib.suppress(ValueError, LookupError, TypeError):
            error: dict[str, Any] = json.loads(self.answer.body)["error"]
            # The one 429 without Retry-After: no wait makes room for this request.
            if error["type"] == "tokens" and self.retry_after is None:
                return "request_too_large"
            return str(error["code"] or error["type"])
        return None

    @property
    def retry_after(self) -> float | None:
        """Seconds, as the SDK reads them: retry-after-ms goes before retry-after."""
        for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
            with contextlib.suppress(ValueError):
                if name in self.answer.headers:
                    return float(self.answer.headers[name]) / unit
        return None


class Ledger:
    """The latest attempts, in the order in which they came."""

    def __init__(self, kept: int = KEPT) -> None:
        self._attempts: deque[Attempt] = deque(maxlen=kept)

    def open(self, request: ApiRequest, answer: ApiAnswer, at: float) -> Attempt:
        """Enter a request that came at ``at`` and gets this answer. The door tells by ``finish``
        how that went.
        """
        model = request.body.get("model", "") if isinstance(request.body, dict) else ""
        retry = request.headers.get("x-stainless-retry-count", "0")
        attempt = Attempt(
            at=at,
            body=hash((request.path, request.raw)),
            model=str(model),
            retry=int(retry) if retry.isdecimal() and len(retry) < 9 else 0,
            answer=answer,
            ended_at=at + answer.after,
        )
        self._attempts.append(attempt)
        return attempt

    def __iter__(self) -> Iterator[Attempt]:
        return iter(list(self._attempts))

    def __len__(self) -> int:
        return len(self._attempts)


def _is_readable(data: bytes) -> bool:
    if data.endswith(b"}\n\n") and data.count(b"{") == data.count(
        b"}"
    ):  # true of nearly all, and far cheaper
        return True
    text = data_of(data)
    return text is None or is_done(data) or _is_json(text)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
