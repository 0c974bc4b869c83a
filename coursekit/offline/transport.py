"""The in-process entrance: an httpx2 transport, sync and async, through which the SDK reaches the
offline API.

httpx2 applies timeouts below this level, so the transport enforces the read timeout itself. Events
of a stream are due at start + offset, an absolute schedule: a late event does not delay the others.
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
from .exchange import ApiAnswer, ApiRequest, Layer, Target, api_path
from .forwarding import Connections, Copied, passed_on
from .watched.ledger import Ledger

if TYPE_CHECKING:
    from .recorder import Recorder

REMEMBERED, SMALL = 200, 16_384  # parsed requests, and the most bytes of one
PATIENCE = 3600.0  # seconds that a caller without a read timeout waits
LATE = "The read operation timed out"
BROKEN = "peer closed connection without sending complete message body (incomplete chunked read)"


class OfflineTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """A transport for httpx2.Client or httpx2.AsyncClient.

    api       the layers that answer
    clock     the clock that waits
    journal   receives each answer, for receipts
    ledger    receives each attempt, for the verdict
    recorder  stores the answers of another server; None: nothing is stored
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
        self.journal = Journal("replay") if journal is None else journal
        self.ledger = Ledger() if ledger is None else ledger
        self._connections = Connections()
        self._parsed: dict[bytes, ApiRequest] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        call = _Call(self, request, request.read())
        if call.upstream and (target := call.sends(call.upstream.target())):
            try:
                response = self._connections.send(target, request.extensions)
            except httpx2.TransportError as error:
                raise call.not_forwarded(error) from error
            return call.forwarded(response, target)
        self.clock.wait(call.begins())
        return call.response()

    async def handle_async_request(
        self, request: httpx2.Request
    ) -> httpx2.Response:
        call = _Call(self, request, await request.aread())
        # In a thread: target() may start a server, or ask one for its models.
        if call.upstream and (
            target := call.sends(await asyncio.to_thread(call.upstream.target))
        ):
            try:
                response = await self._connections.send_async(
                    target, request.extensions
                )
            except httpx2.TransportError as error:
                raise call.not_forwarded(error) from error
            return call.forwarded(response, target)
        try:
            await self.clock.wait_async(call.begins())
        except asyncio.CancelledError:
            call.attempt.finish("left", self.clock.now())
            raise
        return call.response()

    def parsed(self, request: httpx2.Request, raw: bytes) -> ApiRequest:
        """The request as the layers see it, cached: cells are rerun, and requests retried."""
        seen = self._parsed.get(raw)
        path = api_path(request.url.path)
        if seen and seen.method == request.method and seen.path == path:
            return seen.with_headers(request.headers)
        parsed = api_request(request, raw)
        if len(raw) <= SMALL:
            if len(self._parsed) >= REMEMBERED:
                self._parsed.clear()
            self._parsed[raw] = parsed
        return parsed

    def close(self) -> None:
        self._connections.close()

    async def aclose(self) -> None:
        await self._connections.aclose()


def api_request(request: httpx2.Request, raw: bytes) -> ApiRequest:
    """The request as the layers see it."""
    return ApiRequest(
        request.method, api_path(request.url.path), raw, request.headers
    )


