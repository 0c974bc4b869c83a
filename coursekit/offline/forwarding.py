"""How the door in process forwards a request to another server: its answer passes as it comes.

The caller's own timeouts hold, since httpx2 keeps them for this connection, too. What breaks on the
way breaks for the caller as it would at the real API.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2

from .event_stream import Blocks, is_done
from .exchange import Target
from .fallback import is_loopback

WIRE = {
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
}


class Connections:
    """The connections of one transport to other servers, opened when they are needed.

    An address on this machine is asked without a proxy, whatever the environment says.
    """

    def __init__(self) -> None:
        self._sync: dict[bool, httpx2.Client] = {}
        self._async: dict[bool, httpx2.AsyncClient] = {}

    def send(self, target: Target, extensions: Any) -> httpx2.Response:
        """The answer as far as its head. Raises httpx2.TransportError."""
        near = is_loopback(target.url)
        client = self._sync.get(near)
        if client is None:
            client = self._sync[near] = httpx2.Client(trust_env=not near)
        return client.send(_request(client, target, extensions), stream=True)

    async def send_async(self, target: Target, extensions: Any) -> httpx2.Response:
        """As ``send``, awaited."""
        near = is_loopback(target.url)
        client = self._async.get(near)
        if client is None:
            client = self._async[near] = httpx2.AsyncClient(trust_env=not near)
        return await client.send(_request(client, target, extensions), stream=True)

    def close(self) -> None:
        for client in self._sync.values():
            client.close()

    async def aclose(self) -> None:
        self.close()
        for client in self._async.values():
            await client.aclose()


def _request(client: Any, target: Target, extensions: Any) -> httpx2.Request:
    request: httpx2.Request = client.build_request(
        "POST",
        target.url,
        headers=dict(target.headers),
        content=target.content,
        extensions=dict(extensions),
    )
    return request


Piece = tuple[float, bytes]  # seconds since the request was sent, data


class Passed(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """Another server's bytes, passed on as they come. Left before their end, they are not written
    any further: the connection is closed.

    passing  called with the seconds since ``sent`` before each piece passes
    ended    called once, with the pieces that passed, each with its seconds, and how it ended:
             "all", "left", "timed out"
    """

    def __init__(
        self,
        response: httpx2.Response,
        sent: float,
        passing: Callable[[float], None],
        ended: Callable[[list[Piece], str], None],
    ) -> None:
        self.response, self.sent, self.passing, self.ended = (
            response,
            sent,
            passing,
            ended,
        )
        self._pieces: list[Piece] = []
        self._how: str | None = "left"

    def __iter__(self) -> Iterator[bytes]:
        try:
            for data in self.response.iter_bytes():
                self._note(data)
                yield data
            self._how = "all"
        except httpx2.TransportError as error:
            self._how = (
                "timed out" if isinstance(error, httpx2.TimeoutException) else "all"
            )
            raise

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for data in self.response.aiter_bytes():
                self._note(data)
                yield data
            self._how = "all"
        except httpx2.TransportError as error:
            self._how = (
                "timed out" if isinstance(error, httpx2.TimeoutException) else "all"
            )
            raise

    def close(self) -> None:
        self.response.close()
        self._end()

    async def aclose(self) -> None:
        await self.response.aclose()
        self._end()

    def _note(self, data: bytes) -> None:
        seconds = time.perf_counter() - self.sent
        self._pieces.append((seconds, data))
        self.passing(seconds)

    def _end(self) -> None:
        if self._how is not None:
            done = any(
                map(is_done, Blocks().add(b"".join(data for _, data in self._pieces)))
            )
            how = "all" if done else self._how  # the SDK reads no further than [DONE]
            self._how = None
            self.ended(self._pieces, how)


def passed_on(
    response: httpx2.Response, stream: Any, headers: Any = ()
) -> httpx2.Response:
    """An answer for the caller: decoded already, so without the headers that describe the wire.

    headers  (name, value) pairs that it gets unless it has them
    """
    own = [
        (name, value)
        for name, value in response.headers.multi_items()
        if name.lower() not in WIRE
    ]
    names = {name.lower() for name, _ in own}
    more = [(name, value) for name, value in headers if name.lower() not in names]
    return httpx2.Response(
        response.status_code, headers=[*own, *more], stream=stream, extensions={}
    )
