"""A connection as one request and its answer see it: what ASGI lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

LINK = "coursekit.link"  # the Link's key in the scope


class Link:
    """Stands between uvicorn's half of an answer (``cycle``) and the connection's transport.

    The application hears from it that the client has gone, can break the connection, and can have
    the head of an answer leave together with its body: uvicorn writes the two apart, which takes
    half as long again.
    """

    __slots__ = ("_held", "_hold", "_transport", "cycle", "lost", "when_lost")

    def __init__(
        self, transport: asyncio.Transport, cycle: RequestResponseCycle
    ) -> None:
        self._transport = transport
        self._hold, self._held = False, b""
        self.cycle: RequestResponseCycle | None = cycle
        self.lost = False
        self.when_lost: Callable[[], None] | None = None

    # For the application

    def hold_head(self) -> None:
        """The body follows the head at once: let both leave in one write."""
        self._hold = True

    def drop(self) -> None:
        """Break the connection: what was sent arrives, the end of the answer does not."""
        if self.cycle is not None:
            # so that uvicorn does not take the unfinished answer for a mistake
            self.cycle.disconnected = True
        self.close()

    # For uvicorn, as far as it uses a transport

    def write(self, data: bytes) -> None:
        if self._hold:
            self._hold, self._held = False, data
        else:
            self._transport.write(self._held + data if self._held else data)
            self._held = b""

    def close(self) -> None:
        if self._held:
            self._transport.write(self._held)
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    # For the connection

    def let_go(self) -> None:
        """The answer is over. (The cycle holds this link, too: a ring, which only the garbage
        collector would find.)
        """
        self.cycle = None