class _Call:
    """One request, its answer, and its entries in the journal and the ledger."""

    def __init__(
        self, door: OfflineTransport, request: httpx2.Request, raw: bytes
    ) -> None:
        self.door, self.request = door, request
        self.start = door.clock.now()
        self.sent = 0.0  # when it was forwarded, by time.perf_counter()
        self.api_request = door.parsed(request, raw)
        if door.recorder is not None:
            door.recorder.check(self.api_request)
        self.answer = door.api.answer(self.api_request)
        self.upstream = self.answer.forward
        self.attempt = door.ledger.open(
            self.api_request, self.answer, self.start
        )
        limit = request.extensions.get("timeout", {}).get("read")
        self.patience = PATIENCE if limit is None else float(limit)

    def begins(self) -> float:
        """When the answer begins, or when the caller stops waiting for it."""
        return self.start + min(self.answer.after, self.patience)

    def response(self) -> httpx2.Response:
        """The answer, from its first byte on; or the exception of a fault."""
        answer = self.answer
        if answer.after > self.patience:
            raise self.late(self.start + self.patience)
        if answer.status == 0:
            self.attempt.finish("all", self.start + answer.after)
            raise httpx2.ConnectError(
                "All connection attempts failed", request=self.request
            )
        self.note(answer.status, answer.source, answer.seconds)
        stream: httpx2.SyncByteStream = Body(self)
        headers = dict(answer.headers)
        if answer.events is None and not answer.breaks:
            self.attempt.finish("all", self.start + answer.after)
            headers["content-length"] = str(len(answer.body))
            # Not ``content=``: the client closes a stream and sets ``elapsed``, as in live mode.
            stream = httpx2.ByteStream(answer.body)
        return httpx2.Response(answer.status, headers=headers, stream=stream)

    def late(self, at: float) -> Exception:
        """The error for a caller whose read timeout is over."""
        self.attempt.finish("timed out", at)
        return httpx2.ReadTimeout(LATE, request=self.request)

    def note(
        self, status: int, source: str, seconds: float, forwarded: bool = False
    ) -> None:
        """Enter the answer in the journal."""
        request_id = self.answer.headers.get("x-request-id")
        self.door.journal.add(
            Served(request_id, status, source, seconds, forwarded)
        )

    # --- another server answers

    def sends(self, target: Target | ApiAnswer) -> Target | None:
        """The request to send; None if it is refused here, for which the answer is set."""
        if isinstance(target, Target):
            self.sent = time.perf_counter()
            return target
        headers = {**self.answer.headers, **target.headers}
        self.answer = self.attempt.answer = replace(target, headers=headers)
        return None

    def not_forwarded(self, error: Exception) -> Exception:
        """The error for the caller when the connection to the other server fails."""
        late = isinstance(error, httpx2.ReadTimeout)
        self.attempt.finish(
            "timed out" if late else "all", self.door.clock.now()
        )
        not_made = httpx2.ConnectError | httpx2.ConnectTimeout
        if self.upstream and isinstance(error, not_made):
            return self.upstream.unreachable(error)
        return error

    def forwarded(
        self, response: httpx2.Response, target: Target
    ) -> httpx2.Response:
        """The other server's answer as it arrives, with the headers that the layers added."""
        after = self.elapsed()
        copied = Copied(response, self.elapsed, self.ended, self.passing)
        passed = passed_on(response, copied, self.answer.headers)
        self.answer = self.attempt.answer = replace(
            self.answer,
            status=passed.status_code,
            headers=dict(passed.headers),
            after=after,
            source=target.label,
        )
        self.passing(after)
        return passed

    def elapsed(self) -> float:
        """Seconds since the request was sent on."""
        return time.perf_counter() - self.sent

    def passing(self, seconds: float) -> None:
        """Real time that has passed also passes on a virtual clock."""
        if isinstance(self.door.clock, VirtualClock):
            self.door.clock.wait(self.start + seconds)

    def ended(self, pieces: list[tuple[float, bytes]], how: str) -> None:
        """Enter a forwarded answer in journal and ledger, and store it if there is a recorder."""
        answer, upstream = self.answer, self.upstream
        seconds = pieces[-1][0] if pieces else answer.after
        source = answer.source
        if answer.status == 200 and how == "all" and upstream is not None:
            if lacks := upstream.lacks(b"".join(data for _, data in pieces)):
                source += f" (no {', '.join(lacks)})"
            if self.door.recorder is not None:
                head = ApiAnswer(
                    answer.status, answer.headers, after=answer.after
                )
                self.door.recorder.keep_pieces(self.api_request, head, pieces)
        self.note(answer.status, source, seconds, forwarded=True)
        at = self.door.clock.now() if how == "left" else self.start + seconds
        self.attempt.finish("all" if how == "broken" else how, at)


class Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """An answer's bytes as they fall due."""

    def __init__(self, call: _Call) -> None:
        self.call, self.clock = call, call.door.clock

    def __iter__(self) -> Iterator[bytes]:
        for due, data in self._steps():
            self.clock.wait(due)
            if data:
                yield data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for due, data in self._steps():
            await self.clock.wait_async(due)
            if data:
                yield data

    def close(self) -> None:
        if self.call.attempt.received == "left":
            self.call.attempt.ended_at = self.clock.now()

    async def aclose(self) -> None:
        self.close()

    def _steps(self) -> Iterator[tuple[float, bytes]]:
        """Each piece with the time when it is due; raises the exception that ends them."""
        call, answer = self.call, self.call.answer
        arrived = call.start + answer.after
        if answer.events is None:
            yield arrived, answer.body
        events = answer.events or ()
        for number, event in enumerate(events, start=1):
            due = max(call.start + event.at, arrived)
            if due - arrived > call.patience:
                due = arrived + call.patience
                yield due, b""
                raise call.late(due)
            # Before it is read: the SDK closes a stream at [DONE] and reads no further.
            if number == len(events) and not answer.breaks:
                call.attempt.finish("all", due)
            yield due, event.data
            arrived = due
        if answer.breaks:
            call.attempt.finish("all", arrived)
            raise httpx2.RemoteProtocolError(BROKEN, request=call.request)
