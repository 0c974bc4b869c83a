"""A stream that the local model is writing, as bytes for the caller: each event when it is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import httpx2

from .clock import Clock
from .exchange import DONE, ApiAnswer, Event
from .ledger import Attempt
from .making import Making


class LiveBody(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The events of an answer in the making. Left before its end, it stops the model.

    limit    seconds without an event until the read timeout
    start    when the request was sent, on the clock: a virtual one is moved by what the model took
    ended    called once with the seconds that it took, when it is over or left
    """

    def __init__(
        self, request: httpx2.Request, answer: ApiAnswer, making: Making, limit: float, start: float, clock: Clock,
        attempt: Attempt, ended: Callable[[float], None],
    ) -> None:  # fmt: skip
        self.request, self.answer, self.making, self.limit = request, answer, making, limit
        self.start, self.clock, self.attempt, self.ended = start, clock, attempt, ended
        self._events: list[Event] = []
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for event in self.making.events(self.limit):
                self.clock.wait(self.start + event.at)
                yield self._noted(event)
        except TimeoutError as error:
            raise self._late() from error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for event in self.making.events_async(self.limit):
                await self.clock.wait_async(self.start + event.at)
                yield self._noted(event)
        except TimeoutError as error:
            raise self._late() from error

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.making.leave()  # changes nothing where it is done
        self.attempt.answer = replace(self.answer, events=tuple(self._events), making=None)
        if self.attempt.received == "left":
            self.attempt.ended_at = self.clock.now()
        self.ended(self._events[-1].at if self._events else self.answer.after)

    async def aclose(self) -> None:
        self.close()

    def _noted(self, event: Event) -> bytes:
        self._events.append(event)
        if event.data == DONE:  # the SDK closes a stream here, and reads no further
            self.attempt.finish("all", self.start + event.at)
        return event.data

    def _late(self) -> httpx2.ReadTimeout:
        self.attempt.finish("timed out", self.clock.now())
        return httpx2.ReadTimeout("The read operation timed out", request=self.request)
