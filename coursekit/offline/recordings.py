"""Recordings on disk: one exchange in one pretty-printed file.

The file's name is computed from the request's canonical form
(``gpt-4o-what-is-the-capital-of-france-3f9a0c41d2be.json``), so an answer is found without loading
or listing anything. Further answers to the same request are next to it, as ``….2.json``,
``….3.json``. Only an allow-list of the answer's headers is stored, and no header of the request, so
that a key cannot reach the disk.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..foundation.files import write_atomically
from ..foundation.portable import Portable
from ..foundation.retry_after import seconds_to_wait
from .canonical import canonical, other_forms
from .exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    Event,
    Headers,
    Json,
    JsonDict,
    api_path,
    json_answer,
    sse,
    texts_of,
)

FORMAT = 1
# The setting for a file that gets a line with the path of each recording that is served.
USED_LOG = "COURSEKIT_USED_LOG"
SUBJECT = ("model", "messages")
# between the words of a name
SEPARATORS = re.compile(r"(?:[^a-z0-9.]|(?<!\d)\.|\.(?!\d))+")
STORED_HEADERS = re.compile(
    r"content-type|x-request-id|x-ratelimit-.*|retry-after(-ms)?|openai-processing-ms|x-should-retry"
)
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OSError)
TOKEN = re.compile(  # with its log-probability
    r'\{\n +("token": .*),\n +("logprob": .*),\n +"bytes": \[([\s\d,]*)\](,|\n +\})'
)
# Created once, because every request needs it.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who answered, on which day.

    kind  "live" (OpenAI's API), "local" (a model on the recorder's own machine), "server" (another
          server) or "written" (an author)
    by    the model and where it ran, or the author
    """

    kind: str
    on: str
    by: str = ""

    @property
    def source(self) -> str:
        """For receipts: the kind, or another server's model and address."""
        return self.by if self.kind == "server" and self.by else self.kind


class DamagedRecording(Portable, ValueError):
    """A recording that cannot be read; the message says which file, and how to repair it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The recording {path} cannot be read: {why}.\n"
            f"If you edited it, restore it (git checkout -- {path.name}, in its folder). Otherwise "
            "delete it and record the request again."
        )


def name_of(request: ApiRequest) -> str:
    """The file name, without its ending, of this request's recordings; computed once."""
    names = request.__dict__
    if "name" not in names:
        names["name"] = _name(request, canonical(request.body))
    return str(names["name"])


def names_of_other_forms(request: ApiRequest) -> tuple[str, ...]:
    """The names of the same answer in other forms, the nearest form first; computed once."""
    names = request.__dict__
    if "other_names" not in names:
        is_chat = request.path == CHAT_COMPLETIONS
        forms = other_forms(request.body) if is_chat else ()
        names["other_names"] = tuple(_name(request, form) for form in forms)
    return tuple(names["other_names"])


def _name(request: ApiRequest, body: Any) -> str:
    """The name for a canonical body: the model, the first words, and a digest of the whole."""
    whole = f"{request.method} {request.path}\n{_ENCODER.encode(body)}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    fields = body if isinstance(body, dict) else {}
    subject = fields.get("model") or request.path.rsplit("/", 1)[-1]
    words = f"{subject} {_last_text(fields.get('messages'))[:200]}"[:200]
    slug = SEPARATORS.sub("-", words.lower()[:200])
    slug = slug.strip("-.")[:48].rstrip("-.")
    return f"{slug or 'request'}-{digest}"


class Recordings:
    """The recordings of one or several folders.

    folders  searched in this order; new recordings are stored in the first one
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [Path(folder).expanduser() for folder in folders]
        self._places = [f"{folder}{os.sep}" for folder in self.folders]
        # by file: its modification time and size, and its answer
        self._read: dict[str, tuple[tuple[int, int], ApiAnswer]] = {}

    def answer(
        self, name: str, number: int = 0
    ) -> tuple[ApiAnswer, str] | None:
        """The recorded answer ``number`` (from 0) to the request of this name, and its file."""
        ending = _file(name, number)
        for folder in self._places:
            path = folder + ending
            try:
                stat = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            version = (stat.st_mtime_ns, stat.st_size)
            seen = self._read.get(path)
            if seen is None or seen[0] != version:
                seen = self._read[path] = (version, read(Path(path))[2])
            return seen[1], path
        return None

    def store(
        self,
        request: ApiRequest,
        answer: ApiAnswer,
        provenance: Provenance,
        number: int = 0,
    ) -> Path:
        """Write answer ``number`` atomically; number 0 replaces all answers to this request."""
        folder = self.folders[0]
        folder.mkdir(parents=True, exist_ok=True)
        name = name_of(request)
        path = folder / _file(name, number)
        write_atomically(path, rendered(request, answer, provenance))
        if number == 0:
            for later in folder.glob(f"{name}.*.json"):
                later.unlink(missing_ok=True)
        return path

    def alike(self, request: ApiRequest) -> Iterator[ApiRequest]:
        """The recorded requests with the same model and messages, in order of name.

        Raises DamagedRecording.
        """
        stem = name_of(request).rpartition("-")[0]  # the rest is the digest
        for folder in self.folders:
            for path in sorted(folder.glob(f"{stem}-*.json")):
                other = read(path)[0]
                if all(
                    other.body.get(key) == request.body.get(key)
                    for key in SUBJECT
                ):
                    yield other

    def files(self) -> Iterator[Path]:
        """Every recording's file, in order of folder and name."""
        for folder in self.folders:
            yield from sorted(folder.glob("*.json"))


