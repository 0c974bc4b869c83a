"""What one model refuses of a well-formed request, by its facts in data/models.toml."""

from __future__ import annotations

import json
from typing import Any

from ... import models
from ..exchange import ApiAnswer
from .form import refuse_arguments, rules
from .messages import Message, parts
from .refusals import listed, refuse, shown

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


def endpoint_fault(model: models.Model) -> ApiAnswer | None:
    """404 for a model that is served on another endpoint."""
    kind = OTHER_ENDPOINTS.get(model.endpoint)
    return refuse(kind, model=model.name) if kind else None


def refused_parameter(
    name: str, value: Any, model: models.Model
) -> ApiAnswer | None:
    """A parameter that the model does not accept, or an effort that it does not know."""
    if found := _refused(name, value, model.refused.get(name)):
        return found
    if (
        name == "reasoning_effort"
        and model.efforts
        and value not in model.efforts
    ):
        return unsupported_value(name, value, model.efforts)
    return None


def refused_null(name: str, model: models.Model) -> ApiAnswer | None:
    """null counts as left out, except where a model refuses it."""
    if name == "max_tokens" and model.refused.get(name) == "always":
        expected = "an unsupported value"
        return refuse("invalid_type", where=name, expected=expected, got="null")
    if name == "reasoning_effort" and not model.null_effort:
        return unsupported_value(name, None, model.efforts)
    return None


def incompatible_parameters(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    """Parameters that a search model accepts no value of."""
    given = [name for name in model.incompatible if body.get(name) is not None]
    return refuse_arguments("incompatible_arguments", given) if given else None


def sampling_fault(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    """Sampling parameters, which the API checks after all others."""
    if not model.reasoning(body.get("reasoning_effort")):
        return None
    for name in SAMPLING:
        if body.get(name) is not None:
            how = model.refused_while_reasoning.get(name)
            if found := _refused(name, body[name], how):
                return found
    return None


def ability_fault(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    """Roles, audio, formats, verbosity, tiers and tools that the model does not support."""
    for i, message in enumerate(body["messages"]):
        if message["role"] not in model.roles:
            return unsupported_value(f"messages[{i}].role", message["role"])
        if not model.audio_input and _has_sound(message):
            return refuse("no_audio", where=f"messages[{i}]")
    if model.needs_audio and not _has_audio(body):
        return refuse("needs_audio")
    verbosity, known = body.get("verbosity"), model.verbosities
    if verbosity is not None and known and verbosity not in known:
        return unsupported_value("verbosity", verbosity, known)
    if body.get("service_tier") == "flex" and not model.flex:
        return refuse("no_tier")
    return _format_fault(body, model) or _tools_fault(body, model)


def unsupported_value(
    where: str, value: Any, values: tuple[str, ...] = ()
) -> ApiAnswer:
    """The refusal of a value that other models accept."""
    hint = f" Supported values are: {listed(values, 'and')}." if values else ""
    return _unsupported(where, value, hint)


def _refused(name: str, value: Any, how: str | None) -> ApiAnswer | None:
    """The refusal of a parameter's value, by the word for it in models.toml."""
    rule = rules()["parameter"][name]
    is_default = value == rule.get("default")
    if how is None or (is_default and how not in ("always", "no tools")):
        return None
    match how:
        case "default only":
            hint = f" Only the default ({rule['default']}) value is supported."
            return _unsupported(name, value, hint)
        case "web search":
            return refuse("no_web_search")
        case "no tools":
            return refuse("no_tools", where=name)
    hint = f" Use '{rule['instead']}' instead." if "instead" in rule else ""
    return refuse("unsupported_parameter", where=name, hint=hint)


def _unsupported(where: str, value: Any, hint: str) -> ApiAnswer:
    # null, true and false as JSON writes them, anything else as Python does.
    is_word = value is None or isinstance(value, bool)
    text = json.dumps(value) if is_word else shown(value)
    return refuse("unsupported_value", where=where, value=text, hint=hint)


def _has_sound(message: Message) -> bool:
    return any(part["type"] == "input_audio" for part in parts(message))


def _has_audio(body: dict[str, Any]) -> bool:
    if "audio" in (body.get("modalities") or ()):
        return True
    return any(_has_sound(one) or one.get("audio") for one in body["messages"])


def _format_fault(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    wanted = (body.get("response_format") or {}).get("type", "text")
    if wanted in model.formats:
        return None
    hint = STRUCTURED if wanted == "json_schema" else ""
    return refuse("no_format", format=wanted, hint=hint)


def _tools_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    if model.tools_while_reasoning or not model.reasoning(
        body.get("reasoning_effort")
    ):
        return None
    if not any(tool["type"] == "function" for tool in body.get("tools") or ()):
        return None
    return refuse("reasoning_tools", model=body["model"], hint=model.tools_hint)
