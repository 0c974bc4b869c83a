"""The fallback: another OpenAI-compatible server answers requests without a recording.

The layer comes after recordings and validation. It does not ask the server itself: its
``ApiAnswer`` says what to forward where, and the door does that, so that a reply passes as it is
written. ``model``, ids and text are the server's own, and the receipt says who answered: nothing
that it says is called OpenAI's.

This is the one module that knows of other servers; what each of them ignores is listed in
data/servers.toml.
"""

from __future__ import annotations

import json
import re
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol
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
ADDRESS, MODEL, KEY = (
    "COURSEKIT_FALLBACK",
    "COURSEKIT_FALLBACK_MODEL",
    "COURSEKIT_FALLBACK_KEY",
)
LOCAL = "local"
CODE = "unsupported_by_fallback"
SECONDS = 5.0  # for GET /v1/models
LOOK = 0.5  # seconds for a look at a port of this machine
# tokens of the small model's reply where the request sets no limit: it falls into loops, and never
# ends them
MOST = 512
# SmolLM2 calls no tools and does not reason
LOCAL_IGNORES = (
    "tools",
    "tool_choice",
    "logit_bias",
    "reasoning_effort",
)
# values that ask for nothing
NOTHING: tuple[Any, ...] = (
    None,
    False,
    "none",
    [],
    {},
)
HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "tool_choice": (None, "auto", "none"),
    "parallel_tool_calls": (None, True),
    "verbosity": (None, "medium"),
    "top_logprobs": (None, 0),
}


class FallbackUnreachable(Portable, RuntimeError):
    """The fallback does not answer; the message says where it was looked for and how to start it.

    It is not an httpx2 error, so the SDK passes it on unchanged and does not retry.
    """


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of one kind of server: see the top of data/servers.toml."""

    name: str
    source: str = ""
    port: int = 0
    owned_by: str = ""
    header: str = ""
    ignores: tuple[str, ...] = ()
    limit: str = "max_completion_tokens"
    roles: Headers = field(default_factory=dict)
    adds: Json = field(default_factory=dict)
    start: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is, and what it is: its base address ("http://127.0.0.1:11434/v1"), kind,
    model and label.
    """

    url: str
    kind: Kind
    model: str
    label: str


class FallbackServer(Protocol):
    """A server that answers requests without a recording."""

    @property
    def name(self) -> str:
        """For receipts and messages, as far as it is known without a request."""
        ...

    @property
    def by(self) -> str:
        """For the provenance of recordings that are made of its answers."""
        ...

    @property
    def headers(self) -> Headers: ...

    def place(self) -> Place:
        """Where it is now. Asks, or starts, it where that is needed. Raises FallbackUnreachable."""
        ...


