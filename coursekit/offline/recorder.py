"""The transport of record mode: another server answers, and each complete answer is saved.

The caller sees the answer as it arrives: a stream is copied aside while it passes. An incomplete
answer (an error, a page instead of JSON, a stream that broke, was cut, or was left by the caller)
reaches the caller but is not saved.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2

from ..foundation.addresses import is_this_machine
from ..foundation.portable import Portable
from .batches.api import BATCHES, is_below
from .batches.files import FILES
from .clock import Clock
from .event_stream import (
    Blocks,
    data_of,
    is_done,
    is_error,
    objects,
    objects_of,
)
from .exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Event, Layer
from .forwarding import Copied, Piece, passed_on
from .recordings import USED_LOG, Provenance, Recordings, name_of, sent_headers
from .transport import api_request

ERRORS, RECORDED = "COURSEKIT_RECORD_ERRORS", "COURSEKIT_RECORDED"
# elsewhere (a proxy, Azure) another server answers
REAL_HOSTS = (".openai.com",)
KEY = re.compile(rb"(?<![A-Za-z0-9_])sk-[A-Za-z0-9_-]{20,}")
ACCOUNT = re.compile(rb"(?<![A-Za-z0-9_-])(?:org-|proj_)[A-Za-z0-9]{16,}")
# no word: 16 letters and digits, mixed
RANDOM = re.compile(rb"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16}")
KEY_REMOVED, ACCOUNT_REMOVED = b"[API key removed]", b"[account removed]"
LEAST = 16  # characters of a key; "lm-studio" and the like are not keys


def is_secret(word: bytes) -> bool:
    """Whether a word of the form of a key or an account's id is one: its letters and digits are
    drawn by lot. Words that begin alike ("sk-learn-pipeline-for-classification", "org-chart") are
    not."""
    return RANDOM.search(word) is not None


def without_secrets(data: bytes, key: bytes = b"") -> bytes:
    """The data without anything that looks like a key, without ``key`` itself, and without ids of
    accounts.
    """
    if len(key) >= LEAST:
        data = data.replace(key, KEY_REMOVED)
    data = KEY.sub(
        lambda found: KEY_REMOVED if is_secret(found[0]) else found[0], data
    )
    return ACCOUNT.sub(
        lambda found: ACCOUNT_REMOVED if is_secret(found[0]) else found[0], data
    )


class SecretInRequest(Portable, ValueError):
    """A request that would put a key into a recording; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(
            "The request body contains something that looks like an API key; it would be stored in "
            "the recording.\n"
            "Nothing was sent. Remove the key from the messages (it belongs in .env), then run "
            "the cell again."
        )


