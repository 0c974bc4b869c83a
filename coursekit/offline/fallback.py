"""The fallback: another OpenAI-compatible server answers requests without a recording.

The layer follows recordings and validation. It does not call the server itself: its ``ApiAnswer``
says what to forward and where, and the transport does that, so that the reply is passed on while it
is still being written. ``model``, ids and text are the server's own, and the receipt says who
answered: nothing is presented as OpenAI's.

Only this module knows other servers; data/servers.toml lists what each of them ignores.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..foundation.addresses import is_this_machine
from ..foundation.portable import Portable
from ..local_model.llama import program, require
from ..local_model.model_file import ModelFile, local_model_of
from .exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    Headers,
    Json,
    JsonDict,
    Layer,
    Target,
)
from .rules import refusals

TABLE = Path(__file__).parent.parent / "data" / "servers.toml"
ADDRESS = "COURSEKIT_FALLBACK"
MODEL = f"{ADDRESS}_MODEL"
KEY = f"{ADDRESS}_KEY"
LOCAL = "local"
CODE = "unsupported_by_fallback"
SECONDS = 5.0  # for GET /v1/models
LOOK = 0.5  # seconds to look whether a server answers at a port of this machine
# The most tokens of the small model's reply if the request has no limit: it can loop forever.
MOST = 512
# SmolLM2 calls no tools and does not reason.
LOCAL_IGNORES = ("tools", "tool_choice", "logit_bias", "reasoning_effort")
# Values that ask for nothing.
NOTHING: tuple[Any, ...] = (None, False, "none", [], {})
LOGPROBS = re.compile(rb'"logprobs"\s*:\s*\{')
USAGE = re.compile(rb'"usage"\s*:\s*\{')
CHOICE = re.compile(
    rb'"index"\s*:\s*(\d+)\s*,\s*"(?:message|finish_reason|logprobs)'
)
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "tool_choice": (None, "auto", "none"),
    "parallel_tool_calls": (None, True),
    "verbosity": (None, "medium"),
    "top_logprobs": (None, 0),
}


class FallbackUnreachable(Portable, RuntimeError):
    """The fallback does not answer; the message says at which address, and how to start it.

    It is not an httpx2 error, so the SDK passes it on unchanged and does not retry.
    """


@dataclass(frozen=True, slots=True)
class Kind:
    """The facts of one kind of server: see the top of data/servers.toml."""

    name: str
    source: str = ""
    port: int = 0
    owned_by: str = ""
    header: str = ""
    ignores: Sequence[str] = ()
    limit: str = "max_completion_tokens"
    roles: Headers = field(default_factory=dict)
    adds: Json = field(default_factory=dict)
    start: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A server that was found: its base address ("http://127.0.0.1:11434/v1"), kind, model and
    label.
    """

    url: str
    kind: Kind
    model: str
    label: str


class NamedServer:
    """A server that the user named.

    address  of its OpenAI-compatible API, such as "http://127.0.0.1:11434/v1"; the default path is
             /v1
    model    None: the first one that the server lists
    key      sent in the header Authorization; None: no key. OpenAI's key is never sent here.
    """

    def __init__(
        self, address: str, model: str | None = None, key: str | None = None
    ) -> None:
        self.url, self._model = base_address(address), model
        self._netloc, kind = urlsplit(self.url).netloc, kind_at(self.url)
        self.name = kind.name if kind else self._netloc
        self.headers: Headers = {}
        if key:
            self.headers = {"authorization": f"Bearer {key}"}

    @property
    def by(self) -> str:
        place = self.place()
        return f"{place.model}, served by {place.kind.name} at {self._netloc}"

    def place(self) -> Place:
        return self._found

    @cached_property
    def _found(self) -> Place:
        listed, header = self.models(SECONDS)
        names = [str(model["id"]) for model in listed]
        if self._model is None and not names:
            raise FallbackUnreachable(
                f"The fallback {self.url} lists no models. Nothing was sent.\n"
                f"Load a model there, or name one in .env: {MODEL}=…"
            )
        if self._model is not None and names and self._model not in names:
            raise FallbackUnreachable(
                f"The fallback {self.url} has no model {self._model!r}. Nothing was sent.\n"
                f"Set {MODEL} to one that it has: {', '.join(names[:8])}."
            )
        model = self._model or names[0]
        kind = _kind_of(listed, header) or Kind(self._netloc)
        return Place(self.url, kind, model, f"{kind.name} {_short(model)}")

    def models(self, timeout: float) -> tuple[list[JsonDict], str]:
        """The models of GET /v1/models, and the header "server". Raises FallbackUnreachable."""
        import httpx2

        try:
            answer = httpx2.get(
                f"{self.url}/models",
                headers=self.headers,
                trust_env=not is_this_machine(self.url),
                timeout=timeout,
            )
        except httpx2.TransportError as error:
            raise unreachable(self.url, error) from error
        if answer.status_code == 401:
            raise FallbackUnreachable(
                f"The fallback {self.url} needs a key (401). Nothing was sent.\n"
                f"Put its key into .env: {KEY}=…"
            )
        try:
            listed = [
                model
                for model in answer.json()["data"]
                if isinstance(model, dict) and "id" in model
            ]
        except (ValueError, LookupError, TypeError):
            listed = []  # some servers do not list their models
        return listed, answer.headers.get("server", "")


