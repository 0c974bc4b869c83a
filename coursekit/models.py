"""What each model accepts, its limits, the name in its answers, and its shutdown date: facts from
data/models.toml, each with a source.

Arithmetic on prices and tokens is in ``pricing`` and ``tokens``; requests are judged in
``offline.rules.validation``. Taught in 08 §6.
"""

from __future__ import annotations

import datetime
import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from .settings import Mode, role_model, settings, today_of

TABLE = Path(__file__).parent / "data" / "models.toml"
# facts that are never inherited
OWN = {"snapshots", "shutdown", "successor", "labs", "latency"}
ACCEPTED = "accepted"

# The models that the course asks for, by role: role(), under the current settings. A role can thus
# switch to a newer model.
CHAT: str
SMALL: str
REASONING: str
HARDEST: str
ROLES = ("CHAT", "SMALL", "REASONING", "HARDEST")


class UnknownModel(LookupError):
    """The name is not in any table of models; the message lists the nearest names."""


class ModelNotServed(LookupError):
    """The server in use does not list a role's model; the message lists the models that it has."""


class ModelShutDown(LookupError):
    """The model is no longer available on the day in question; the message names its successor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The measured time of a model's complete replies, as a fitted line. The fields are explained
    at the top of data/models.toml.
    """

    first: float
    per_token: float
    exchanges: int
    between: Sequence[datetime.date]  # the first and the last
    tokens: Sequence[int]  # the fewest and the most
    off: float

    def seconds(self, tokens: int) -> float:
        """Return how many seconds the API's servers take for a reply with this many completion
        tokens, including hidden reasoning.
        """
        return self.first + self.per_token * tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. Each field is explained at the top of data/models.toml; limits are in tokens."""

    name: str
    sources: tuple[tuple[datetime.date, str], ...]
    snapshots: tuple[str, ...] = ()
    endpoint: str = "chat"
    context: int | None = None
    input: int | None = None
    output: int | None = None
    roles: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    audio_input: bool = False
    needs_audio: bool = False
    text_strings: bool = False
    image_input: bool = True
    image_strings: bool = False
    choices: int = 128
    top_logprobs: int = 20
    reasons: bool = False
    efforts: tuple[str, ...] = ()
    default_effort: str | None = None
    verbosities: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unknown_wording: str = "unrecognized argument"
    refused: Mapping[str, str] = field(default_factory=dict)
    refused_while_reasoning: Mapping[str, str] = field(default_factory=dict)
    flex: bool = False
    tools_while_reasoning: bool = True
    tools_hint: str = ""
    null_effort: bool = True
    incompatible: tuple[str, ...] = ()
    fingerprint: bool = True
    logprobs: bool = True
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    limit_named: bool = True
    long_context: int | None = None
    cache_writes: bool = False
    counting: str = ""
    labs: tuple[str, ...] = ()
    latency: Latency | None = None
    shutdown: datetime.date | None = None
    successor: str | None = None

    @property
    def snapshot(self) -> str:
        """The model name in an answer to a request for this model."""
        return self.snapshots[0] if self.snapshots else self.name

    def reasoning(self, effort: str | None = None) -> bool:
        """Return whether the model thinks before it answers a request with this
        ``reasoning_effort`` (None: not given).
        """
        return self.reasons and (effort or self.default_effort) != "none"

    def takes(self, parameter: str, effort: str | None = None) -> str:
        """How it treats a parameter of the API: "yes", "default" (no other value), or "no".

        effort  the request's ``reasoning_effort``; with "none", a model that can work without
                reasoning accepts more parameters
        """
        never = parameter in self.unknown or parameter in self.incompatible
        how = "always" if never else self.refused.get(parameter)
        if how is None and self.reasoning(effort):
            how = self.refused_while_reasoning.get(parameter)
        return {
            None: "yes",
            "unless default": "default",
            "default only": "default",
        }.get(how, "no")

    def is_shut_down(self, on: datetime.date) -> bool:
        """Whether the announced shutdown date has been reached on that day."""
        return self.shutdown is not None and self.shutdown <= on


def role(
    name: str, mode: str = "replay", on: datetime.date | None = None
) -> str:
    """Return the model for a role in the course, one of ROLES.

    mode  in replay and record mode, the model in the course's source, even if it was shut down long
          ago: recordings are found by the request, which contains the model's name. In live mode,
          the first model in the role's list that is available.
    on    the day (UTC); None: the model in the course's source, whatever the mode

    Raises LookupError for an unknown role, and if no model in its list is available.
    """
    line = _document()["role"].get(name)
    if line is None:
        raise LookupError(
            f"There is no role {name!r}. The roles are {', '.join(ROLES)}."
        )
    if mode != Mode.LIVE or on is None:
        return str(line[0])
    served = next(
        (model for model in line if not get(model).is_shut_down(on)), None
    )
    return served or replacement(line[-1], on)


def __getattr__(name: str) -> str:
    if name in ROLES:
        return playing(settings())[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def playing(env: Mapping[str, str]) -> dict[str, str]:
    """Return the model for each role under these settings: role -> name.

    In live mode, COURSEKIT_CHAT, COURSEKIT_SMALL, COURSEKIT_REASONING, and COURSEKIT_HARDEST name
    the models, or COURSEKIT_MODEL names one for all four: any name that the server in use accepts.
    Without these settings, and in the other modes, the model is the one that ``role`` returns.
    """
    live = env.get("COURSEKIT_MODE") == Mode.LIVE
    return {
        name: (live and role_model(name, env)) or from_table(name, env)
        for name in ROLES
    }


def from_table(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return the model for a role from the table alone, whatever the settings name. It has a price
    and a known tokenizer.

    env  the settings that give the mode and the day; None: the current settings
    """
    env = settings() if env is None else env
    mode = env.get("COURSEKIT_MODE") or "replay"
    return role(name, mode, today_of(env) if mode == Mode.LIVE else None)


