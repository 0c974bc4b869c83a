"""One connection of the server: uvicorn's HTTP protocol, with the limits that it leaves to a proxy
in front of it.

What is refused here never becomes a request: a head or body that is too large, a client that takes
too long to send, one connection too many. Each gets a 4xx or 503 in the API's shape, and enough
time to read it although it is still sending. A client that does not read its answer is dropped.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ..exchange import error_answer
from .access_log import AccessLog
from .link import LINK, Link

TARGET = 8192  # bytes of a request's URL; the API's own are far shorter


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may be. Sizes in bytes, times in seconds.

    head, headers  all of a request before its body, and the number of its headers
    body           of a request; a million tokens are about 4 MB
    sending        from the first byte of a request, or from the connection, until all of it is
                   there
    reading        how long a client may leave its answer unread
    lingering      how long a refused client may go on sending before the connection is closed
    leaving        how long answers under way may take when the server stops
    connections    at once; below the usual limit of 1024 open files
    """

    head: int = 32_768
    headers: int = 100
    body: int = 8_000_000
    sending: float = 30.0
    reading: float = 30.0
    lingering: float = 5.0
    leaving: float = 2.0
    connections: int = 900


class Refused(Exception):
    """Raised in the parser's callbacks, to end the parsing of a request that will not be
    answered.
    """


