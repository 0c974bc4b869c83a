"""Recordings on disk: one exchange in one pretty-printed file.

A file's name follows from the request's canonical form
(``gpt-4o-what-is-the-capital-of-france-3f9a0c41d2be.json``), so nothing is loaded or listed to find
an answer, however many recordings there are. Further answers to the same request lie beside it as
``….2.json``, ``….3.json``. What is kept of the answer's headers is an allow-list; the request's
headers are never kept, so that a key cannot reach the disk.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..foundation.files import write_atomically
from ..foundation.portable import Portable
from .exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    Event,
    api_path,
    json_answer,
    sse,
)
from .recorded.canonical import canonical, other_forms

FORMAT = 1
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":")
)  # made once: this is on the path of every request
KEPT_HEADERS = re.compile(
    r"content-type|x-request-id|x-ratelimit-.*|retry-after(-ms)?|openai-processing-ms|x-should-retry"
)
LOGPROB = re.compile(
    r'\{\n +("token": .*),\n +("logprob": .*),\n +"bytes": \[([\s\d,]*)\](,|\n +\})'
)  # of a token


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who answered, on which day.

    kind  "live" (OpenAI's API), "local" (a model on the recorder's own machine), "server" (another
          server elsewhere) or "written" (an author)
    by    the model and where it ran, or the author
    """

    kind: str
    on: str
    by: str = ""

    @property
    def source(self) -> str:
        """For receipts: the kind; of a server elsewhere, the model and the address."""
        return self.by if self.kind == "server" and self.by else self.kind


class DamagedRecording(Portable, ValueError):
    """A recording that cannot be read; the message names the file and the cure."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"The recording {path} cannot be read: {why}.\n"
            f"What to do: if you edited it, restore it (git checkout -- {path.name}, in its "
            "folder); "
            "otherwise delete it and record the request anew."
        )


def name_of(request: ApiRequest) -> str:
    """The file name, without ending, of the recordings of this request. It is worked out once."""
    if (known := request.__dict__.get("name")) is not None:
        return str(known)
    name = request.__dict__["name"] = _name(
        request.method, request.path, canonical(request.body)
    )
    return name


def names_of_other_forms(request: ApiRequest) -> tuple[str, ...]:
    """The names of recordings of the same answer in another form, the nearest form first. They are
    worked out once.
    """
    if (known := request.__dict__.get("other_names")) is not None:
        return tuple(known)
    forms = other_forms(request.body) if request.path == CHAT_COMPLETIONS else ()
    names = request.__dict__["other_names"] = tuple(
        _name(request.method, request.path, form) for form in forms
    )
    return names


def _name(method: str, path: str, body: Any) -> str:
    """The name for a canonical body."""
    digest = hashlib.sha256(
        f"{method} {path}\n{_ENCODER.encode(body)}".encode()
    ).hexdigest()
    fields = body if isinstance(body, dict) else {}
    words = f"{fields.get('model') or path.rsplit('/', 1)[-1]} {_last_text(fields.get('messages'))}"
    slug = (
        re.sub(r"(?:[^a-z0-9.]|(?<!\d)\.|\.(?!\d))+", "-", words.lower()[:200])
        .strip("-.")[:48]
        .rstrip("-.")
    )
    return f"{slug or 'request'}-{digest[:16]}"


class Recordings:
    """The recordings of one or several folders; the first folder that has an answer gives it.

    folders   where to look, in this order; new recordings are stored in the first
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = [Path(folder).expanduser() for folder in folders]
        self._places = [f"{folder}{os.sep}" for folder in self.folders]
        self._read: dict[str, tuple[int, int, ApiAnswer]] = {}

    def answer(self, name: str, number: int = 0) -> tuple[ApiAnswer, str] | None:
        """The recorded answer ``number`` (from 0) to the request of this name, and its file; None:
        there is none.
        """
        ending = f"{name}.{number + 1}.json" if number else f"{name}.json"
        for folder in self._places:
            path = folder + ending
            try:
                stat = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            known = self._read.get(path)
            if (
                known is None
                or known[0] != stat.st_mtime_ns
                or known[1] != stat.st_size
            ):
                known = self._read[path] = (
                    stat.st_mtime_ns,
                    stat.st_size,
                    read(Path(path))[2],
                )
            return known[2], path
        return None

    def store(
        self,
        request: ApiRequest,
        answer: ApiAnswer,
        provenance: Provenance,
        number: int = 0,
    ) -> Path:
        """Write answer ``number`` atomically; number 0 replaces all earlier answers to this
        request.
        """
        folder = self.folders[0]
        folder.mkdir(parents=True, exist_ok=True)
        name = name_of(request)
        path = folder / (f"{name}.{number + 1}.json" if number else f"{name}.json")
        write_atomically(path, rendered(request, answer, provenance))
        if number == 0:
            for later in folder.glob(f"{name}.*.json"):
                later.unlink(missing_ok=True)
        return path

    def alike(self, request: ApiRequest) -> Iterator[ApiRequest]:
        """The recorded requests with the same model and messages, in order of name. Raises
        DamagedRecording.
        """
        stem = name_of(request).rpartition("-")[
            0
        ]  # the rest of the name is a digest of the whole body
        for folder in self.folders:
            for path in sorted(folder.glob(f"{stem}-*.json")):
                other = read(path)[0]
                if all(
                    other.body.get(key) == request.body.get(key)
                    for key in ("model", "messages")
                ):
                    yield other

    def files(self) -> Iterator[Path]:
        """Every recording's file, in order of folder and name."""
        for folder in self.folders:
            yield from sorted(folder.glob("*.json"))


