"""A request and its answer, as plain data that all layers of the offline API share.

A layer is any object with ``answer(request) -> ApiAnswer``. It never waits: the answer *says* how
long it takes, and the entrance (``transport`` in process, ``server`` on a socket) waits on its
clock. Times are seconds of the API's time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, NamedTuple, Never, Protocol

# A JSON object that is only read, one that is being built, and headers by name.
Json = Mapping[str, Any]
JsonDict = dict[str, Any]
Headers = Mapping[str, str]

CHAT_COMPLETIONS: Final = "/v1/chat/completions"
NEVER = float("inf")
ORGANIZATION: Final = "org-offline"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class ApiRequest:
    """A request as it arrived. ``raw`` is the undecoded body; header names are lower case."""

    method: str
    path: str
    raw: bytes = b""
    headers: Headers = field(default_factory=dict)

    @cached_property
    def json(self) -> Any:
        """The body's JSON, with numbers as they are written; None if it is null or not JSON."""
        return _decoded(_AS_WRITTEN, self.raw)

    @cached_property
    def body(self) -> Any:
        """The body's JSON, with 1.0 read as 1; None if it is not JSON."""
        return _decoded(_NORMALIZED, self.raw)

    @property
    def model(self) -> str:
        """The model that the body names; "" if it names none."""
        body = self.body
        return str(body.get("model", "")) if isinstance(body, dict) else ""

    @property
    def wants_stream(self) -> bool:
        return isinstance(self.body, dict) and self.body.get("stream") is True

    def with_headers(self, headers: Headers) -> ApiRequest:
        """The same request with other headers, without parsing its body again."""
        other = object.__new__(ApiRequest)
        other.__dict__.update(self.__dict__, headers=headers)
        return other


@dataclass(frozen=True, slots=True)
class Event:
    """A block of a stream, ``at`` seconds after the request; ``data`` ends with its blank line."""

    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the API answers.

    status   the HTTP status; 0: the connection fails, without an answer
    headers  names in lower case
    body     the bytes of a whole answer (``events`` is None)
    events   the blocks of a stream, in order of time
    after    seconds from the request to the status line; ``NEVER``: silence until the caller gives
             up
    breaks   the connection breaks where the answer should end
    source   the origin, for receipts: a recording's provenance ("live", "local", "written"), or
             "offline API" for an answer of the offline API itself
    forward  another server will answer: the entrance forwards the request and passes the answer on
             as it arrives. The layers do not see that answer and can only add headers
    kind     the name of a refusal in data/refusals.toml
    """

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    events: tuple[Event, ...] | None = None
    after: float = 0.0
    breaks: bool = False
    source: str = "offline API"
    forward: Upstream | None = None
    kind: str = ""

    @property
    def seconds(self) -> float:
        """Seconds from the request to the last byte."""
        events = self.events
        return max(self.after, events[-1].at) if events else self.after

    def with_headers(self, headers: Headers) -> ApiAnswer:
        """The same answer with other headers.

        Several layers do this to each answer, and dataclasses.replace takes four times as long.
        """
        return ApiAnswer(
            self.status,
            headers,
            self.body,
            self.events,
            self.after,
            self.breaks,
            self.source,
            self.forward,
            self.kind,
        )


class Target(NamedTuple):
    """A request to another server: address, headers and body, and a label of that server."""

    url: str
    headers: Headers
    content: bytes
    label: str


class Upstream(Protocol):
    """A request that another server will answer."""

    def target(self) -> Target | ApiAnswer:
        """The request to send; or an answer, if that server cannot do what is requested.

        The first call may take a moment: it starts the server or asks for its models. Raises an
        error that says why the server cannot be reached.
        """
        ...

    def lacks(self, content: bytes) -> list[str]:
        """What the request wants and an answer of these bytes lacks, such as "logprobs"."""
        ...

    def unreachable(self, error: Exception) -> Exception:
        """The exception for a connection that could not be made."""
        ...


def api_path(path: str) -> str:
    """The path without a gateway's prefix.

    "/openai/v1/chat/completions", "/api/v1/…" and Azure's
    "/openai/deployments/NAME/chat/completions" are all /v1/chat/completions. A path without "/v1",
    or with it twice, is returned unchanged: the API answers that the URL is invalid.
    """
    if path == "/chat/completions" or "/v1/v1/" in path:
        return path
    return CHAT_COMPLETIONS if path.endswith("/chat/completions") else path


class Layer(Protocol):
    """A part of the offline API: it answers a request or calls the layer that it wraps."""

    def answer(self, request: ApiRequest) -> ApiAnswer: ...


def json_answer(
    status: int, value: object, *, written_as: int | None = None, **more: Any
) -> ApiAnswer:
    """A JSON answer in the real API's own byte format.

    As in real exchanges, a 200 is indented by two and ends with a newline, a 400 has no newline,
    and other errors are indented by four. ``written_as`` is another status whose format is used.
    """
    form = written_as or status
    processed = form in (200, 400)
    text = json.dumps(value, indent=2 if processed else 4, ensure_ascii=False)
    text += "" if form == 400 else "\n"
    kind = (
        "application/json" if processed else "application/json; charset=utf-8"
    )
    headers = {"content-type": kind, **more.pop("headers", {})}
    body = text.encode("utf-8", "surrogatepass")
    return ApiAnswer(status=status, headers=headers, body=body, **more)


def error_answer(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    **more: Any,
) -> ApiAnswer:
    """A refusal with the real API's error body (keys in its order: message, type, param, code)."""
    error = {"message": message, "type": type, "param": param, "code": code}
    return json_answer(status, {"error": error}, **more)


def sse(value: object) -> bytes:
    """One event of a stream: ``data: `` and compact JSON, as the real API writes it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def texts_of(content: Any) -> list[str]:
    """The texts of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else ()
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _decoded(decoder: json.JSONDecoder, raw: bytes) -> Any:
    """JSON is UTF-8; a byte-order mark before it is ignored."""
    try:
        return decoder.decode(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _number(literal: str) -> int | float:
    value = float(literal)
    return int(value) if value.is_integer() else value


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")


# Created once: every request needs them.
_AS_WRITTEN = json.JSONDecoder(parse_constant=_no_constant)
_NORMALIZED = json.JSONDecoder(parse_float=_number, parse_constant=_no_constant)


def request_id(rng: random.Random) -> str:
    return f"req_{rng.getrandbits(128):032x}"


def processed(answer: ApiAnswer) -> bool:
    """Whether the request has reached the model's side of the API.

    It has for 200, 400, and the 404 for a model of another endpoint, which has their body format.
    """
    as_theirs = answer.headers.get("content-type") == "application/json"
    return answer.status in (200, 400) or as_theirs
