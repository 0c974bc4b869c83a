"""The transport of record mode: another server answers, and each complete answer is saved.

The caller sees the answer as it arrives: a stream is copied aside while it passes. An incomplete
answer (an error, a page instead of JSON, a stream that broke, was cut, or was left by the caller)
reaches the caller but is not saved.
"""

from __future__ import annotations

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
    json_of,
    objects_of,
)
from .exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Event, Layer
from .forwarding import Copied, Piece, passed_on
from .recordings import (
    USED_LOG,
    Provenance,
    Recordings,
    log_use,
    name_of,
    sent_headers,
)
from .transport import api_request

ERRORS, RECORDED = "COURSEKIT_RECORD_ERRORS", "COURSEKIT_RECORDED"
# At any other host (a proxy, Azure), another server answers.
REAL_HOSTS = (".openai.com",)
# Keys and account ids are random: 16 letters and digits in a row, mixed. Words that only begin like
# them ("sk-learn-pipeline-for-classification", "org-chart") are not.
RANDOM = (
    rb"(?=[A-Za-z0-9_-]*?(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16})"
)
KEY = re.compile(rb"(?<![A-Za-z0-9_])sk-" + RANDOM + rb"[A-Za-z0-9_-]{20,}")
ACCOUNT = re.compile(
    rb"(?<![A-Za-z0-9_-])(?:org-|proj_)" + RANDOM + rb"[A-Za-z0-9]{16,}"
)
KEY_REMOVED, ACCOUNT_REMOVED = b"[API key removed]", b"[account removed]"
LEAST = 16  # characters of a key; "lm-studio" and similar are not keys


def without_secrets(data: bytes, key: bytes = b"") -> bytes:
    """The data without ``key``, anything else that looks like a key, and account ids."""
    if len(key) >= LEAST:
        data = data.replace(key, KEY_REMOVED)
    return ACCOUNT.sub(ACCOUNT_REMOVED, KEY.sub(KEY_REMOVED, data))


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
    """Stores complete answers. A client's answers to one request become .json, .2.json, … in order.

    recordings  new answers are stored in its first folder
    provenance  who answers; None: the server whose address is passed to ``keep``
    on          the day, "2026-11-29"
    key         the account's API key, which no recording may contain
    errors      HTTP statuses of the errors that are stored, because a lesson shows them
    recorded    recordings of requests that are not sent again; None: every request is sent
    used        a file that gets a line with the path of each recording that is stored or served
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
        # by name: how many answers there are so far
        self._count: dict[str, int] = {}
        # 429s, until the answer of the retry arrives
        self._refused: dict[str, list[ApiAnswer]] = {}
        self._lock = threading.Lock()

    def check(self, request: ApiRequest) -> None:
        """Raises SecretInRequest before anything is sent."""
        own = len(self._key) >= LEAST and self._key in request.raw
        if own or KEY.search(request.raw):
            raise SecretInRequest

    def keep(
        self, request: ApiRequest, answer: ApiAnswer, server: str | None = None
    ) -> None:
        """Store an answer if it is complete, or an error whose status is in ``errors``.

        server  the address that answered; None: ``provenance`` says who did

        A 429 is stored with the answer that follows it, so that replay retries as live mode did.
        Without such an answer it is not stored.
        """
        parts = objects_of(answer)
        error = parts[0].get("error") if parts else None
        wanted = isinstance(error, dict) and answer.status in self.errors
        with self._lock:
            name = name_of(request)
            if not wanted and not is_whole(request, answer):
                if answer.status == 429 and _is_rate_limit(error):
                    self._refused.setdefault(name, []).append(answer)
                return
            provenance = self.provenance or answered_by(
                server or "", answer, self.on
            )
            for each in (*self._refused.pop(name, ()), answer):
                number = self._count.get(name, 0)
                self._count[name] = number + 1
                path = self.recordings.store(
                    request, self._clean(each), provenance, number
                )
                log_use(self.used, path)

    def keep_pieces(
        self,
        request: ApiRequest,
        head: ApiAnswer,
        pieces: list[Piece],
        server: str | None = None,
    ) -> None:
        """As ``keep``, for an answer in pieces, each with its seconds since the request."""
        if head.headers.get("content-type", "").startswith("text/event-stream"):
            answer = replace(head, events=_events(pieces))
        else:
            answer = replace(head, body=b"".join(data for _, data in pieces))
        self.keep(request, answer, server)

    def found(self, request: ApiRequest) -> ApiAnswer | None:
        """The answer of an earlier run to this request; None: the request must be sent.

        The answers of an unfinished run are counted (it may have ended before the second answer to
        the same request). Those of a finished run are served as in replay: after the last one, from
        the start.
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
            answer, path = found
            log_use(self.used, path)
            return answer

    def _clean(self, answer: ApiAnswer) -> ApiAnswer:
        def clean(data: bytes) -> bytes:
            return without_secrets(data, self._key)

        headers = {
            name: clean(value.encode("utf-8", "surrogateescape")).decode(
                "utf-8", "replace"
            )
            for name, value in answer.headers.items()
        }
        events = answer.events and tuple(
            Event(event.at, clean(event.data)) for event in answer.events
        )
        return replace(
            answer, headers=headers, body=clean(answer.body), events=events
        )