class Recorder:
    """Stores whole answers: those of one client to one request become .json, .2.json, … in their
    order.

    recordings  new answers are stored in the first folder
    provenance  who answers; None: the server whose address each ``keep`` gives
    on          the day, "2026-11-29"
    key         of the account, which no recording may hold
    errors      statuses of errors that are kept, since a lesson shows them; all others are not
    recorded    what need not be asked again; None: all is asked
    used        a file to which each recording that is stored or served is added, one path a line
    """

    def __init__(
        self,
        recordings: Recordings,
        provenance: Provenance | None = None,
        *,
        on: str = "",
        key: str = "",
        errors: frozenset[int] = frozenset(),
        recorded: Recordings | None = None,
        used: Path | None = None,
    ) -> None:
        self.recordings, self.provenance, self.on = recordings, provenance, on
        self.errors, self.recorded, self.used = errors, recorded, used
        self._key = key.encode()
        self._count: dict[str, int] = {}
        # 429s that may be followed by the answer
        self._refused: dict[str, list[ApiAnswer]] = {}
        self._lock = threading.Lock()

    def check(self, request: ApiRequest) -> None:
        """Raises SecretInRequest before anything is sent."""
        held = any(is_secret(found[0]) for found in KEY.finditer(request.raw))
        if held or (len(self._key) >= LEAST and self._key in request.raw):
            raise SecretInRequest

    def keep(
        self, request: ApiRequest, answer: ApiAnswer, server: str | None = None
    ) -> None:
        """Keep an answer if it is whole, or an error that is asked for. What is neither changes no
        file.

        server  the address that answered; None: ``provenance`` says who did

        A 429 is kept with the answer that follows it, so that replay retries as live did; without
        one, it is not.
        """
        wanted = is_whole(request, answer) or (
            answer.status in self.errors and _error_of(answer) is not None
        )
        with self._lock:
            name = name_of(request)
            if not wanted:
                if (
                    answer.status == 429
                    and (_error_of(answer) or {}).get("code")
                    == "rate_limit_exceeded"
                ):
                    self._refused.setdefault(name, []).append(answer)
                return
            for each in (*self._refused.pop(name, ()), answer):
                number = self._count.get(name, 0)
                self._count[name] = number + 1
                provenance = self.provenance or answered_by(
                    server or "", answer, self.on
                )
                self._note(
                    self.recordings.store(
                        request, self._clean(each), provenance, number
                    )
                )

    def keep_pieces(
        self,
        request: ApiRequest,
        head: ApiAnswer,
        pieces: list[Piece],
        server: str | None = None,
    ) -> None:
        """As ``keep``, for an answer that arrived in pieces, each with its seconds since the
        request."""
        if head.headers.get("content-type", "").startswith("text/event-stream"):
            answer = replace(head, events=_events(pieces))
        else:
            answer = replace(head, body=b"".join(data for _, data in pieces))
        self.keep(request, answer, server)

    def found(self, request: ApiRequest) -> ApiAnswer | None:
        """What need not be asked again: the answer of an earlier run to this request; None: it is
        to be asked.

        An unfinished run's answers are counted (it may have ended before the second to the same
        request), those of a finished one are served as in replay: after the last, from the start.
        """
        if self.recorded is None:
            return None
        with self._lock:
            name = name_of(request)
            number = self._count.get(name, 0)
            found = self.recordings.answer(name, number)
            if found is None and self.recordings.answer(name) is None:
                found = self.recorded.answer(name, number)
                if found is None and number:
                    number, found = 0, self.recorded.answer(name)
            if found is None:
                return None
            self._count[name] = number + 1
            self._note(Path(found[1]))
            return found[0]

    def _note(self, path: Path) -> None:
        if self.used is not None:
            with self.used.open("a", encoding="utf-8") as file:
                file.write(f"{os.path.abspath(path)}\n")

    def _clean(self, answer: ApiAnswer) -> ApiAnswer:
        events = answer.events and tuple(
            Event(e.at, without_secrets(e.data, self._key))
            for e in answer.events
        )
        headers = {
            name: without_secrets(
                value.encode("utf-8", "surrogateescape"), self._key
            ).decode("utf-8", "replace")
            for name, value in answer.headers.items()
        }
        return replace(
            answer,
            headers=headers,
            body=without_secrets(answer.body, self._key),
            events=events,
        )


class Unrecorded:
    """Answers from an earlier run what need not be asked again; the rest goes on to ``inner``."""

    def __init__(self, inner: Layer, recorder: Recorder) -> None:
        self.inner, self.recorder = inner, recorder

    def answer(self, request: ApiRequest) -> ApiAnswer:
        return self.recorder.found(request) or self.inner.answer(request)


def recorder_for(
    recordings: Recordings,
    env: Mapping[str, str],
    provenance: Provenance | None = None,
    *,
    on: str,
    key: str = "",
) -> Recorder:
    """A Recorder by the settings: COURSEKIT_RECORD_ERRORS ("400,429"), and those that ``coursekit
    record`` makes.

    Raises ValueError for anything but statuses.
    """
    statuses = env.get(ERRORS, "").replace(",", " ").split()
    if not all(
        status.isdecimal() and 400 <= int(status) < 600 for status in statuses
    ):
        raise ValueError(
            f"{ERRORS}={env[ERRORS]!r}: give the statuses of errors to keep, such as 400,429."
        )
    recorded = Recordings(recordings.folders[1:]) if env.get(RECORDED) else None
    used = env.get(USED_LOG)
    return Recorder(
        recordings,
        provenance,
        on=on,
        key=key,
        errors=frozenset(map(int, statuses)),
        recorded=recorded,
        used=Path(used) if used else None,
    )


def answered_by(url: str, answer: ApiAnswer, on: str) -> Provenance:
    """The provenance of what a server said: "live" only for OpenAI's own API; with the model and
    the address.
    """
    address = httpx2.URL(url)
    kind = "local" if is_this_machine(url) else "server"
    if is_real(address.host):
        kind = "live"
    models = (
        str(part["model"]) for part in objects_of(answer) if part.get("model")
    )
    model = next(models, "")
    at = address.netloc.decode()
    return Provenance(kind, on, f"{model} at {at}" if model else at)


