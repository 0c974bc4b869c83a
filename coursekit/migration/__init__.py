"""A request for one model as a request for another: what has to be renamed, dropped, changed or
added, and why.

    moved = migrate({"model": "gpt-4o", "messages": [...], "temperature": 0, "max_tokens": 100},
    "o3") client.chat.completions.create(**moved.params)

The rules are those by which the offline API refuses requests: data/models.toml and
data/request_rules.toml. The result has been held against them. It is the same request as far as
the other model can take it, and no promise that the answer is as good, as fast or as cheap.

Taught in 07 §7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import models
from ..models import Model
from ..offline.rules.form import rules
from ..offline.rules.validation import refusal_of
from .changes import Change, Draft, Migration, plain
from .messages import messages
from .parameters import effort, formats, limits, parameters, tools

__all__ = ["CannotMigrate", "Change", "Migration", "migrate"]
# effort first: it decides what else is taken
STEPS = (
    effort,
    parameters,
    tools,
    formats,
    messages,
    limits,
)


class CannotMigrate(ValueError):
    """The other model cannot take this request, whatever is changed about its parameters."""


def migrate(params: Mapping[str, Any], to_model: str) -> Migration:
    """The same request for another model.

    params    keyword arguments of ``client.chat.completions.create`` (or ``.parse``), as a model
              takes them today. They are not touched. ``model`` may be missing; it shows whether the
              request was answered without reasoning, and then reasoning is switched off where the
              other model can do without. Options of the SDK that are not parameters of the API
              (timeout, extra_headers) are passed on.
    to_model  a name of ``models.names()``, alive or not

    Raises CannotMigrate (a ValueError) for a request that is wrong for any model, or too long for
    this one, and for a model that is not served on Chat Completions; models.UnknownModel for a name
    that no table has.
    """
    target = models.get(to_model)
    if target.endpoint != "chat":
        raise CannotMigrate(
            f"{to_model} is not served on Chat Completions, so no request can be moved to it."
        )
    draft = Draft(
        {**params, "model": to_model}, _source(params.get("model")), target
    )
    for step in STEPS:
        step(draft)
    sent = {
        name: plain(value)
        for name, value in draft.params.items()
        if name in rules()["parameter"]
    }
    # a class, for .parse(): the SDK writes its schema
    if not isinstance(sent.get("response_format", {}), Mapping):
        del sent["response_format"]
    if refused := refusal_of({"model": to_model, **sent}):
        message = json.loads(refused.body)["error"]["message"]
        raise CannotMigrate(
            f"{to_model} would refuse this request, whatever its other parameters are: {message}"
        )
    return Migration(draft.params, tuple(draft.changes))


def _source(name: Any) -> Model | None:
    return (
        models.get(name)
        if isinstance(name, str) and models.known(name)
        else None
    )
