"""The replay layer: answers what was recorded, and passes anything else to the next layer."""

from __future__ import annotations

import threading
from pathlib import Path

from ..exchange import ApiAnswer, ApiRequest, Layer
from ..recordings import Recordings, log_use, name_of, names_of_other_forms


class Replay:
    """Answers from recordings.

    Several answers to one request are served in order and then from the start; each Replay object
    counts its own.

    recordings  the recorded answers
    inner       answers what is not recorded
    used        a file that gets a line with the path of each recording that is served (tests find
                the unused ones), or None
    """

    def __init__(
        self, recordings: Recordings, inner: Layer, used: Path | None = None
    ) -> None:
        self.recordings, self.inner, self.used = recordings, inner, used
        # By name: the next answer's number, and how many answers there are (0: unknown).
        self._next: dict[str, tuple[int, int]] = {}
        # By name and file: a recorded answer, and the same answer in the requested form.
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
        log_use(self.used, path)
        return answer

    def _next_of(self, name: str) -> tuple[ApiAnswer, str] | None:
        """The next of the answers with this name, and its file; None: there is none."""
        with self._lock:
            number, end = self._next.get(name, (0, 0))
            found = None
            if number != end or end == 0:
                found = self.recordings.answer(name, number)
            if found is None and number:
                # After the last answer: from the start, without looking again.
                number, end, found = 0, number, self.recordings.answer(name)
            if found is not None:
                self._next[name] = (number + 1, end)
        return found

    def _in_another_form(
        self, request: ApiRequest
    ) -> tuple[ApiAnswer, str] | None:
        """A recorded complete answer as the requested stream, or the reverse."""
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
    # Imported here because few requests need them, and the imports take time.
    from .chunks import NoSuchForm
    from .forms import as_asked

    try:
        return as_asked(answer, request.body)
    except NoSuchForm:
        return None