def read(path: Path) -> tuple[ApiRequest, Provenance, ApiAnswer]:
    """What a recording's file says. Raises DamagedRecording."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["coursekit_recording"] != FORMAT:
            raise ValueError(
                f"its format is {value['coursekit_recording']!r}, this version reads {FORMAT}"
            )
        told, said = value["request"], value["response"]
        raw = json.dumps(told["body"]).encode() if told.get("body") is not None else b""
        provenance = Provenance(**value["provenance"])
        return (
            ApiRequest(told["method"], api_path(told["path"]), raw),
            provenance,
            _answer(said, provenance.source),
        )
    except FileNotFoundError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise DamagedRecording(path, _why(error)) from error


def rendered(request: ApiRequest, answer: ApiAnswer, provenance: Provenance) -> str:
    """The text of a recording's file: indented JSON, each event of a stream and each logprob on a
    line of its own.
    """
    said: dict[str, Any] = {
        "status": answer.status,
        "headers": sent_headers(answer.headers),
        "after": round(answer.after, 4),
        **({"breaks": True} if answer.breaks else {}),
        **_body(answer),
    }
    value = {
        "coursekit_recording": FORMAT,
        "provenance": {
            "kind": provenance.kind,
            "on": provenance.on,
            "by": provenance.by,
        },
        "request": {
            "method": request.method,
            "path": request.path,
            "body": request.body,
        },
        "response": said,
    }
    text = LOGPROB.sub(_on_one_line, _dumps(value, indent=2))
    if answer.events is not None:
        lines = ",\n".join(
            "      " + _dumps([round(event.at, 4), _event(event.data)])
            for event in answer.events
        )
        before, _, rest = text.rpartition(
            '"events": []'
        )  # the last one: a request may speak of events too
        text = f'{before}"events": [\n{lines}\n    ]{rest}' if lines else text
    return text + "\n"


def sent_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that a recording has, in lower case and in order of name."""
    named = sorted((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in named if KEPT_HEADERS.fullmatch(name)}


def _on_one_line(logprob: re.Match[str]) -> str:
    token, number, numbers, end = logprob.groups()
    return (
        f'{{{token}, {number}, "bytes": '
        f"[{', '.join(numbers.replace(',', ' ').split())}]{end.strip()}"
    )


def _body(answer: ApiAnswer) -> dict[str, Any]:
    if answer.events is not None:
        return {"events": []}
    with contextlib.suppress(ValueError):
        value = json.loads(answer.body)
        if isinstance(value, (dict, list)):
            return {"json": value}
    with contextlib.suppress(UnicodeDecodeError):
        return {"text": answer.body.decode()}
    return {"base64": base64.b64encode(answer.body).decode()}


def _answer(said: Mapping[str, Any], source: str) -> ApiAnswer:
    body, events = b"", None
    if "events" in said:
        events = tuple(Event(float(at), _data(data)) for at, data in said["events"])
    elif "json" in said:
        body = json_answer(int(said["status"]), said["json"]).body
    else:
        body = (
            said["text"].encode()
            if "text" in said
            else base64.b64decode(said["base64"])
        )
    return ApiAnswer(
        int(said["status"]),
        dict(said["headers"]),
        body,
        events,
        float(said["after"]),
        bool(said.get("breaks")),
        source,
    )


def _event(data: bytes) -> Any:
    """An event that is exactly ``data: {compact JSON}`` is kept as the JSON, any other as its
    text.
    """
    with contextlib.suppress(ValueError):
        value = json.loads(data.removeprefix(b"data: "))
        if (
            isinstance(value, dict)
            and data.startswith(b"data: ")
            and _same(sse(value), data)
        ):
            return value
    try:
        return data.decode()
    except UnicodeDecodeError:
        return [base64.b64encode(data).decode()]


def _same(ours: bytes, theirs: bytes) -> bool:
    """Equal but for white space between the JSON's parts, which no client can see."""
    return ours == theirs or (theirs.count(b"\n") == 2 and theirs.endswith(b"\n\n"))


def _data(kept: Any) -> bytes:
    if isinstance(kept, dict):
        return sse(kept)
    return base64.b64decode(kept[0]) if isinstance(kept, list) else str(kept).encode()


def _dumps(value: Any, indent: int | None = None) -> str:
    """Readable JSON; escaped where a text (half a surrogate pair) cannot be written as UTF-8."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return text


def _last_text(messages: Any) -> str:
    if (
        not isinstance(messages, list)
        or not messages
        or not isinstance(messages[-1], dict)
    ):
        return ""
    content = messages[-1].get("content")
    if isinstance(content, list):
        content = next(
            (
                part.get("text")
                for part in content
                if isinstance(part, dict) and part.get("text")
            ),
            "",
        )
    return content if isinstance(content, str) else ""


def _why(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
