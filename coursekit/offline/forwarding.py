"""How a door forwards a request to another server, and passes its answer on while it arrives.

In process the caller's own timeouts hold, since httpx2 keeps them for this connection as well.
What breaks on the way breaks for the caller as it would at the real API.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx2

from ..foundation.addresses import is_this_machine
from .event_stream import Blocks, is_done
from .exchange import Target

WIRE = {
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
}

Piece = tuple[float, bytes]  # seconds since the request was sent, data


class Connections:
    """The connections of one door to the server that it forwards to, opened when they are needed.

    An address on this machine is asked without a proxy, whatever the environment says.

    idle  how many are kept open between two requests: those must be closed in the end
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
            direct = is_this_machine(target.url)
            self._sync = httpx2.Client(
                trust_env=not direct, limits=self._limits
            )
        return self._sync.send(
            _request(self._sync, target, extensions), stream=True
        )

    async def send_async(
        self, target: Target, extensions: Mapping[str, Any]
    ) -> httpx2.Response:
        """As ``send``, awaited."""
        if self._async is None:
            direct = is_this_machine(target.url)
            self._async = httpx2.AsyncClient(
                trust_env=not direct, limits=self._limits
            )
        return await self._async.send(
            _request(self._async, target, extensions), stream=True
        )

    def close(self) -> None:
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        self.close()
        if self._async is not None:
            await self._async.aclose()


class Copied(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Another server's bytes, passed on as they arrive, with a copy. A caller that leaves closes
    the connection, and the server writes no further.

    elapsed  the seconds since the request was sent
    ended    called once, with the pieces that passed and how that ended: "all", "left", "timed out"
    passing  called with the seconds since the request before each piece passes
    """

    def __init__(
        self,
        response: httpx2.Response,
        elapsed: Callable[[], float],
        ended: Callable[[list[Piece], str], None],
        passing: Callable[[float], None] = lambda _: None,
    ) -> None:
        self.response, self.elapsed, self.ended, self.passing = (
            response,
            elapsed,
            ended,
            passing,
        )
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
        """Notes how the bytes end. A caller that leaves raises GeneratorExit in here, and "left"
        remains."""
        try:
            yield
            self._how = "all"
        except httpx2.TransportError as error:
            self._how = (
                "timed out"
                if isinstance(error, httpx2.TimeoutException)
                else "broken"
            )
            raise

    def _end(self) -> None:
        if self._open:
            self._open = False
            blocks = Blocks().add(b"".join(data for _, data in self._pieces))
            done = any(is_done(block) for block in blocks)
            # the SDK reads no further than [DONE]
            self.ended(self._pieces, "all" if done else self._how)


def passed_on(
    response: httpx2.Response,
    stream: Any,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """An answer for the caller: decoded already, so without the headers that describe the wire.

    headers  those that it gets unless it has them
    """
    own = own_headers(response)
    names = {name.lower() for name, _ in own}
    more = [
        (name, value)
        for name, value in (headers or {}).items()
        if name.lower() not in names
    ]
    return httpx2.Response(
        response.status_code,
        headers=[*own, *more],
        stream=stream,
        extensions={},
    )


def own_headers(response: httpx2.Response) -> list[tuple[str, str]]:
    """The headers of an answer without those that describe the wire."""
    return [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in WIRE
    ]


def _request(
    client: Any, target: Target, extensions: Mapping[str, Any]
) -> httpx2.Request:
    request: httpx2.Request = client.build_request(
        "POST",
        target.url,
        headers=dict(target.headers),
        content=target.content,
        extensions=dict(extensions),
    )
    return request
