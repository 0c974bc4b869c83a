"""The replay layer: what was recorded wins; what was not goes on to the next layer."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ..exchange import ApiAnswer, ApiRequest, Layer
from ..recordings import Recordings, name_of, names_of_other_forms


class Replay:
    """Answers from recordings, in their order and then from the start, counted for each Replay
    object.

    recordings  where the answers are
    inner       asked when nothing is recorded
    used        a file that gets a line with each served recording's path (tests find unused ones),
                or None
    """

    def __init__(
        self, recordings: Recordings, inner: Layer, used: Path | None = None
    ) -> None:
        self.recordings, self.inner, self.used = recordings, inner, used
        # By name: the next answer's number, and how many there are (0: not known yet).
        self._next: dict[str, tuple[int, int]] = {}
        # By name and file: a recorded answer, and the same in the form that is asked for.
        self._formed: dict[
            tuple[str, str], tuple[ApiAnswer, ApiAnswer | None]
        ] = {}
        self._lock = threading.Lock()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        found = self._next_of(name_of(request)) or self._in_another_form(
            request
        )
        if found is None:
            return self.inner.answer(request)
        answer, path = found
        if self.used is not None:
            with self.used.open("a", encoding="utf-8") as file:
                file.write(f"{os.path.abspath(path)}\n")
        return answer

    def _next_of(self, name: str) -> tuple[ApiAnswer, str] | None:
        """The next of the answers with this name, and its file; None: there is none."""
        with self._lock:
            number, end = self._next.get(name, (0, 0))
            found = (
                None
                if number == end > 0
                else self.recordings.answer(name, number)
            )
            if found is None and number:
                # Past the last answer: from the start, and no need to look here again.
                number, end, found = 0, number, self.recordings.answer(name)
            if found is not None:
                self._next[name] = (number + 1, end)
        return found

    def _in_another_form(
        self, request: ApiRequest
    ) -> tuple[ApiAnswer, str] | None:
        """An answer that was recorded whole, for one who asks for a stream; and the reverse."""
        for name in names_of_other_forms(request):
            if (found := self._next_of(name)) is None:
                continue
            answer, path = found
            key = name_of(request), path
            if key not in self._formed or self._formed[key][0] is not answer:
                self._formed[key] = (answer, _formed(answer, request))
            formed = self._formed[key][1]
            if formed is not None:
                return formed, path
        return None


def _formed(answer: ApiAnswer, request: ApiRequest) -> ApiAnswer | None:
    # few need these, and their imports take time
    from .chunks import (
        NoSuchForm,
    )
    from .forms import as_asked

    try:
        return as_asked(answer, request.body)
    except NoSuchForm:
        return None