def get(name: str, on: datetime.date | None = None) -> Model:
    """Return the model that a name refers to: the model's own name, a dated snapshot, or a
    fine-tuned model ("ft:base:org::id").

    on  a day on which the model must be available; None: return the facts even if it is shut down

    Raises UnknownModel for a name that is not in any table, and ModelShutDown for a model that is
    shut down on that day.
    """
    found = _table().get(_base(name))
    if found is None:
        near = difflib.get_close_matches(name, names(), n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UnknownModel(
            f"There is no model {name!r} in coursekit's table.{hint} models.names() lists "
            "all models."
        )
    if on is not None and found.is_shut_down(on):
        try:
            moved = f"Its successor is {replacement(name, on)}."
        except LookupError:
            moved = "The table lists no available successor: choose one from GET /v1/models."
        raise ModelShutDown(
            f"The model {name!r} was shut down on {found.shutdown}. {moved}"
        )
    return found


def known(name: str) -> bool:
    """Return whether the API has, or had, a model with this name on any endpoint, as far as the
    table knows.
    """
    return _base(name) in _table()


def names() -> list[str]:
    """Return all names that ``get`` accepts, including snapshots, in the table's order."""
    return list(_table())


def every() -> list[Model]:
    """Return all models, each once, in the table's order."""
    return list({model.name: model for model in _table().values()}.values())


def offered_in(lab: str) -> tuple[str, ...]:
    """Return the names of the models that a lab offers ("chooser", "token strip"), in the table's
    order.
    """
    return tuple(model.name for model in every() if lab in model.labs)


def echoed(name: str) -> str:
    """Return the ``model`` in an answer to a request for ``name``: for an alias, the snapshot
    behind it.
    """
    model = get(name)
    return model.snapshot if name == model.name else name


def replacement(name: str, on: datetime.date) -> str:
    """Return ``name`` if it is available on that day, or else the first of its successors that is.

    Raises LookupError if the table does not have an available successor.
    """
    model, seen = get(name), {name}
    while model.is_shut_down(on):
        if model.successor is None or model.successor in seen:
            raise LookupError(
                f"{name} was shut down on {get(name).shutdown}, and the table does not name "
                f"a replacement that is available on {on}. Choose a model from GET "
                "/v1/models and add it to data/models.toml."
            )
        seen.add(model.successor)
        name, model = model.successor, get(model.successor)
    return name


def _base(name: str) -> str:
    parts = name.split(":")
    return parts[1] if parts[0] == "ft" and len(parts) > 1 else name


@cache
def _document() -> Mapping[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


@cache
def _table() -> Mapping[str, Model]:
    """Return every name with its facts: those in its own entries override those in the entry that
    it is ``like``.
    """
    document = _document()
    own: dict[str, dict[str, Any]] = {}
    for entry in [*document["family"], *document["model"]]:
        source = (entry.get("as_of", document["as_of"]), entry["source"])
        for name in entry.get("names") or [entry["name"]]:
            facts = own.get(name, {})
            own[name] = {
                **_over(facts, entry),
                "sources": (*facts.get("sources", ()), source),
            }
    families = {entry["name"] for entry in document["family"]}
    models = [
        _model(name, _resolved(name, own))
        for name in own
        if name not in families
    ]
    return {
        name: model
        for model in models
        for name in (model.name, *model.snapshots)
    }


def _resolved(name: str, own: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    facts = own[name]
    if "like" not in facts:
        return facts
    inherited = dict(_resolved(facts["like"], own))
    for key in OWN:
        inherited.pop(key, None)
    return _over(inherited, facts)


def _over(facts: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """Return facts overridden by newer ones; tables are merged key by key."""
    merged = {
        key: {**facts.get(key, {}), **value}
        for key, value in newer.items()
        if isinstance(value, dict)
    }
    return {**facts, **newer, **merged}


def _model(name: str, facts: dict[str, Any]) -> Model:
    ours = {item.name for item in fields(Model)}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in facts.items()
        if key in ours
    }
    for key in ("refused", "refused_while_reasoning"):
        values[key] = {
            parameter: how
            for parameter, how in facts.get(key, {}).items()
            if how != ACCEPTED
        }
    if "latency" in facts:
        values["latency"] = Latency(**facts["latency"])
    return Model(**{**values, "name": name})