class Unrecorded:
    """Answers what an earlier run has recorded; passes the rest to ``inner``."""

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
    """A Recorder with the settings COURSEKIT_RECORD_ERRORS ("400,429") and those of ``coursekit
    record``.

    Raises ValueError if the first one contains anything but HTTP statuses of errors.
    """
    statuses = env.get(ERRORS, "").replace(",", " ").split()
    if not all(
        status.isdecimal() and 400 <= int(status) < 600 for status in statuses
    ):
        raise ValueError(
            f"{ERRORS}={env[ERRORS]!r}: give the statuses of errors to keep, such as 400,429."
        )
    recorded = Recordings(recordings.folders[1:]) if env.get(RECORDED) else None
    used = Path(env[USED_LOG]) if env.get(USED_LOG) else None
    return Recorder(
        recordings,
        provenance,
        on=on,
        key=key,
        errors=frozenset(map(int, statuses)),
        recorded=recorded,
        used=used,
    )


def answered_by(url: str, answer: ApiAnswer, on: str) -> Provenance:
    """The provenance of a server's answer, with the model and the address; "live" only for OpenAI's
    own API.
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
    """Whether this is the complete answer in the requested form: for a chat completion, each choice
    with its message or, in a stream, up to its finish reason."""
    if answer.status != 200 or answer.breaks:
        return False
    parts = objects_of(answer)
    if not parts or any(part.get("error") for part in parts):
        return False
    blocks = [event.data for event in answer.events or ()]
    if any(is_error(block) for block in blocks):
        return False
    if request.path != CHAT_COMPLETIONS or request.method != "POST":
        return True
    if request.wants_stream is not (answer.events is not None):
        return False
    choices = []
    for part in parts:
        if isinstance(part.get("choices"), list):
            choices += part["choices"]
    if not choices or not all(isinstance(choice, dict) for choice in choices):
        return False
    if answer.events is None:
        return all(
            isinstance(choice.get("message"), dict) for choice in choices
        )
    indexes = {choice.get("index") for choice in choices}
    finished = {
        choice.get("index") for choice in choices if choice.get("finish_reason")
    }
    return finished == indexes and all(map(_is_readable, blocks))


def _is_rate_limit(error: Any) -> bool:
    is_error = isinstance(error, dict)
    return is_error and error.get("code") == "rate_limit_exceeded"


def _is_readable(block: bytes) -> bool:
    """Whether the SDK can read a block: data is a JSON object or [DONE]."""
    data = data_of(block)
    return data is None or is_done(block) or json_of(block) is not None


class RecordingTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Sends through ``inner``, a complete httpx2 client with its proxies, TLS and pool limits."""

    def __init__(self, inner: Any, recorder: Recorder, clock: Clock) -> None:
        self.inner, self.recorder, self.clock = inner, recorder, clock

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        sent, found = self._found(request, request.read())
        if found is not None:
            return found
        start = self.clock.now()
        return self._copied(sent, self.inner.send(request, stream=True), start)

    async def handle_async_request(
        self, request: httpx2.Request
    ) -> httpx2.Response:
        sent, found = self._found(request, await request.aread())
        if found is not None:
            return found
        start = self.clock.now()
        response = await self.inner.send(request, stream=True)
        return self._copied(sent, response, start)

    def close(self) -> None:
        self.inner.close()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _found(
        self, request: httpx2.Request, raw: bytes
    ) -> tuple[ApiRequest, httpx2.Response | None]:
        """The request, and the answer of an earlier run. Raises SecretInRequest."""
        sent = api_request(request, raw)
        self.recorder.check(sent)
        found = self.recorder.found(sent)
        if found is None:
            return sent, None
        blocks = [event.data for event in found.events or ()]
        data = b"".join([found.body, *blocks])
        return sent, httpx2.Response(
            found.status, headers=found.headers, content=data
        )

    def _copied(
        self, sent: ApiRequest, response: httpx2.Response, start: float
    ) -> httpx2.Response:
        """The answer for the caller; a copy is stored once all of it has passed."""
        after = self.clock.now() - start
        head = ApiAnswer(
            response.status_code, sent_headers(response.headers), after=after
        )
        # Replay has its own files and batches.
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
    """The events of a stream that arrived in pieces, up to [DONE]: the SDK stops there."""
    blocks, events = Blocks(), []
    for at, data in pieces:
        for block in blocks.add(data):
            events.append(Event(at, block))
            if is_done(block):
                return tuple(events)
    if blocks.rest:
        events.append(Event(pieces[-1][0], blocks.rest))
    return tuple(events)
