"""The door on a socket: an ``ApiAnswer`` becomes ASGI messages, each when it is due.

Events of a stream are due at start + offset, an absolute schedule: a late one does not delay those
after it. Events that are already due leave in one write, so that a busy server, or one that does
not wait, writes rarely.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
from starlette.types import Message, Receive, Send

from ..clock import ScaledClock
from ..exchange import NEVER, ApiAnswer, Event
from .connection import drop, is_gone, join_head

PATIENCE = 3600.0  # seconds of real time; of a client that would wait forever
EARLY = 0.001  # seconds; timers have whole milliseconds
SOURCE = b"x-coursekit-source"  # the header that gives receipts the source of an answer

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class Delivery:
    """Sends one answer to one client. ``receive`` and ``send`` are uvicorn's own.

    stretch  seconds for each second of the recording: 1.0 at its own speed, 0.1 ten times faster, 0
             without waiting
    """

    receive: Receive
    send: Send
    clock: ScaledClock
    stretch: float
    headers: Sequence[tuple[bytes, bytes]] = ()
    _leaving: asyncio.Future[Message] | None = None
    _wake: asyncio.Future[None] | None = None

    async def body(self) -> bytes | None:
        """The whole body of the request; None if the client left before all of it had arrived."""
        parts = []
        while (message := await self.receive())["type"] == "http.request":
            parts.append(message["body"])
            if not message.get("more_body"):
                return b"".join(parts)
        return None

    async def deliver(self, answer: ApiAnswer, start: float) -> str:
        """Send the answer to a request that arrived at ``start``; returns how that ended, for
        ``LoggedAttempt.received``."""
        try:
            return "all" if await self._deliver(answer, start) else "left"
        finally:
            if self._leaving is not None:
                self._leaving.cancel()

    async def pass_on(
        self, head: ApiAnswer, pieces: AsyncIterator[bytes]
    ) -> str:
        """Send an answer that another server is still writing. Returns "all", "left", or "broken"
        if that server breaks off: then the client's connection also breaks.
        """
        await self._head(head, None)
        try:
            async for data in pieces:
                await self._write(data, more=True)
        except httpx2.TransportError:
            drop(self.send)
            return "broken"
        await self._write(b"", more=False)
        return "left" if is_gone(self.send) else "all"

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of ``work``; None if the client leaves first, which cancels the work."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self.receive())
        try:
            await asyncio.wait(
                (working, leaving), return_when=asyncio.FIRST_COMPLETED
            )
            if is_gone(self.send) and not working.done():
                return None
            return await working
        finally:
            working.cancel()
            leaving.cancel()

    async def _deliver(self, answer: ApiAnswer, start: float) -> bool:
        silent, events = answer.after == NEVER, answer.events
        wait = PATIENCE if silent else answer.after * self.stretch
        if wait:
            await self._until(start + wait)
        if is_gone(self.send):
            return False
        if silent or answer.status == 0:
            drop(self.send)
            return True
        if events is None or not self.stretch:
            join_head(self.send)
        complete = events is None and not answer.breaks
        await self._head(answer, len(answer.body) if complete else None)
        data = answer.body
        if events is not None:
            data = await self._stream(events, start)
        await self._write(data, more=answer.breaks)
        if is_gone(self.send):
            return False
        if answer.breaks:
            drop(self.send)
        return True

    async def _head(self, answer: ApiAnswer, length: int | None) -> None:
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in answer.headers.items()
            if name != "date"  # uvicorn adds its own
        ]
        headers += self.headers
        headers.append((SOURCE, answer.source.encode("latin-1", "replace")))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self.send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
            }
        )

    async def _stream(self, events: Sequence[Event], start: float) -> bytes:
        """Send each event when it is due, except the last ones, which are returned to be sent with
        the end of the stream.
        """
        if not self.stretch:
            return b"".join([event.data for event in events])
        due: list[bytes] = []
        for event in events:
            at = start + event.at * self.stretch
            if at > self.clock.now() + EARLY:
                if due:
                    await self._write(b"".join(due), more=True)
                    due.clear()
                await self._until(at)
                if is_gone(self.send):
                    break
            due.append(event.data)
        return b"".join(due)

    async def _write(self, data: bytes, *, more: bool) -> None:
        await self.send(
            {"type": "http.response.body", "body": data, "more_body": more}
        )

    async def _until(self, when: float) -> None:
        """Wait for a time on the clock, or until the client has left."""
        left = when - self.clock.now()
        if left <= EARLY or is_gone(self.send):
            return
        loop = asyncio.get_running_loop()
        self._wake = wake = loop.create_future()
        # the request has arrived, so the only message left to receive is that the client leaves
        if self._leaving is None:
            self._leaving = asyncio.ensure_future(self.receive())
            self._leaving.add_done_callback(self._awake)
        timer = loop.call_later(left, self._awake)
        try:  # asyncio.wait and asyncio.timeout take a tenth and a half more processor time
            await wake
        finally:
            timer.cancel()

    def _awake(self, _: object = None) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
