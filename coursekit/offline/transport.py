"""The door in process: an httpx2 transport, sync and async, that lets the offline API answer the
SDK.

A transport sits below httpx2's own timeouts, so it keeps the request's read timeout itself. Events
of a stream are due at start + offset, an absolute schedule: a late one does not delay those after
it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2

from ..wired import Journal, Served
from .clock import Clock, VirtualClock
from .exchange import ApiAnswer, ApiRequest, Layer, Target, Upstream, api_path
from .watched.ledger import Attempt, Ledger

if TYPE_CHECKING:
    from .forwarding import Connections
    from .recorder import Recorder

REMEMBERED, SMALL = 200, 16_384  # requests, and the bytes of one at most
PATIENCE = (
    3600.0  # seconds; of a caller that set no read timeout and would wait for ever
)


class OfflineTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Give it to httpx2.Client or httpx2.AsyncClient.

    api answers, clock waits; journal is told of each answer (for receipts), ledger of each attempt
    (for the verdict); recorder keeps what another server answers, None: nothing is kept.
    """

    def __init__(
        self,
        api: Layer,
        clock: Clock,
        journal: Journal | None = None,
        ledger: Ledger | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.api, self.clock, self.recorder = api, clock, recorder
        self._connections: Connections | None = None
        self.journal = Journal("replay") if journal is None else journal
        self.ledger = Ledger() if ledger is None else ledger
        self._known: dict[bytes, ApiRequest] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        start = self.clock.now()
        told = self._told(request, request.read())
        if self.recorder is not None:
            self.recorder.check(told)
        answer = self.api.answer(told)
        attempt = self.ledger.open(told, answer, start)
        if answer.forward is not None:
            target = answer.forward.target()
            if isinstance(target, Target):
                sent = time.perf_counter()
                try:
                    response = self._upstreams().send(target, request.extensions)
                except httpx2.TransportError as error:
                    raise _not_forwarded(
                        error, answer.forward, attempt, self.clock.now()
                    ) from error
                return self._forwarded(told, answer, response, target, sent, attempt)
            answer = attempt.answer = _refused(answer, target)
        seconds, failure = _first_byte(request, answer)
        self.clock.wait(start + seconds)
        if failure is not None:
            raise _noted(failure, attempt, start + seconds)
        return self._response(request, answer, start, attempt)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        start = self.clock.now()
        told = self._told(request, await request.aread())
        if self.recorder is not None:
            self.recorder.check(told)
        answer = self.api.answer(told)
        attempt = self.ledger.open(told, answer, start)
        if answer.forward is not None:
            target = await asyncio.to_thread(
                answer.forward.target
            )  # it may start a server, or ask for its models
            if isinstance(target, Target):
                sent = time.perf_counter()
                try:
                    response = await self._upstreams().send_async(
                        target, request.extensions
                    )
                except httpx2.TransportError as error:
                    raise _not_forwarded(
                        error, answer.forward, attempt, self.clock.now()
                    ) from error
                return self._forwarded(told, answer, response, target, sent, attempt)
            answer = attempt.answer = _refused(answer, target)
        seconds, failure = _first_byte(request, answer)
        try:
            await self.clock.wait_async(start + seconds)
        except asyncio.CancelledError:
            attempt.finish("left", self.clock.now())
            raise
        if failure is not None:
            raise _noted(failure, attempt, start + seconds)
        return self._response(request, answer, start, attempt)

    def _told(self, request: httpx2.Request, raw: bytes) -> ApiRequest:
        """The request as the layers see it. Cells are run again, and retries ask the same: what was
        worked out about a body is remembered."""
        known = self._known.get(raw)
        if (
            known is not None
            and known.path == api_path(request.url.path)
            and known.method == request.method
        ):
            return known.with_headers(request.headers)
        told = api_request(request, raw)
        if len(raw) <= SMALL:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[raw] = told
        return told

    def _response(
        self, request: httpx2.Request, answer: ApiAnswer, start: float, attempt: Attempt
    ) -> httpx2.Response:
        self.journal.add(
            Served(
                answer.headers.get("x-request-id"),
                answer.status,
                answer.source,
                answer.seconds,
            )
        )
        if answer.events is None and not answer.breaks:
            attempt.finish("all", start + answer.after)
            # A stream, and not ``content=``: the client closes it, and so ``elapsed`` is known as
            # it is live.
            headers = {**answer.headers, "content-length": str(len(answer.body))}
            return httpx2.Response(
                answer.status, headers=headers, stream=httpx2.ByteStream(answer.body)
            )
        stream = Body(request, answer, start, self.clock, attempt)
        return httpx2.Response(answer.status, headers=answer.headers, stream=stream)

    def _upstreams(self) -> Connections:
        if self._connections is None:
            from .forwarding import Connections  # for those who have a fallback

            self._connections = Connections()
        return self._connections

    def _forwarded(
        self,
        asked: ApiRequest,
        answer: ApiAnswer,
        response: httpx2.Response,
        target: Target,
        sent: float,
        attempt: Attempt,
    ) -> httpx2.Response:
        """Another server's answer, passed on while it arrives, with the headers that the layers
        gave it."""
        from .forwarding import Copied, passed_on

        upstream, start, status = answer.forward, attempt.at, response.status_code
        after = time.perf_counter() - sent
        headers = {
            **answer.headers,
            **{name.lower(): value for name, value in response.headers.items()},
        }
        attempt.answer = replace(
            answer, status=status, headers=headers, after=after, source=target.label
        )
        assert upstream is not None
        if isinstance(self.clock, VirtualClock):
            self.clock.wait(start + after)

        def passing(seconds: float) -> None:
            if isinstance(self.clock, VirtualClock):
                self.clock.wait(
                    start + seconds
                )  # what took real time has passed on a virtual clock as well

        def ended(pieces: list[tuple[float, bytes]], how: str) -> None:
            seconds = pieces[-1][0] if pieces else after
            whole = status == 200 and how == "all"
            lacks = (
                upstream.lacks(b"".join(data for _, data in pieces)) if whole else []
            )
            source = target.label + (f" (no {', '.join(lacks)})" if lacks else "")
            if whole and self.recorder is not None:
                self.recorder.keep_pieces(
                    asked, ApiAnswer(status, headers, after=after), pieces
                )
            self.journal.add(
                Served(
                    headers.get("x-request-id"), status, source, seconds, forwarded=True
                )
            )
            attempt.finish(
                "all" if how == "broken" else how,
                self.clock.now() if how == "left" else start + seconds,
            )

        copied = Copied(response, lambda: time.perf_counter() - sent, ended, passing)
        return passed_on(response, copied, answer.headers)

    def close(self) -> None:
        if self._connections is not None:
            self._connections.close()

    async def aclose(self) -> None:
        if self._connections is not None:
            await self._connections.aclose()


def _refused(answer: ApiAnswer, refusal: ApiAnswer) -> ApiAnswer:
    """What is said in place of the other server, with the headers that the layers gave its
    answer.
    """
    return replace(refusal, headers={**answer.headers, **refusal.headers})


def _not_forwarded(
    error: Exception, upstream: Upstream, attempt: Attempt, now: float
) -> Exception:
    """A connection that cannot be made is a matter between us and that server; all else happens to
    the caller.
    """
    attempt.finish("timed out" if isinstance(error, httpx2.ReadTimeout) else "all", now)
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return upstream.unreachable(error)
    return error


def api_request(request: httpx2.Request, raw: bytes) -> ApiRequest:
    """The request as the layers see it."""
    return ApiRequest(request.method, api_path(request.url.path), raw, request.headers)


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's bytes as they fall due: (due time, data) steps, or the exception that ends
    them.
    """

    def __init__(
        self,
        request: httpx2.Request,
        answer: ApiAnswer,
        start: float,
        clock: Clock,
        attempt: Attempt,
    ) -> None:
        self.request, self.answer, self.start, self.clock, self.attempt = (
            request,
            answer,
            start,
            clock,
            attempt,
        )

    def __iter__(self) -> Iterator[bytes]:
        for due, data in self._steps():
            self.clock.wait(due)
            yield _or_raise(data)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for due, data in self._steps():
            await self.clock.wait_async(due)
            yield _or_raise(data)

    def close(self) -> None:
        if self.attempt.received == "left":
            self.attempt.ended_at = self.clock.now()

    async def aclose(self) -> None:
        self.close()

    def _steps(self) -> Iterator[tuple[float, bytes | Exception]]:
        limit = _read_timeout(self.request)
        arrived = self.start + self.answer.after
        events = self.answer.events
        if events is None:
            yield arrived, self.answer.body
        last = len(events) if events and not self.answer.breaks else 0
        for number, event in enumerate(events or (), start=1):
            due = max(self.start + event.at, arrived)
            if due - arrived > limit:
                late = httpx2.ReadTimeout(
                    "The read operation timed out", request=self.request
                )
                yield arrived + limit, _noted(late, self.attempt, arrived + limit)
            if (
                number == last
            ):  # noted beforehand: the SDK closes a stream at [DONE], and reads no further
                self.attempt.finish("all", due)
            yield due, event.data
            arrived = due
        if self.answer.breaks:
            broken = (
                "peer closed connection without sending complete message body (incomplete "
                "chunked read)"
            )
            self.attempt.finish("all", arrived)
            yield arrived, httpx2.RemoteProtocolError(broken, request=self.request)


def _first_byte(
    request: httpx2.Request, answer: ApiAnswer
) -> tuple[float, Exception | None]:
    """Seconds until the status line, or until the error that comes instead of it."""
    limit = _read_timeout(request)
    if answer.after > limit:
        return limit, httpx2.ReadTimeout(
            "The read operation timed out", request=request
        )
    if answer.status == 0:
        return answer.after, httpx2.ConnectError(
            "All connection attempts failed", request=request
        )
    return answer.after, None


def _noted(failure: Exception, attempt: Attempt, at: float) -> Exception:
    attempt.finish(
        "timed out" if isinstance(failure, httpx2.ReadTimeout) else "all", at
    )
    return failure


def _read_timeout(request: httpx2.Request) -> float:
    limit = request.extensions.get("timeout", {}).get("read")
    return PATIENCE if limit is None else float(limit)


def _or_raise(data: bytes | Exception) -> bytes:
    if isinstance(data, Exception):
        raise data
    return data