class LocalServer:
    """The course's own small model, run by a llama.cpp server that all kernels of this user
    share.
    """

    def __init__(self, model: ModelFile) -> None:
        self.model, self.name = model, f"local · {model.label}"
        self.headers: Headers = {}

    @property
    def by(self) -> str:
        return f"{self.model.name}, run by {program()}"

    def place(self) -> Place:
        from ..local_model.server import address_of

        [llama] = [kind for kind in kinds() if kind.name == "llama.cpp"]
        adds = {**llama.adds, "cache_prompt": False, "max_tokens": MOST}
        ignores = (*llama.ignores, *LOCAL_IGNORES)
        kind = replace(llama, adds=adds, ignores=ignores)
        return Place(address_of(self.model), kind, self.model.name, self.name)


# ``name`` is for receipts and messages, ``by`` for the provenance of recordings, and each request
# gets ``headers``. ``place()`` starts the server, or asks it for its models, if needed.
FallbackServer = NamedServer | LocalServer


class Fallback:
    """Forwards chat completions to ``server``, and passes everything else to ``inner``."""

    def __init__(self, inner: Layer, server: FallbackServer) -> None:
        self.inner, self.server = inner, server

    def answer(self, request: ApiRequest) -> ApiAnswer:
        if (request.method, request.path) != ("POST", CHAT_COMPLETIONS):
            return self.inner.answer(request)
        return ApiAnswer(
            200,
            source=self.server.name,
            forward=Forwarded(self.server, request.body),
        )


class Forwarded:
    """One request as another server takes it: an ``Upstream``."""

    def __init__(self, server: FallbackServer, body: Json) -> None:
        self.server, self.body = server, body

    def target(self) -> Target | ApiAnswer:
        place = self.server.place()
        refused = refusal(self.body, place)
        if refused is not None:
            return refused
        headers = {"content-type": "application/json", **self.server.headers}
        content = json.dumps(translated(self.body, place)).encode()
        return Target(
            f"{place.url}/chat/completions", headers, content, place.label
        )

    def lacks(self, content: bytes) -> list[str]:
        body, missing = self.body, []
        whole = body.get("stream") is not True
        if body.get("logprobs") and not LOGPROBS.search(content):
            missing.append("logprobs")
        choices = set(CHOICE.findall(content))
        if whole and (body.get("n") or 1) > max(len(choices), 1):
            missing.append("n")
        options = body.get("stream_options") or {}
        counted = whole or options.get("include_usage")
        if counted and not USAGE.search(content):
            missing.append("usage")
        return missing

    def unreachable(self, error: Exception) -> Exception:
        if isinstance(self.server, LocalServer):
            return FallbackUnreachable(
                f"The server for {self.server.model.label} has just stopped ({error}).\n"
                "Run the cell again, which restarts it."
            )
        return unreachable(self.server.place().url, error)


def refusal(body: Json, place: Place) -> ApiAnswer | None:
    """A 400 for an argument that this server would silently ignore; None if there is none."""
    for name in place.kind.ignores:
        if body.get(name) not in HARMLESS.get(name, NOTHING):
            text = (
                f"{place.label} ignores '{name}', so its reply would not be what you ask for. "
                f"Nothing was sent. Leave '{name}' out, or ask the real API: "
                'connect(mode="live").'
            )
            return refusals.refusal(text, param=name, code=CODE)
    return None