class Connection(HttpToolsProtocol):
    """Made by uvicorn for each connection. ``limits`` and ``log`` are set by a subclass: see
    ``connection_type``.
    """

    limits = Limits()
    log = AccessLog(None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._links: list[
            Link
        ] = []  # more than one when a client sends requests without awaiting the answers
        self._sending: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._awaited = True  # a request, or the rest of it
        self._head_bytes = 0
        self._body_bytes: int | None = None  # None: still in the head
        self._refusal = (
            400,
            "invalid_request",
            "This is no HTTP request that the server can read.",
        )
        self._refused = False
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._sending = self.loop.call_later(self.limits.sending, self._too_slow)
        self._idle_since = self.loop.time()
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._refuse(
                503,
                "too_many_connections",
                "The server has too many connections. Try again in a moment.",
            )

    def _make_room(self) -> bool:
        """Close an idle connection, the oldest of the address that has most, so that nobody shuts
        the others out by keeping connections open. Returns whether there is one."""
        others = [
            each
            for each in self.connections
            if each is not self and isinstance(each, Connection)
        ]
        others = [each for each in others if not each.transport.is_closing()]
        if len(others) < self.limits.connections:
            return True  # those over the limit are being closed
        held = Counter(each.client and each.client[0] for each in others)
        idle = [each for each in others if each._is_idle]
        if not idle:
            return False
        oldest = min(
            idle,
            key=lambda each: (-held[each.client and each.client[0]], each._idle_since),
        )
        self.log.add("-", "closed:", "idle_connection", 0, 0.0)
        oldest.transport.close()
        return True

    @property
    def _is_idle(self) -> bool:
        """Whether no answer is under way: it waits for a request, or for the rest of the first."""
        return not self._links or (
            len(self._links) == 1 and self._body_bytes is not None
        )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (
            self._sending,
            self._reading,
            self._leaving,
            self.timeout_keep_alive_task,
        ):
            if timer is not None:
                timer.cancel()
        for link in self._links:
            link.lost = True
            if link.when_lost is not None:
                link.when_lost()
            link.let_go()
        self._links.clear()

    # What arrives

    def data_received(self, data: bytes) -> None:
        if self._refused:
            # read and thrown away: closing with unread data would take the refusal from the client
            return
        self._awaited = True
        if self._body_bytes is None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._refused:
            return
        if self._body_bytes is None and self._head_bytes > self.limits.head:
            self._refuse(*self._large_head())
        elif not self._awaited and self._sending is not None:
            self._sending.cancel()
            self._sending = None
        elif self._awaited and self._sending is None:
            self._sending = self.loop.call_later(self.limits.sending, self._too_slow)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._awaited = True

    def on_headers_complete(self) -> None:
        if len(self.url) > TARGET:
            self._end_parsing(
                414, "url_too_long", f"The URL is longer than {TARGET:,} bytes."
            )
        if len(self.headers) > self.limits.headers or (
            self._head_bytes > self.limits.head and self._is_large_head()
        ):
            self._end_parsing(*self._large_head())
        for name, value in self.headers:
            if (
                name == b"content-length"
                and len(value) < 20
                and value.isdigit()
                and int(value) > self.limits.body
            ):
                self._end_parsing(*self._large_body())
        super().on_headers_complete()
        link = Link(self.transport, self.cycle)
        self.cycle.transport = link  # type: ignore[assignment]
        self.scope[LINK] = link  # type: ignore[literal-required]
        self._links.append(link)
        self._body_bytes = 0

    def on_body(self, body: bytes) -> None:
        self._body_bytes = (self._body_bytes or 0) + len(body)
        if self._body_bytes > self.limits.body:
            self._end_parsing(*self._large_body())
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaited, self._body_bytes, self._head_bytes = False, None, 0

    # What leaves

    def on_response_complete(self) -> None:
        if self._links:
            self._links.pop(0).let_go()
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self.loop.call_later(self.limits.reading, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._reading is not None:
            self._reading.cancel()

    def shutdown(self) -> None:
        super().shutdown()
        if not self.transport.is_closing():
            self._leaving = self.loop.call_later(
                self.limits.leaving, self.transport.abort
            )

    # Refusals

    def send_400_response(self, msg: str) -> None:
        """uvicorn's answer to what its parser, or an exception in a callback, has refused."""
        self._refuse(*self._refusal)

    def _end_parsing(self, status: int, code: str, message: str) -> None:
        self._refusal = (status, code, message)
        raise Refused

    def _is_large_head(self) -> bool:
        """Exactly, where the bytes that arrived may be of a body, too."""
        return (
            len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            > self.limits.head
        )

    def _large_head(self) -> tuple[int, str, str]:
        most = f"{self.limits.headers} headers and {self.limits.head:,} bytes"
        return (
            431,
            "headers_too_large",
            f"The request's head is too large: at most {most} are taken.",
        )

    def _large_body(self) -> tuple[int, str, str]:
        return (
            413,
            "body_too_large",
            f"The request's body is too large: at most {self.limits.body:,} bytes are taken.",
        )

    def _too_slow(self) -> None:
        self._sending = None
        if self._head_bytes or self._body_bytes is not None:
            self._refuse(
                408,
                "request_timeout",
                f"The request did not arrive within {self.limits.sending:g} seconds.",
            )
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._refused = True
        self.log.add("-", "refused:", code, status, 0.0)
        if self._sending is not None:
            self._sending.cancel()
        answering = (
            self._body_bytes is not None and self.cycle.response_complete
        )  # before all of the body is there
        for cycle in [link.cycle for link in self._links if link.cycle]:
            answering = answering or cycle.response_started
            cycle.disconnected = True
            cycle.waiting_for_100_continue = (
                False  # nothing may be written behind the refusal
            )
            # the application, if it waits for the body, hears that there is none
            cycle.message_event.set()
        if answering:
            self.transport.close()
            return
        answer = error_answer(status, message, code=code)
        lines = [STATUS_LINE[status]]
        lines += [
            b"%s: %s\r\n" % header for header in self.server_state.default_headers
        ]
        lines += [
            b"%s: %s\r\n" % (name.encode(), value.encode())
            for name, value in answer.headers.items()
        ]
        lines.append(
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(answer.body)
        )
        self.transport.write(b"".join(lines) + answer.body)
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._sending = self.loop.call_later(
            self.limits.lingering, self.transport.close
        )


def connection_type(limits: Limits, log: AccessLog) -> type[Connection]:
    """A kind of connection with these limits; ``log`` is told of what is refused."""
    return type("Connection", (Connection,), {"limits": limits, "log": log})
