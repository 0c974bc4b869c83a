"""The transport of record mode: the real API answers, and each whole exchange is kept.

The caller sees the answer as it arrives: a stream is copied aside while it passes. What broke half-way,
or was left by the caller before its end, is not kept.
"""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx2

from ..portable import Portable
from .batch_api import BATCHES, is_below
from .clock import Clock
from .exchange import DONE, ApiAnswer, ApiRequest, Event
from .file_store import FILES
from .recordings import Provenance, Recordings, name_of
from .transport import api_request

KEY_LIKE = re.compile(rb"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}")
REMOVED = b"[API key removed]"


class SecretInRequest(Portable, ValueError):
    """A request that would put a key into a recording; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(
            "The request body holds something that looks like an API key; it would be stored in the recording.\n"
            "Nothing was sent. Take the key out of the messages (it belongs in .env), then run the cell again."
        )


class Recorder:
    """Stores exchanges: the answers of one client to one request become .json, .2.json, … in their order."""

    def __init__(self, recordings: Recordings, provenance: Provenance, secret: str = "") -> None:
        self.recordings, self.provenance = recordings, provenance
        self._secret = secret.encode()
        self._count: dict[str, int] = {}
        self._lock = threading.Lock()

    def check(self, request: ApiRequest) -> None:
        """Raises SecretInRequest before anything is sent."""
        if KEY_LIKE.search(request.raw) or (len(self._secret) > 8 and self._secret in request.raw):
            raise SecretInRequest

    def keep(self, request: ApiRequest, answer: ApiAnswer) -> None:
        with self._lock:
            name = name_of(request)
            number = self._count.get(name, 0)
            self._count[name] = number + 1
            self.recordings.store(request, self._clean(answer), self.provenance, number)

    def keep_pieces(self, request: ApiRequest, head: ApiAnswer, pieces: list[tuple[float, bytes]]) -> None:
        """Keep an answer that came in pieces, each with its seconds since the request; of a stream, its events."""
        if not head.headers.get("content-type", "").startswith("text/event-stream"):
            self.keep(request, replace(head, body=b"".join(data for _, data in pieces)))
            return
        at = head.after
        copy = EventCopy(lambda: at, lambda events: self.keep(request, replace(head, events=events)))
        for at, data in pieces:  # noqa: B007 - the copy reads it
            copy.add(data)
        copy.finish()

    def _clean(self, answer: ApiAnswer) -> ApiAnswer:
        events = answer.events and tuple(Event(e.at, self._without_key(e.data)) for e in answer.events)
        return ApiAnswer(answer.status, answer.headers, self._without_key(answer.body), events, answer.after)

    def _without_key(self, data: bytes) -> bytes:
        data = KEY_LIKE.sub(REMOVED, data)
        return data.replace(self._secret, REMOVED) if len(self._secret) > 8 else data


class RecordingTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Sends through ``inner`` (a whole httpx2 client, so that proxies, TLS and pool limits are as always)."""

    def __init__(self, inner: Any, recorder: Recorder, clock: Clock) -> None:
        self.inner, self.recorder, self.clock = inner, recorder, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        told = api_request(request, request.read())
        self.recorder.check(told)
        start = self.clock.now()
        response = self.inner.send(request, stream=True)
        if _is_stream(response):
            return _passed_on(response, Copied(response, self._copy(told, response, start)))
        after = self.clock.now() - start
        body = response.read()
        self._keep_whole(told, response, body, after)
        return _passed_on(response, httpx2.ByteStream(body))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        told = api_request(request, await request.aread())
        self.recorder.check(told)
        start = self.clock.now()
        response = await self.inner.send(request, stream=True)
        if _is_stream(response):
            return _passed_on(response, Copied(response, self._copy(told, response, start)))
        after = self.clock.now() - start
        body = await response.aread()
        self._keep_whole(told, response, body, after)
        return _passed_on(response, httpx2.ByteStream(body))

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _keep_whole(self, told: ApiRequest, response: httpx2.Response, body: bytes, after: float) -> None:
        if is_below(FILES, told.path) or is_below(BATCHES, told.path):
            return  # the account's own; replay keeps files and batches of its own
        headers = {name.lower(): value for name, value in response.headers.items()}
        self.recorder.keep(told, ApiAnswer(response.status_code, headers, body, after=after))

    def _copy(self, told: ApiRequest, response: httpx2.Response, start: float) -> EventCopy:
        headers = {name.lower(): value for name, value in response.headers.items()}
        after = self.clock.now() - start

        def keep(events: tuple[Event, ...]) -> None:
            self.recorder.keep(told, ApiAnswer(response.status_code, headers, events=events, after=after))

        return EventCopy(lambda: self.clock.now() - start, keep)


class EventCopy:
    """Collects a stream's events with their time of arrival; keeps them once, when the stream is whole."""

    def __init__(self, elapsed: Callable[[], float], keep: Callable[[tuple[Event, ...]], None]) -> None:
        self._elapsed, self._keep = elapsed, keep
        self._events: list[Event] = []
        self._open = b""
        self._kept = False

    def add(self, data: bytes) -> None:
        at = self._elapsed()
        *blocks, self._open = (self._open + data).split(b"\n\n")
        self._events += [Event(at, block + b"\n\n") for block in blocks]
        if any(block + b"\n\n" == DONE for block in blocks):
            self.finish()  # the SDK closes the response at [DONE] and reads no further

    def finish(self) -> None:
        if not self._kept:
            self._kept = True
            if self._open:
                self._events.append(Event(self._elapsed(), self._open))
            self._keep(tuple(self._events))


class Copied(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The real response's bytes, passed on at once and copied aside."""

    def __init__(self, response: httpx2.Response, copy: EventCopy) -> None:
        self.response, self.copy = response, copy

    def __iter__(self) -> Iterator[bytes]:
        for data in self.response.iter_bytes():
            self.copy.add(data)
            yield data
        self.copy.finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self.response.aiter_bytes():
            self.copy.add(data)
            yield data
        self.copy.finish()

    def close(self) -> None:
        self.response.close()

    async def aclose(self) -> None:
        await self.response.aclose()


def _is_stream(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-type", "").startswith("text/event-stream"))


def _passed_on(response: httpx2.Response, stream: Any) -> httpx2.Response:
    """The answer for the caller: decoded already, so without the headers that describe the wire."""
    wire = {"content-encoding", "content-length", "transfer-encoding"}
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in wire]
    return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions={})