def _file(name: str, number: int) -> str:
    return f"{name}.{number + 1}.json" if number else f"{name}.json"


def log_use(log: Path | None, path: str | Path) -> None:
    """Add a line with a recording's path to the file ``log``; None: there is no such file."""
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{os.path.abspath(path)}\n")


def read(path: Path) -> tuple[ApiRequest, Provenance, ApiAnswer]:
    """The content of a recording's file. Raises DamagedRecording."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["coursekit_recording"] != FORMAT:
            raise ValueError(
                f"its format is {value['coursekit_recording']!r}, but this version reads {FORMAT}"
            )
        request = value["request"]
        provenance = Provenance(**value["provenance"])
        body = request.get("body")
        raw = b"" if body is None else json.dumps(body).encode()
        parsed = ApiRequest(request["method"], api_path(request["path"]), raw)
        return parsed, provenance, _answer(value["response"], provenance.source)
    except FileNotFoundError:
        raise
    except KeyError as error:
        raise DamagedRecording(path, f"it has no {error}") from error
    except UNREADABLE as error:
        raise DamagedRecording(path, str(error)) from error


def rendered(
    request: ApiRequest, answer: ApiAnswer, provenance: Provenance
) -> str:
    """The text of a recording's file: indented JSON, with a line for each event and each token."""
    response: JsonDict = {
        "status": answer.status,
        "headers": sent_headers(answer.headers),
        "after": round(answer.after, 4),
    }
    if answer.breaks:
        response["breaks"] = True
    value = {
        "coursekit_recording": FORMAT,
        "provenance": asdict(provenance),
        "request": {
            "method": request.method,
            "path": request.path,
            "body": request.body,
        },
        "response": {**response, **_body(answer)},
    }
    text = TOKEN.sub(_on_one_line, _dumps(value, indent=2))
    if answer.events:
        pairs = [
            [round(event.at, 4), _event(event.data)] for event in answer.events
        ]
        lines = ",\n".join(f"      {_dumps(pair)}" for pair in pairs)
        # The last match: a request may also contain "events".
        before, _, rest = text.rpartition('"events": []')
        text = f'{before}"events": [\n{lines}\n    ]{rest}'
    return text + "\n"


def sent_headers(headers: Headers) -> dict[str, str]:
    """The headers that a recording stores, in lower case and in order of name."""
    named = sorted((name.lower(), value) for name, value in headers.items())
    stored = {
        name: value for name, value in named if STORED_HEADERS.fullmatch(name)
    }
    if stored.get("retry-after", "").endswith("GMT"):
        # At replay a date would be long past.
        stored["retry-after"] = f"{seconds_to_wait(dict(named)) or 0:g}"
    return stored


def _on_one_line(found: re.Match[str]) -> str:
    token, logprob, numbers, end = found.groups()
    bytes_ = ", ".join(numbers.replace(",", " ").split())
    return f'{{{token}, {logprob}, "bytes": [{bytes_}]{end.strip()}'


def _body(answer: ApiAnswer) -> JsonDict:
    if answer.events is not None:
        return {"events": []}
    with contextlib.suppress(ValueError):
        value = _json(answer.body)
        if isinstance(value, (dict, list)):
            return {"json": value}
    with contextlib.suppress(UnicodeDecodeError):
        return {"text": answer.body.decode()}
    return {"base64": base64.b64encode(answer.body).decode()}


def _answer(response: Json, source: str) -> ApiAnswer:
    body, events, status = b"", None, int(response["status"])
    if "events" in response:
        events = tuple(
            Event(float(at), _data(data)) for at, data in response["events"]
        )
    elif "json" in response:
        body = json_answer(status, response["json"]).body
    elif "text" in response:
        body = response["text"].encode()
    else:
        body = base64.b64decode(response["base64"])
    after, breaks = float(response["after"]), bool(response.get("breaks"))
    return ApiAnswer(
        status, dict(response["headers"]), body, events, after, breaks, source
    )


def _event(data: bytes) -> Any:
    """``data: {compact JSON}`` is stored as the JSON, any other event as its text."""
    with contextlib.suppress(ValueError):
        head, _, text = data.partition(b"data: ")
        value = _json(text)
        if not head and isinstance(value, dict) and _same(sse(value), data):
            return value
    try:
        return data.decode()
    except UnicodeDecodeError:
        return [base64.b64encode(data).decode()]


def _json(text: bytes) -> Any:
    """The value of a JSON text. Raises ValueError for NaN, Infinity and 1e400, which some servers
    write although they are not JSON.
    """
    value = json.loads(text)
    json.dumps(value, allow_nan=False)
    return value


def _same(ours: bytes, theirs: bytes) -> bool:
    """Whether they differ only in white space between the parts of the JSON."""
    return ours == theirs or (
        theirs.count(b"\n") == 2 and theirs.endswith(b"\n\n")
    )


def _data(stored: Any) -> bytes:
    """The event that ``_event`` has stored."""
    if isinstance(stored, dict):
        return sse(stored)
    if isinstance(stored, list):
        return base64.b64decode(stored[0])
    return str(stored).encode()


def _dumps(value: Any, indent: int | None = None) -> str:
    """Readable JSON; escaped if it contains half a surrogate pair, which UTF-8 cannot encode."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return text


def _last_text(messages: Any) -> str:
    """The first text of the last message."""
    match messages:
        case [*_, {"content": content}]:
            return next(filter(None, texts_of(content)), "")
    return ""
