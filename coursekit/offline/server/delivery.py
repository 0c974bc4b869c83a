"""The door on a socket: an ``ApiAnswer`` becomes ASGI messages, each when it is due.

Events of a stream are due at start + offset, an absolute schedule: a late one does not delay those
after it. Events that are due already leave in one write, so that a busy server, or one that need
not wait, writes seldom.
"""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope, Send

from ..clock import ScaledClock
from ..exchange import NEVER, ApiAnswer
from .link import LINK, Link

PATIENCE = 3600.0  # seconds of real time; of a client that would wait for ever
EARLY = 0.001  # seconds; timers have whole milliseconds
SOURCE = (
    b"x-coursekit-source"  # the header that tells receipts where an answer comes from
)


class Delivery:
    """Sends one answer to one client.

    stretch  seconds for each of the recording: 1.0 as it was, 0.1 ten times faster, 0 without
             waiting
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        clock: ScaledClock,
        stretch: float,
    ) -> None:
        self.receive, self.send, self.clock, self.stretch = (
            receive,
            send,
            clock,
            stretch,
        )
        self.link: Link = scope[LINK]
        self._wake: asyncio.Future[None] | None = None

    async def body(self) -> bytes | None:
        """The whole body of the request, None when the client went before it was there."""
        message = await self.receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            return bytes(message["body"])
        parts = []
        while message["type"] == "http.request":
            parts.append(message["body"])
            if not message.get("more_body"):
                return b"".join(parts)
            message = await self.receive()
        return None

    async def deliver(self, answer: ApiAnswer, start: float) -> str:
        """Send the answer to a request that came at ``start``; returns how that ended, for
        ``Attempt.received``.
        """
        self.link.when_lost = self._lost
        try:
            return "all" if await self._deliver(answer, start) else "left"
        finally:
            self.link.when_lost = None

    async def _deliver(self, answer: ApiAnswer, start: float) -> bool:
        if answer.after == NEVER:
            await self._until(start + PATIENCE)
        elif answer.after and self.stretch:
            await self._until(start + answer.after * self.stretch)
        if self.link.lost:
            return False
        if answer.after == NEVER or answer.status == 0:
            self.link.drop()
            return True
        if not self.stretch or answer.events is None:
            self.link.hold_head()
        sent = (
            (name, value) for name, value in answer.headers.items() if name != "date"
        )  # uvicorn adds its own
        headers = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in sent
        ]
        headers.append((SOURCE, answer.source.encode("latin-1", "replace")))
        whole = answer.events is None and not answer.breaks
        if whole:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        await self.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        if answer.events is None:
            await self.send(
                {
                    "type": "http.response.body",
                    "body": answer.body,
                    "more_body": not whole,
                }
            )
        else:
            await self._stream(answer, start)
        if answer.breaks and not self.link.lost:
            self.link.drop()
        return not self.link.lost

    async def _stream(self, answer: ApiAnswer, start: float) -> None:
        events, sent = answer.events or (), 0
        total = len(events)
        while sent < total:
            upto = self._due(answer, start, sent)
            if upto == sent:
                await self._until(start + events[sent].at * self.stretch)
                upto = max(sent + 1, self._due(answer, start, sent))
            if self.link.lost:
                return
            data = b"".join([event.data for event in events[sent:upto]])
            sent = upto
            await self.send(
                {
                    "type": "http.response.body",
                    "body": data,
                    "more_body": sent < total or answer.breaks,
                }
            )
        if not total and not answer.breaks:
            await self.send(
                {"type": "http.response.body", "body": b"", "more_body": False}
            )

    def _due(self, answer: ApiAnswer, start: float, sent: int) -> int:
        """How many events are due by now; the first ``sent`` are past."""
        events = answer.events or ()
        if not self.stretch:
            return len(events)
        api_now = (self.clock.now() + EARLY - start) / self.stretch
        while sent < len(events) and events[sent].at <= api_now:
            sent += 1
        return sent

    async def _until(self, when: float) -> None:
        """Wait for a time on the clock, or until the client has gone."""
        loop = asyncio.get_running_loop()
        while not self.link.lost and (left := when - self.clock.now()) > EARLY:
            self._wake = loop.create_future()
            timer = loop.call_later(left, self._awake)
            try:
                await self._wake
            finally:
                timer.cancel()
                self._wake = None

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    _lost = _awake
