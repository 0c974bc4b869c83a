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
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        name = name_of(request)
        with self._lock:
            number = self._next.get(name, 0)
            found = self.recordings.answer(request, number)
            if found is None:
                return self.inner.answer(request)
            answer, path = found
            again = number and not path.name.endswith(f".{number + 1}.json")
            self._next[name] = 1 if again else number + 1
        if self.used is not None:
            with self.used.open("a", encoding="utf-8") as file:
                file.write(f"{os.path.abspath(path)}\n")
        return answer