def translated(body: Json, place: Place) -> JsonDict:
    """The body with the server's own model, its name for the token limit, and roles that it
    accepts.
    """
    kind = place.kind
    given = {name: value for name, value in body.items() if value is not None}
    sent = {**kind.adds, **given, "model": place.model}
    limit = sent.pop("max_completion_tokens", None)
    if limit is not None:
        sent[kind.limit] = limit
    sent["messages"] = [
        {**message, "role": kind.roles.get(message["role"], message["role"])}
        for message in body["messages"]
    ]
    return sent


def fallback_of(
    wanted: Any, local_model: Any, env: Mapping[str, str]
) -> FallbackServer | None:
    """The server that answers requests without a recording; None: there is none.

    wanted       an address, the name of a kind ("ollama", at its usual port), "local" for the small
                 model of `coursekit local install`, or False for none; None: the setting
                 COURSEKIT_FALLBACK, else COURSEKIT_LOCAL
    local_model  True or the path of a GGUF file: the same as "local"; False: none, whatever the
                 settings say
    env          the settings in force

    Nothing is sent or started here. Raises ValueError for any other value, and LocalModelMissing.
    """
    if local_model is not None and wanted not in (None, LOCAL):
        raise ValueError(
            "fallback= and local_model= each name a server. Give only one of them."
        )
    if wanted is None and local_model is None:
        wanted = env.get(ADDRESS, "").strip() or None
    if wanted in (None, LOCAL):
        if wanted == LOCAL and local_model is None:
            local_model = True
        model = local_model_of(local_model, env)
        if model is None:
            return None
        require(model.path)
        return LocalServer(model)
    if wanted is False or wanted == "off":
        return None
    by_name = next((kind for kind in kinds() if kind.name == wanted), None)
    address = f"http://127.0.0.1:{by_name.port}/v1" if by_name else wanted
    return NamedServer(address, env.get(MODEL) or None, env.get(KEY) or None)


def base_address(address: Any) -> str:
    """The base address of a server, without a final slash. Raises ValueError if it is not an
    address.
    """
    try:
        parts = urlsplit(str(address))
        valid = parts.hostname and parts.port != 0
        if not valid or parts.scheme not in ("http", "https"):
            raise ValueError
    except ValueError:
        names = ", ".join(f'"{kind.name}"' for kind in kinds())
        raise ValueError(
            f"fallback={address!r:.80} is not an address. Give one like "
            '"http://127.0.0.1:11434/v1", the name of a '
            f'server at its usual port ({names}), or "{LOCAL}" for the small model of `coursekit '
            "local install`."
        ) from None
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def unreachable(url: str, error: Exception) -> FallbackUnreachable:
    """The error for a server that does not answer at ``url``."""
    kind = kind_at(url)
    start = "Start it, or correct its address"
    if kind and kind.start:
        start = f"Start it (`{kind.start}`)"
    return FallbackUnreachable(
        f"The fallback {url} does not answer ({str(error) or type(error).__name__}), and there is "
        "no recording for this request.\n"
        f"{start}. To work without it, use connect(fallback=False) or remove {ADDRESS} from .env."
    )


@cache
def kinds() -> tuple[Kind, ...]:
    """The kinds of server in data/servers.toml."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["server"]
    return tuple(Kind(**entry) for entry in table)


def kind_at(url: str) -> Kind | None:
    """The kind whose usual port on this machine this is."""
    port = urlsplit(url).port if is_this_machine(url) else None
    return next((kind for kind in kinds() if kind.port == port), None)


def found_here() -> list[Kind]:
    """The kinds of server that answer at their usual ports on this machine."""
    found = []
    for kind in kinds():
        with socket.socket() as probe:
            probe.settimeout(LOOK)
            if probe.connect_ex(("127.0.0.1", kind.port)):
                continue
        server = NamedServer(f"http://127.0.0.1:{kind.port}")
        # Any other program may use the port.
        with contextlib.suppress(FallbackUnreachable):
            if _kind_of(*server.models(LOOK)) is kind:
                found.append(kind)
    return found


def _kind_of(listed: list[JsonDict], header: str) -> Kind | None:
    owners = {str(model.get("owned_by")) for model in listed}
    for kind in kinds():
        if (kind.header and kind.header in header) or kind.owned_by in owners:
            return kind
    return None


def _short(model: str) -> str:
    """A model's name; of a path, which some servers give, the file's name without its ending."""
    name = model.replace("\\", "/").rsplit("/", 1)[-1]
    return re.sub(r"(?i)\.gguf$", "", name)
