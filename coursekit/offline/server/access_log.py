"""The access log: one line per request, without bodies, keys, or queries."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import TextIO

SECONDS = 0.5  # between two writes
LINES = (
    20_000  # that may wait to be written; beyond that, the oldest are dropped
)


class AccessLog:
    """Writes to ``out`` in a thread of its own, so that a blocked terminal does not block requests.
    None: nothing is logged.

    seconds  between two writes
    """

    def __init__(self, out: TextIO | None, seconds: float = SECONDS) -> None:
        self.out, self.seconds = out, seconds
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
        line = f"{who} {method} {shown} {status or 'dropped'} {seconds:.3f}s {note}"
        self._lines.append((time.time(), line.rstrip()))

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
                for _ in range(len(self._lines)):
                    at, line = self._lines.popleft()
                    clock = time.strftime("%H:%M:%S", time.localtime(at))
                    self.out.write(f"{clock} {line}\n")
                self.out.flush()
