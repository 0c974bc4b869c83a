"""Forwards a request to another server and passes the answer on while it arrives.

In process, the caller's own timeouts apply: they are part of the request that httpx2 sends. A
connection that breaks on the way breaks for the caller, as with the real API.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx2

from ..foundation.addresses import is_this_machine
from .event_stream import Blocks, is_done
from .exchange import Headers, Target

WIRE = {
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
}

Piece = tuple[float, bytes]  # seconds since the request was sent, data


class Connections:
    """The connections to the server that requests are forwarded to, opened when they are needed.

    For an address on this machine, the environment's proxy is ignored.

    idle  how many connections stay open between requests; call ``close`` at the end
    """

    def __init__(self, idle: int = 20) -> None:
        self._limits = httpx2.Limits(max_keepalive_connections=idle)
        self._sync: httpx2.Client | None = None
        self._async: httpx2.AsyncClient | None = None

    def send(
        self, target: Target, extensions: Mapping[str, Any]
    ) -> httpx2.Response:
        """The answer as far as its headers. Raises httpx2.TransportError."""
        if self._sync is None:
            self._sync = httpx2.Client(
                trust_env=not is_this_machine(target.url), limits=self._limits
            )
        request = _request(self._sync, target, extensions)
        return self._sync.send(request, stream=True)

    async def send_async(
        self, target: Target, extensions: Mapping[str, Any]
    ) -> httpx2.Response:
        """As ``send``, awaited."""
        if self._async is None:
            self._async = httpx2.AsyncClient(
                trust_env=not is_this_machine(target.url), limits=self._limits
            )
        request = _request(self._async, target, extensions)
        return await self._async.send(request, stream=True)

    def close(self) -> None:
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        self.close()
        if self._async is not None:
            await self._async.aclose()


class Copied(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Another server's bytes, passed on as they arrive, and copied. A caller that leaves closes the
    connection, and the server stops writing.

    elapsed  returns the seconds since the request was sent
    ended    called once, with the pieces and how they ended: "all", "left", "timed out" or "broken"
    passing  called before each piece, with the seconds since the request was sent
    """

    def __init__(
        self,
        response: httpx2.Response,
        elapsed: Callable[[], float],
        ended: Callable[[list[Piece], str], None],
        passing: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.response, self.elapsed = response, elapsed
        self.ended, self.passing = ended, passing
        self._pieces: list[Piece] = []
        self._how = "left"
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        with self._watched():
            for data in self.response.iter_bytes():
                self._note(data)
                yield data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._watched():
            async for data in self.response.aiter_bytes():
                self._note(data)
                yield data

    def close(self) -> None:
        self.response.close()
        self._end()

    async def aclose(self) -> None:
        await self.response.aclose()
        self._end()

    def _note(self, data: bytes) -> None:
        seconds = self.elapsed()
        self._pieces.append((seconds, data))
        self.passing(seconds)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Notes how the bytes end. If the caller leaves, GeneratorExit is raised here: "left"."""
        try:
            yield
            self._how = "all"
        except httpx2.TransportError as error:
            late = isinstance(error, httpx2.TimeoutException)
            self._how = "timed out" if late else "broken"
            raise

    def _end(self) -> None:
        if self._open:
            self._open = False
            blocks = Blocks().add(b"".join(data for _, data in self._pieces))
            done = any(is_done(block) for block in blocks)
            # The SDK does not read past [DONE].
            self.ended(self._pieces, "all" if done else self._how)


def passed_on(
    response: httpx2.Response,
    stream: Any,
    headers: Headers | None = None,
) -> httpx2.Response:
    """An answer for the caller, already decoded, so without the headers of the wire format.

    headers  added if the answer does not have them
    """
    passed = httpx2.Headers(own_headers(response))
    for name, value in (headers or {}).items():
        passed.setdefault(name, value)
    return httpx2.Response(
        response.status_code, headers=passed, stream=stream, extensions={}
    )


def own_headers(response: httpx2.Response) -> list[tuple[str, str]]:
    """The headers of an answer, without those that describe the wire format."""
    return [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in WIRE
    ]


def _request(
    client: httpx2.Client | httpx2.AsyncClient,
    target: Target,
    extensions: Mapping[str, Any],
) -> httpx2.Request:
    return client.build_request(
        "POST",
        target.url,
        headers=dict(target.headers),
        content=target.content,
        extensions=dict(extensions),
    )
