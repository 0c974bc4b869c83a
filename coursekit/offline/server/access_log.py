"""The access log: one line a request, without bodies, keys and queries."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import TextIO

SECONDS = 0.5  # between two writes
LINES = 20_000  # that wait to be written; of more, the oldest are lost


class AccessLog:
    """Writes to ``out`` in a thread of its own: a terminal that is held up holds up no request.
    None: nothing is kept.

    now      the time of day, in seconds since the epoch
    seconds  between two writes
    """

    def __init__(
        self,
        out: TextIO | None,
        now: Callable[[], float] = time.time,
        seconds: float = SECONDS,
    ) -> None:
        self.out, self.now, self.seconds = out, now, seconds
        self._lines: deque[tuple[float, str]] = deque(maxlen=LINES)
        self._closing = threading.Event()
        self._writer = threading.Thread(
            target=self._write, name="access-log", daemon=True
        )
        if out is not None:
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
        """A request has ended. ``who``: a learner's name, or "-"; ``status`` 0: the connection was
        dropped."""
        if self.out is None:
            return
        # a client chose the path: no line break, no control code
        shown = ascii(path[:100])[1:-1]
        line = f"{who} {method} {shown} {status or 'dropped'} {seconds:.3f}s"
        self._lines.append(
            (self.now(), f"{line} {note}\n" if note else f"{line}\n")
        )

    def close(self) -> None:
        """Write what there is, as far as that is possible within two seconds."""
        self._closing.set()
        if self.out is not None:
            self._writer.join(2)

    def _write(self) -> None:
        assert self.out is not None
        closing = False
        # the terminal, or the file, is closed
        with contextlib.suppress(OSError, ValueError):
            while not closing:
                closing = self._closing.wait(self.seconds)
                waiting = [
                    self._lines.popleft() for _ in range(len(self._lines))
                ]
                lines = [f"{_clock(int(at))} {line}" for at, line in waiting]
                self.out.write("".join(lines))
                self.out.flush()


@lru_cache(maxsize=2)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
