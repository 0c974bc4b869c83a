"""One connection of the server: uvicorn's HTTP protocol, with the limits that it leaves to a proxy
in front of it.

A client that sends too large a head or body, takes too long to send it, or opens one connection too
many gets a 4xx or 503 in the API's shape, and time to read it while it is still sending. A client
that does not read its answer is dropped.

uvicorn's own options do none of this: limit_concurrency counts idle connections as well and refuses
the next request from anyone, timeout_keep_alive starts after an answer, and httptools takes a head
or a body of any size, however slowly it arrives.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from typing import cast

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ...foundation.portable import Portable
from ..exchange import error_answer
from .access_log import AccessLog


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of a connection. Sizes in bytes, times in seconds.

    head         everything in a request before its body
    body         of a request: a million tokens are about 4 MB
    sending      from a request's first byte, or from the connection, until the request is complete
    reading      how long a client may leave its answer unread
    lingering    how long a refused client may go on sending before the connection is closed
    leaving      how long answers in flight may take when the server stops
    connections  at once; below the usual limit of 1024 open files
    """

    head: int = 32_768
    body: int = 8_000_000
    sending: float = 30.0
    reading: float = 30.0
    lingering: float = 5.0
    leaving: float = 2.0
    connections: int = 900


# by code: the status, and what is wrong
REFUSALS = {
    "invalid_request": (
        400,
        "This is not an HTTP request that the server can read.",
    ),
    "request_timeout": (
        408,
        "The request did not arrive within {limits.sending:g} seconds.",
    ),
    "body_too_large": (
        413,
        "The request's body is too large: the limit is {limits.body:,} bytes.",
    ),
    "headers_too_large": (
        431,
        "The request's headers are too large: the limit is {limits.head:,} bytes.",
    ),
    "too_many_connections": (
        503,
        "The server has too many connections. Try again in a moment.",
    ),
}


class TooLarge(Portable, Exception):
    """A request that is not answered: a key of ``REFUSALS``. Raised in a callback of the parser,
    it also ends the parsing."""


class Connection(HttpToolsProtocol):
    """Created by uvicorn for each connection. ``limits`` and ``log`` are set by a subclass: see
    ``connection_type``.
    """

    limits = ConnectionLimits()
    log = AccessLog(None)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._received = 0  # bytes of the head so far
        # bytes of the body so far; None: still in the head
        self._body: int | None = None
        self._refused = False
        self._idle_since = self.loop.time()
        self._unread: asyncio.TimerHandle | None = None
        self._sending = self.loop.call_later(
            self.limits.sending, self._too_slow
        )
        if (
            len(self.connections) > self.limits.connections
            and not self._make_room()
        ):
            self._refuse("too_many_connections")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._sending.cancel()
        self._unset_keepalive_if_required()
        if self._unread is not None:
            self._unread.cancel()

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self._refused:
            # read and thrown away: closing with unread data would take the refusal from the client
            return
        self._received += len(data)
        super().data_received(data)
        if (
            self._body is None
            and self._received > self.limits.head
            and not self._refused
        ):
            self._refuse("headers_too_large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._sending.cancel()
        self._sending = self.loop.call_later(
            self.limits.sending, self._too_slow
        )

    def on_headers_complete(self) -> None:
        # Counted where it may be too large. After another request in the same packet, _received
        # is 0.
        if not 0 < self._received <= self.limits.head:
            sizes = (len(name) + len(value) for name, value in self.headers)
            if len(self.url) + sum(sizes) > self.limits.head:
                raise TooLarge("headers_too_large")
        for name, value in self.headers:
            if (
                name == b"content-length"
                and len(value) < 20
                and value.isdigit()
            ):
                self._check_body(int(value))
        super().on_headers_complete()
        self._body = 0

    def on_body(self, body: bytes) -> None:
        self._body = (self._body or 0) + len(body)
        self._check_body(self._body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._sending.cancel()
        self._received, self._body = 0, None

    # What leaves

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(
            self.limits.reading, self.transport.abort
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    # Refusals

    @property
    def _is_idle(self) -> bool:
        """Whether no answer is in flight: the client has sent no request, or not all of it."""
        return not self.pipeline and (
            self.cycle is None
            or self.cycle.response_complete
            or self.cycle.more_body
        )

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _make_room(self) -> bool:
        """Close the oldest idle connection of the address that has the most, so that no client
        shuts the others out by keeping connections open. Returns whether there was one.
        """
        others = [
            each
            for each in cast("set[Connection]", self.connections)
            if each is not self and not each.transport.is_closing()
        ]
        if len(others) < self.limits.connections:
            return True  # those over the limit are being closed
        held = Counter(each._address for each in others)
        idle = [each for each in others if each._is_idle]
        if not idle:
            return False
        oldest = min(
            idle, key=lambda each: (-held[each._address], each._idle_since)
        )
        self.log.add("-", "closed:", "idle_connection", 0, 0.0)
        oldest.transport.close()
        return True

    def _check_body(self, size: int) -> None:
        if size > self.limits.body:
            raise TooLarge("body_too_large")

    def _too_slow(self) -> None:
        if self._received:
            self._refuse("request_timeout")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls this while it handles what its parser, or a callback above, has raised."""
        cause = getattr(sys.exception(), "__context__", None)
        code = str(cause) if isinstance(cause, TooLarge) else "invalid_request"
        self._refuse(code)

    def _refuse(self, code: str) -> None:
        self._refused = True
        status, text = REFUSALS[code]
        self.log.add("-", "refused:", code, status, 0.0)
        self._sending.cancel()
        answered_early = self._body is not None and self.cycle.response_complete
        # a second answer would be taken for the rest of the first
        if not self._is_idle or answered_early:
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.waiting_for_100_continue = (
                False  # nothing may be written behind the refusal
            )
            # the application, if it waits for the body, learns that there is none
            self.cycle.message_event.set()
        answer = error_answer(
            status, text.format(limits=self.limits), code=code
        )
        headers = self.server_state.default_headers + [
            (name.encode(), value.encode())
            for name, value in answer.headers.items()
        ]
        headers.append((b"content-length", b"%d" % len(answer.body)))
        headers.append((b"connection", b"close"))
        lines = [b"%s: %s\r\n" % header for header in headers]
        head = STATUS_LINE[status] + b"".join(lines) + b"\r\n"
        self.transport.write(head + answer.body)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._sending = self.loop.call_later(
            self.limits.lingering, self.transport.close
        )


def connection_type(
    limits: ConnectionLimits, log: AccessLog
) -> type[Connection]:
    """A kind of connection with these limits; ``log`` gets a line for each refusal."""
    return type("Connection", (Connection,), {"limits": limits, "log": log})


class _OneWrite:
    """The transport of an answer whose head waits for the next write."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def close(self) -> None:
        if self._head:
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()


def join_head(send: Send) -> None:
    """Send the head of an answer in one write with the data that follows it immediately: uvicorn's
    two writes take 50% longer. ``send``: uvicorn's own.
    """
    cycle = send.__self__  # type: ignore[attr-defined]
    cycle.transport = _OneWrite(cycle.transport)


def is_gone(send: Send) -> bool:
    """Whether the client of this request has left. ``send``: uvicorn's own, unwrapped."""
    return bool(send.__self__.disconnected)  # type: ignore[attr-defined]


def drop(send: Send) -> None:
    """Break the connection: what was sent arrives, the end of the answer does not. ``send``:
    uvicorn's own."""
    cycle = send.__self__  # type: ignore[attr-defined]
    cycle.disconnected = True  # so that uvicorn does not take the unfinished answer for a mistake
    cycle.transport.close()
