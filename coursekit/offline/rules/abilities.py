"""What a model refuses in a well-formed request, according to its facts in data/models.toml."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ...models import Model
from ..exchange import Json
from .form import refuse_arguments, rules
from .messages import parts
from .refusals import Refused, listed, shown

# In the API's order.
SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
)
STRUCTURED = (
    " Learn more about supported models at the Structured Outputs guide: "
    "https://platform.openai.com/docs/guides/structured-outputs"
)
OTHER_ENDPOINTS = {
    "completions": "not_chat",
    "responses": "only_responses",
    "none": "no_such_model",
}


def check_endpoint(model: Model) -> None:
    """404 for a model that is served on another endpoint."""
    if kind := OTHER_ENDPOINTS.get(model.endpoint):
        raise Refused(kind, model=model.name)


def check_supported(name: str, value: Any, model: Model) -> None:
    """Refuses a parameter that the model does not accept, or an effort that it does not know."""
    _check_accepted(name, value, model.refused.get(name))
    if name == "reasoning_effort":
        _check_value(name, value, model.efforts)


def check_null(name: str, model: Model) -> None:
    """null counts as left out, except where a model refuses it."""
    if name == "max_tokens" and model.refused.get(name) == "always":
        expected = "an unsupported value"
        raise Refused("invalid_type", where=name, expected=expected, got="null")
    if name == "reasoning_effort" and not model.null_effort:
        _unsupported(name, None, _supported(model.efforts))


def check_compatible(body: Json, model: Model) -> None:
    """Refuses parameters for which a search model accepts no value."""
    given = [name for name in model.incompatible if body.get(name) is not None]
    refuse_arguments("incompatible_arguments", given)


def check_sampling(body: Json, model: Model) -> None:
    """Sampling parameters, which the API checks after all others."""
    if not model.reasoning(body.get("reasoning_effort")):
        return
    for name in SAMPLING:
        if body.get(name) is not None:
            how = model.refused_while_reasoning.get(name)
            _check_accepted(name, body[name], how)


def check_abilities(body: Json, model: Model) -> None:
    """Roles, audio, formats, verbosity, tiers and tools that the model does not support."""
    for i, message in enumerate(body["messages"]):
        _check_value(f"messages[{i}].role", message["role"], model.roles, False)
        if not model.audio_input and _has_sound(message):
            raise Refused("no_audio", where=f"messages[{i}]")
    if model.needs_audio and not _has_audio(body):
        raise Refused("needs_audio")
    if body.get("verbosity") is not None:
        _check_value("verbosity", body["verbosity"], model.verbosities)
    if body.get("service_tier") == "flex" and not model.flex:
        raise Refused("no_tier")
    wanted = (body.get("response_format") or {}).get("type", "text")
    if wanted not in model.formats:
        hint = STRUCTURED if wanted == "json_schema" else ""
        raise Refused("no_format", format=wanted, hint=hint)
    if model.tools_while_reasoning or not model.reasoning(
        body.get("reasoning_effort")
    ):
        return
    if any(tool["type"] == "function" for tool in body.get("tools") or ()):
        name, hint = body["model"], model.tools_hint
        raise Refused("reasoning_tools", model=name, hint=hint)


def _check_accepted(name: str, value: Any, how: str | None) -> None:
    """Refuses a parameter's value; ``how`` is the word for it in models.toml."""
    rule = rules()["parameter"][name]
    is_default = value == rule.get("default")
    if how is None or (is_default and how not in ("always", "no tools")):
        return
    match how:
        case "default only":
            hint = f" Only the default ({rule['default']}) value is supported."
            _unsupported(name, value, hint)
        case "web search":
            raise Refused("no_web_search")
        case "no tools":
            raise Refused("no_tools", where=name)
    hint = f" Use '{rule['instead']}' instead." if "instead" in rule else ""
    raise Refused("unsupported_parameter", where=name, hint=hint)


def _check_value(
    where: str, value: Any, values: tuple[str, ...], named: bool = True
) -> None:
    """Refuses a value that only other models accept; ``values``: the model's, () if unknown."""
    if values and value not in values:
        _unsupported(where, value, _supported(values) if named else "")


def _supported(values: tuple[str, ...]) -> str:
    return f" Supported values are: {listed(values, 'and')}." if values else ""


def _unsupported(where: str, value: Any, hint: str) -> NoReturn:
    # null, true and false as JSON writes them, anything else as Python does.
    is_word = value is None or isinstance(value, bool)
    text = json.dumps(value) if is_word else shown(value)
    raise Refused("unsupported_value", where=where, value=text, hint=hint)


def _has_sound(message: Json) -> bool:
    return any(part["type"] == "input_audio" for part in parts(message))


def _has_audio(body: Json) -> bool:
    if "audio" in (body.get("modalities") or ()):
        return True
    return any(_has_sound(one) or one.get("audio") for one in body["messages"])
