"""Converts a request for one model into a request for another: what has to be renamed, dropped,
changed, or added, and why.

    moved = migrate({"model": "gpt-4o", "messages": [...], "temperature": 0, "max_tokens": 100},
                    "o3")
    client.chat.completions.create(**moved.params)

The rules are those that the offline API uses to refuse requests (data/models.toml and
data/request_rules.toml), and the result is checked against them. The request is the same as far as
the other model can accept it. There is no guarantee that the answer is as good, as fast, or as
cheap.

Taught in 07 §7 and 08 §6.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import models
from ..models import Model
from ..offline.exchange import Json
from ..offline.rules.form import rules
from ..offline.rules.validation import refusal_of
from .changes import Change, Draft, Migration, plain
from .messages import messages
from .parameters import effort, formats, limits, parameters, tools

__all__ = ["CannotMigrate", "Change", "Migration", "migrate"]
# The effort is first, because the other steps depend on it.
STEPS = (effort, parameters, tools, formats, messages, limits)


class CannotMigrate(ValueError):
    """The other model cannot accept this request, however its parameters are changed."""


def migrate(params: Json, to_model: str) -> Migration:
    """Return the same request for another model.

    params    keyword arguments of ``client.chat.completions.create`` (or ``.parse``) for the
              current model; not modified. ``model`` is optional. If that model answers without
              reasoning, reasoning is switched off if the other model allows it. SDK options that
              are not API parameters (timeout, extra_headers) are passed along.
    to_model  one of ``models.names()``, shut down or not

    Raises CannotMigrate (a ValueError) if any model would refuse the request, if it is too long for
    ``to_model``, or if ``to_model`` is not available on Chat Completions. Raises
    models.UnknownModel for any other name.
    """
    target = models.get(to_model)
    if target.endpoint != "chat":
        raise CannotMigrate(
            f"{to_model} is not available on Chat Completions, so requests cannot be moved to it."
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
    # A class, for .parse(): the SDK generates its schema.
    if not isinstance(sent.get("response_format", {}), Mapping):
        del sent["response_format"]
    if refused := refusal_of({"model": to_model, **sent}):
        message = json.loads(refused.body)["error"]["message"]
        raise CannotMigrate(
            f"{to_model} would refuse this request, whatever its other parameters are: {message}"
        )
    return Migration(draft.params, tuple(draft.changes))


def _source(name: Any) -> Model | None:
    is_known = isinstance(name, str) and models.known(name)
    return models.get(name) if is_known else None