def is_real(host: str) -> bool:
    """Whether a host is OpenAI's API."""
    return f".{host}".endswith(REAL_HOSTS)


def is_whole(request: ApiRequest, answer: ApiAnswer) -> bool:
    """Whether this is the whole answer in the form that was requested: for a chat completion, each
    choice with its message or, streamed, up to its finish reason."""
    if answer.status != 200 or answer.breaks:
        return False
    parts = list(objects_of(answer))
    if not parts or any(part.get("error") for part in parts):
        return False
    if any(is_error(event.data) for event in answer.events or ()):
        return False
    if request.path != CHAT_COMPLETIONS or request.method != "POST":
        return True
    if request.wants_stream is not (answer.events is not None):
        return False
    choices = [
        choice for part in parts for choice in _list(part.get("choices"))
    ]
    if not choices or not all(isinstance(choice, dict) for choice in choices):
        return False
    if answer.events is None:
        return all(
            isinstance(choice.get("message"), dict) for choice in choices
        )
    finished = {
        choice.get("index") for choice in choices if choice.get("finish_reason")
    }
    return finished == {
        choice.get("index") for choice in choices
    } and _readable(answer.events)


def _readable(events: tuple[Event, ...]) -> bool:
    """Whether each event's data is a JSON object or [DONE]: at anything else the SDK stops, and the
    caller with it.
    """
    blocks = [event.data for event in events]
    with_data = [
        block
        for block in blocks
        if data_of(block) is not None and not is_done(block)
    ]
    return len(list(objects(with_data))) == len(with_data)


def _error_of(answer: ApiAnswer) -> dict[str, Any] | None:
    error = next((part.get("error") for part in objects_of(answer)), None)
    return error if isinstance(error, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class RecordingTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Sends through ``inner`` (a whole httpx2 client, so that proxies, TLS and pool limits are as
    always).
    """

    def __init__(self, inner: Any, recorder: Recorder, clock: Clock) -> None:
        self.inner, self.recorder, self.clock = inner, recorder, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = api_request(request, request.read())
        self.recorder.check(sent)
        if (found := self.recorder.found(sent)) is not None:
            return _recorded(found)
        start = self.clock.now()
        return self._copied(sent, self.inner.send(request, stream=True), start)

    async def handle_async_request(
        self, request: httpx2.Request
    ) -> httpx2.Response:
        sent = api_request(request, await request.aread())
        self.recorder.check(sent)
        if (found := self.recorder.found(sent)) is not None:
            return _recorded(found)
        start = self.clock.now()
        return self._copied(
            sent, await self.inner.send(request, stream=True), start
        )

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _copied(
        self, sent: ApiRequest, response: httpx2.Response, start: float
    ) -> httpx2.Response:
        """The answer for the caller; a copy of it is kept when it has passed."""
        after = self.clock.now() - start
        head = ApiAnswer(
            response.status_code, sent_headers(response.headers), after=after
        )
        # replay has files and batches of its own
        own = is_below(FILES, sent.path) or is_below(BATCHES, sent.path)

        def ended(pieces: list[Piece], how: str) -> None:
            if how == "all" and not own:
                self.recorder.keep_pieces(
                    sent, head, pieces, str(response.request.url)
                )

        return passed_on(
            response, Copied(response, lambda: self.clock.now() - start, ended)
        )


def _events(pieces: list[Piece]) -> tuple[Event, ...]:
    """The events of a stream that arrived in pieces, up to [DONE], after which the SDK reads no
    further."""
    blocks, events = Blocks(), []
    for at, data in pieces:
        for block in blocks.add(data):
            events.append(Event(at, block))
            if is_done(block):
                return tuple(events)
    if blocks.rest:
        events.append(Event(pieces[-1][0], blocks.rest))
    return tuple(events)


def _recorded(answer: ApiAnswer) -> httpx2.Response:
    """An answer of an earlier run, at once."""
    data = (
        answer.body
        if answer.events is None
        else b"".join(event.data for event in answer.events)
    )
    return httpx2.Response(answer.status, headers=answer.headers, content=data)
