"""Recordings while they are served: a file is checked again after a second, not for each request.

The course's recordings are in a folder for each lesson, and finding one means looking in each
folder in turn, which would be half of the work of an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..exchange import ApiAnswer
from ..recordings import Recordings

FRESH = 1.0  # seconds


class SteadyRecordings(Recordings):
    """Like ``recordings``, but a result is reused for a second, whatever happens on the disk."""

    def __init__(
        self, recordings: Recordings, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(recordings.folders)
        self.now, self._until = now, 0.0
        self._found: dict[tuple[str, int], tuple[ApiAnswer, str]] = {}

    def answer(
        self, name: str, number: int = 0
    ) -> tuple[ApiAnswer, str] | None:
        if self.now() >= self._until:
            self._found.clear()
            self._until = self.now() + FRESH
        found = self._found.get((name, number)) or super().answer(name, number)
        if found is not None:
            self._found[name, number] = found
        return found
