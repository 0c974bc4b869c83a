"""The access log: one line a request, without bodies, keys and queries. Lines are written
together.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TextIO

SECONDS, LINES = 0.5, 200  # a line waits no longer, and for no more others
WAITING = 100  # such blocks of lines at most


class Line(NamedTuple):
    """One request. ``who``: a learner's name, or "-"; ``status`` 0: the connection was dropped."""

    at: float
    who: str
    method: str
    path: str
    status: int
    seconds: float
    note: str

    def __str__(self) -> str:
        shown = ascii(self.path[:100])[
            1:-1
        ]  # a path comes from outside: no line break, no control code
        said = (
            f"{_clock(int(self.at))} {self.who} {self.method} {shown} "
            f"{self.status or 'dropped'} {self.seconds:.3f}s"
        )
        return f"{said} {self.note}\n" if self.note else f"{said}\n"


class AccessLog:
    """Writes to ``out``, in a thread of its own: a terminal that is held up holds up nobody. None:
    nothing is written.

    Use it from one event loop, and ``close`` it at the end.
    now      the time of day, in seconds since the epoch
    seconds  that a line may wait for others
    """

    def __init__(
        self,
        out: TextIO | None,
        now: Callable[[], float] = time.time,
        seconds: float = SECONDS,
    ) -> None:
        self.out, self.now, self.seconds = out, now, seconds
        self._lines: list[Line] = []
        self._timer: asyncio.TimerHandle | None = None
        self._texts: queue.Queue[str | None] = queue.Queue()
        if out is not None:
            self._writer = threading.Thread(
                target=self._write, name="access-log", daemon=True
            )
            self._writer.start()

    def add(
        self,
        who: str,
        method: str,
        path: str,
        status: int,
        seconds: float,
        note: str = "",
    ) -> None:
        """A request is over: see ``Line``."""
        if self.out is None:
            return
        self._lines.append(Line(self.now(), who, method, path, status, seconds, note))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(
                self.seconds, self.flush
            )
        if len(self._lines) >= LINES:
            self.flush()

    def flush(self) -> None:
        """Hand over what there is; it is lost when far too much waits to be written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines and self._texts.qsize() < WAITING:
            self._texts.put("".join(map(str, lines)))

    def close(self) -> None:
        """Write what there is, as far as that goes within a second or two."""
        self.flush()
        self._texts.put(None)
        if self.out is not None:
            self._writer.join(2)

    def _write(self) -> None:
        assert self.out is not None
        with contextlib.suppress(
            OSError, ValueError
        ):  # closed on the other side, or on this one
            while (text := self._texts.get()) is not None:
                self.out.write(text)
                self.out.flush()


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
