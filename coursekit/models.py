"""What each model accepts, holds and echoes, and when it is shut down: facts from data/models.toml,
each with a source.

No arithmetic on prices or tokens (``pricing``, ``tokens``), no opinion on requests
(``offline.rules.validation``). Taught in 08 §6.
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

# What the course asks for, by role, so that a role can move on with its model: role() by the
# settings in force.
CHAT: str
SMALL: str
REASONING: str
HARDEST: str
ROLES = ("CHAT", "SMALL", "REASONING", "HARDEST")


class UnknownModel(LookupError):
    """A name that is in no table of models; the message names the nearest ones."""


class ModelNotServed(LookupError):
    """A role's model that the server in use does not list; the message names the models that it
    has.
    """


class ModelShutDown(LookupError):
    """A model that no longer answers on the day in question; the message names its successor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The measured time of a model's whole replies, as a line. The fields: see the top of
    data/models.toml.
    """

    first: float
    per_token: float
    exchanges: int
    between: Sequence[datetime.date]  # the first and the last
    tokens: Sequence[int]  # the fewest and the most
    off: float

    def seconds(self, tokens: int) -> float:
        """How long the API's servers take for a reply of so many completion tokens, hidden
        reasoning included.
        """
        return self.first + self.per_token * tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model. The meaning of each field is explained at the top of data/models.toml; limits are
    in tokens.
    """

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
        """The name that an answer to a request for this model carries."""
        return self.snapshots[0] if self.snapshots else self.name

    def reasoning(self, effort: str | None = None) -> bool:
        """Whether it thinks before it answers a request with this ``reasoning_effort`` (None: not
        given).
        """
        return self.reasons and (effort or self.default_effort) != "none"

    def takes(self, parameter: str, effort: str | None = None) -> str:
        """How it treats a parameter of the API: "yes", "default" (no other value), or "no".

        effort  the request's ``reasoning_effort``; with "none" a model that can do without
                reasoning takes more
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
    """The model that plays a role of the course, one of ROLES.

    mode  in replay and record the model of the course's source, however long it is gone: recordings
          are found by the request, and the request has its name. In live mode the first of the
          role's line that is served.
    on    the day (UTC); None: the source's model, whatever the mode

    Raises LookupError for an unknown role, and if no model in its line is served.
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
    """The model of each role under these settings: role -> name.

    In live mode COURSEKIT_CHAT, COURSEKIT_SMALL, COURSEKIT_REASONING and COURSEKIT_HARDEST name it,
    or COURSEKIT_MODEL for all four: any name that the server in use knows. Without them, and in the
    other modes, it is that of ``role``.
    """
    live = env.get("COURSEKIT_MODE") == Mode.LIVE
    return {
        name: (live and role_model(name, env)) or from_table(name, env)
        for name in ROLES
    }


def from_table(name: str, env: Mapping[str, str] | None = None) -> str:
    """The model of a role by the table alone, whatever the settings name: it has a price and a
    known tokenizer.

    env  the settings whose mode and day count; None: those in force
    """
    env = settings() if env is None else env
    mode = env.get("COURSEKIT_MODE") or "replay"
    return role(name, mode, today_of(env) if mode == Mode.LIVE else None)


def get(name: str, on: datetime.date | None = None) -> Model:
    """The model meant by a name: its own, a dated snapshot's, or a fine-tuned one's
    ("ft:base:org::id").

    on  a day on which it must answer; None: any day, so models that were shut down are also found

    Raises UnknownModel for a name that is in no table, ModelShutDown for one that is shut down on
    that day.
    """
    found = _table().get(_base(name))
    if found is None:
        near = difflib.get_close_matches(name, names(), n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UnknownModel(
            f"There is no model {name!r} in coursekit's table.{hint} models.names() lists all."
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
    """Whether the API has, or had, a model of this name on any endpoint, as far as the table
    knows.
    """
    return _base(name) in _table()


def names() -> list[str]:
    """All names that ``get`` takes, snapshots included, in the table's order."""
    return list(_table())


def every() -> list[Model]:
    """All models, each once, in the table's order."""
    return list({model.name: model for model in _table().values()}.values())


def offered_in(lab: str) -> tuple[str, ...]:
    """The names of the models that a lab offers ("chooser", "token strip"), in the table's
    order.
    """
    return tuple(model.name for model in every() if lab in model.labs)


def echoed(name: str) -> str:
    """The ``model`` that an answer to a request for ``name`` carries: the snapshot behind an
    alias.
    """
    model = get(name)
    return model.snapshot if name == model.name else name


def replacement(name: str, on: datetime.date) -> str:
    """``name`` while it is served on that day, else the first of its successors that is.

    Raises LookupError if the table knows no successor that still answers.
    """
    model, seen = get(name), {name}
    while model.is_shut_down(on):
        if model.successor is None or model.successor in seen:
            raise LookupError(
                f"{name} was shut down on {get(name).shutdown}, and the table names no "
                "replacement that is served on "
                f"{on}. Choose a model from GET /v1/models and add it to data/models.toml."
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
    """Every name, with the facts of its entries laid over those of the entry it is like."""
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
    """Facts with newer ones laid over them; tables key by key."""
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
