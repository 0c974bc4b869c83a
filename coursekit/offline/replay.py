"""The replay layer: what was recorded wins; what was not goes on to the next layer."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .exchange import ApiAnswer, ApiRequest, Layer
from .recordings import Recordings, name_of


class Replay:
    """Answers from recordings, in their order and then from the start, counted for each Replay object.

    recordings  where the answers are
    inner       asked when nothing is recorded
    used        a file that gets a line with each served recording's path (tests find unused ones), or None
    """

    def __init__(self, recordings: Recordings, inner: Layer, used: Path | None = None) -> None:
        self.recordings, self.inner, self.used = recordings, inner, used
        self._next: dict[
            str, tuple[int, int]
        ] = {}  # by name: the next answer's number, and how many there are (0: unknown)
        self._lock = threading.Lock()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        name = name_of(request)
        with self._lock:
            number, end = self._next.get(name, (0, 0))
            found = None if number == end > 0 else self.recordings.answer(name, number)
            if found is None and number:  # past the last answer: from the start, and no need to look here again
                number, end, found = 0, number, self.recordings.answer(name)
            if found is not None:
                self._next[name] = (number + 1, end)
        if found is None:
            return self.inner.answer(request)
        answer, path = found
        if self.used is not None:
            with self.used.open("a", encoding="utf-8") as file:
                file.write(f"{os.path.abspath(path)}\n")
        return answer