class NamedServer:
    """A server that the user named.

    address  of its OpenAI-compatible API, such as "http://127.0.0.1:11434/v1"; without a path, /v1
             is meant
    model    None: the first of those that it lists
    key      sent as its Authorization; None: none. The key of OpenAI is never sent here.
    """

    def __init__(
        self, address: str, model: str | None = None, key: str | None = None
    ) -> None:
        self.url, self._model, self._key = base_address(address), model, key

    @property
    def name(self) -> str:
        kind = kind_at(self.url)
        return kind.name if kind else urlsplit(self.url).netloc

    @property
    def by(self) -> str:
        place = self.place()
        return f"{place.model}, served by {place.kind.name} at {urlsplit(self.url).netloc}"

    @property
    def headers(self) -> Headers:
        return {"authorization": f"Bearer {self._key}"} if self._key else {}

    def place(self) -> Place:
        return self._found

    @cached_property
    def _found(self) -> Place:
        listed, header = self._models()
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
        kind = _kind_of(listed, header) or Kind(urlsplit(self.url).netloc)
        return Place(self.url, kind, model, f"{kind.name} {_short(model)}")

    def _models(self) -> tuple[list[JsonDict], str]:
        """What GET /v1/models lists, and the header "server"."""
        import httpx2

        try:
            with httpx2.Client(
                trust_env=not is_this_machine(self.url), timeout=SECONDS
            ) as client:
                answer = client.get(
                    f"{self.url}/models", headers=dict(self.headers)
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
            listed = []  # not every server lists its models
        return listed, answer.headers.get("server", "")


class LocalServer:
    """The course's own small model, run by a llama.cpp server that all kernels of this user
    share.
    """

    def __init__(self, model: ModelFile) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return f"local · {self.model.label}"

    @property
    def by(self) -> str:
        return f"{self.model.name}, run by {program()}"

    @property
    def headers(self) -> Headers:
        return {}

    def place(self) -> Place:
        from ..local_model.server import address_of

        llama_cpp = next(kind for kind in kinds() if kind.name == "llama.cpp")
        adds = {**llama_cpp.adds, "cache_prompt": False, "max_tokens": MOST}
        kind = replace(
            llama_cpp, adds=adds, ignores=(*llama_cpp.ignores, *LOCAL_IGNORES)
        )
        return Place(address_of(self.model), kind, self.model.name, self.name)


class Fallback:
    """Has chat completions forwarded to ``server``; anything else goes on to ``inner``."""

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
        missing = []
        streamed = self.body.get("stream") is True
        if self.body.get("logprobs") and not re.search(
            rb'"logprobs"\s*:\s*\{', content
        ):
            missing.append("logprobs")
        choices = len(
            set(
                re.findall(
                    rb'"index"\s*:\s*(\d+)\s*,\s*"(?:message|finish_reason|logprobs)',
                    content,
                )
            )
        )
        if not streamed and (self.body.get("n") or 1) > max(choices, 1):
            missing.append("n")
        counted = not streamed or (self.body.get("stream_options") or {}).get(
            "include_usage"
        )
        if counted and not re.search(rb'"usage"\s*:\s*\{', content):
            missing.append("usage")
        return missing

    def unreachable(self, error: Exception) -> Exception:
        if isinstance(self.server, LocalServer):
            return FallbackUnreachable(
                f"The server of {self.server.model.label} has just ended ({error}).\n"
                "Run the cell again, which restarts it."
            )
        return unreachable(self.server.place().url, error)


def refusal(body: Json, place: Place) -> ApiAnswer | None:
    """A 400 for an argument that this server would silently ignore; None: it supports them all."""
    for name in place.kind.ignores:
        if body.get(name) in HARMLESS.get(name, NOTHING):
            continue
        text = (
            f"{place.label} ignores '{name}', so its reply would not be what you ask for. Nothing "
            "was sent. "
            f"Leave '{name}' out, or ask the real API: connect(mode=\"live\")."
        )
        return refusals.refusal(text, param=name, code=CODE)
    return None


def translated(body: Json, place: Place) -> JsonDict:
    """The body with the server's own model, its name of the token limit, and roles that it
    knows.
    """
    kind = place.kind
    sent = {
        **kind.adds,
        **{name: value for name, value in body.items() if value is not None},
        "model": place.model,
    }
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

    wanted        an address, the name of a kind ("ollama", at its usual port), "local" for the
                  small
                 model that `coursekit local install` gets; False: none; None: as COURSEKIT_FALLBACK
                 says, else COURSEKIT_LOCAL
    local_model  True, or the path of a GGUF file: names for "local"; False: none, whatever the
                 settings say
    env          the settings in force

    Nothing is asked or started here. Raises ValueError for what is none of these,
    LocalModelMissing.
    """
    if local_model is not None:
        if wanted not in (None, LOCAL):
            raise ValueError(
                "fallback= and local_model= name two servers. Give one of them."
            )
        return _local(local_model, env)
    if wanted is None:
        wanted = env.get(ADDRESS, "").strip() or None
    if wanted is None:
        return _local(None, env)
    if wanted is False or wanted == "off":
        return None
    if wanted == LOCAL:
        return _local(True, env)
    by_name = next((kind for kind in kinds() if kind.name == wanted), None)
    address = f"http://127.0.0.1:{by_name.port}/v1" if by_name else wanted
    return NamedServer(address, env.get(MODEL) or None, env.get(KEY) or None)


def _local(wanted: Any, env: Mapping[str, str]) -> LocalServer | None:
    model = local_model_of(wanted, env)
    if model is None:
        return None
    require(model.path)
    return LocalServer(model)


def base_address(address: Any) -> str:
    """The base address of a server, without a slash at its end. Raises ValueError if it is not
    an address.
    """
    try:
        parts = urlsplit(str(address))
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.port == 0
        ):
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
    start = (
        f"Start it (`{kind.start}`)"
        if kind and kind.start
        else "Start it, or correct its address"
    )
    return FallbackUnreachable(
        f"The fallback {url} does not answer ({str(error) or type(error).__name__}), and there is "
        "no recording for this request.\n"
        f"{start}. Or work without it: connect(fallback=False), or no {ADDRESS} in .env."
    )


@cache
def kinds() -> tuple[Kind, ...]:
    """The kinds of server that are known."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))["server"]
    return tuple(
        Kind(**{**entry, "ignores": tuple(entry.get("ignores", ()))})
        for entry in table
    )


def kind_at(url: str) -> Kind | None:
    """The kind whose usual port on this machine this is."""
    port = urlsplit(url).port if is_this_machine(url) else None
    return next((kind for kind in kinds() if kind.port == port), None)


def found_here() -> list[Kind]:
    """The kinds of server that answer at their usual ports on this machine."""
    import httpx2

    found = []
    for kind in kinds():
        with socket.socket() as probe:
            probe.settimeout(LOOK)
            if probe.connect_ex(("127.0.0.1", kind.port)):
                continue
        try:
            with httpx2.Client(trust_env=False, timeout=LOOK) as client:
                answer = client.get(f"http://127.0.0.1:{kind.port}/v1/models")
            listed = answer.json()["data"]
            if _kind_of(listed, answer.headers.get("server", "")) is kind:
                found.append(kind)
        except (httpx2.HTTPError, ValueError, LookupError, TypeError):
            continue  # something else has the port
    return found


def _kind_of(listed: list[JsonDict], header: str) -> Kind | None:
    owners = {str(model.get("owned_by")) for model in listed}
    for kind in kinds():
        if (kind.header and kind.header in header) or kind.owned_by in owners:
            return kind
    return None


def _short(model: str) -> str:
    """The name of a model that a server gives as a path: its file's, without the ending."""
    return re.sub(
        r"\.gguf$",
        "",
        model.replace("\\", "/").rsplit("/", 1)[-1],
        flags=re.IGNORECASE,
    )
