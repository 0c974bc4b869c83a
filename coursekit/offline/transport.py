"""The door in process: an httpx2 transport, sync and async, that lets the offline API answer the SDK.

A transport sits below httpx2's own timeouts, so it keeps the request's read timeout itself. Events of
a stream are due at start + offset, an absolute schedule: a late one does not delay those after it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx2

from .clock import Clock
from .exchange import ApiAnswer, ApiRequest, Layer

PATIENCE = 3600.0  # seconds; of a caller that set no read timeout and would wait for ever


class OfflineTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Give it to httpx2.Client or httpx2.AsyncClient; ``api`` answers, ``clock`` waits."""

    def __init__(self, api: Layer, clock: Clock) -> None:
        self.api, self.clock = api, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        start = self.clock.now()
        answer = self.api.answer(api_request(request, request.read()))
        seconds, failure = _first_byte(request, answer)
        self.clock.wait(start + seconds)
        if failure is not None:
            raise failure
        return self._response(request, answer, start)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        start = self.clock.now()
        answer = self.api.answer(api_request(request, await request.aread()))
        seconds, failure = _first_byte(request, answer)
        await self.clock.wait_async(start + seconds)
        if failure is not None:
            raise failure
        return self._response(request, answer, start)

    def _response(self, request: httpx2.Request, answer: ApiAnswer, start: float) -> httpx2.Response:
        about = {"coursekit": answer}
        if answer.events is None and not answer.breaks:
            return httpx2.Response(answer.status, headers=answer.headers, content=answer.body, extensions=about)
        stream = Body(request, answer, start, self.clock)
        return httpx2.Response(answer.status, headers=answer.headers, stream=stream, extensions=about)


def api_request(request: httpx2.Request, raw: bytes) -> ApiRequest:
    """The request as the layers see it."""
    return ApiRequest(request.method, request.url.path, raw, request.headers)


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's bytes as they fall due: (due time, data) steps, or the exception that ends them."""

    def __init__(self, request: httpx2.Request, answer: ApiAnswer, start: float, clock: Clock) -> None:
        self.request, self.answer, self.start, self.clock = request, answer, start, clock

    def __iter__(self) -> Iterator[bytes]:
        for due, data in self._steps():
            self.clock.wait(due)
            yield _or_raise(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for due, data in self._steps():
            await self.clock.wait_async(due)
            yield _or_raise(data)

    def _steps(self) -> Iterator[tuple[float, bytes | Exception]]:
        limit = _read_timeout(self.request)
        arrived = self.start + self.answer.after
        if self.answer.events is None:
            yield arrived, self.answer.body
        for event in self.answer.events or ():
            due = max(self.start + event.at, arrived)
            if due - arrived > limit:
                yield arrived + limit, httpx2.ReadTimeout("The read operation timed out", request=self.request)
            yield due, event.data
            arrived = due
        if self.answer.breaks:
            broken = "peer closed connection without sending complete message body (incomplete chunked read)"
            yield arrived, httpx2.RemoteProtocolError(broken, request=self.request)


def _first_byte(request: httpx2.Request, answer: ApiAnswer) -> tuple[float, Exception | None]:
    """Seconds until the status line, or until the error that comes instead of it."""
    limit = _read_timeout(request)
    if answer.after > limit:
        return limit, httpx2.ReadTimeout("The read operation timed out", request=request)
    if answer.status == 0:
        return answer.after, httpx2.ConnectError("All connection attempts failed", request=request)
    return answer.after, None


def _read_timeout(request: httpx2.Request) -> float:
    limit = request.extensions.get("timeout", {}).get("read")
    return PATIENCE if limit is None else float(limit)


def _or_raise(data: bytes | Exception) -> bytes:
    if isinstance(data, Exception):
        raise data
    return data
