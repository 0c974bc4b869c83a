"""What one model refuses of a well-formed request, by its facts in data/models.toml."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ... import models
from ...tokens import count_tokens
from ..exchange import ApiAnswer
from . import refusals
from .form import rules
from .messages import Message, parts, texts

SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
)  # in the API's order
NOT_CHAT = (
    "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
    "Did you mean to use v1/completions?"
)
NO_AUDIO = (
    "This model requires that either input content or output modality contain audio."
)
ONLY_RESPONSES = (
    "This model is only supported in v1/responses and not in v1/chat/completions."
)
BYTES_PER_CHARACTER = 4  # at most, in UTF-8
STRUCTURED = (
    "Learn more about supported models at the Structured Outputs guide: "
    "https://platform.openai.com/docs/guides/structured-outputs"
)
OVERHEAD = 8  # more tokens than any message has beside its text


def endpoint_fault(model: models.Model) -> ApiAnswer | None:
    """404 for a model that is served elsewhere; its body is written as a 400's is."""
    if model.endpoint == "chat":
        return None
    if model.endpoint == "none":
        return no_such_model(model.name)
    text = NOT_CHAT if model.endpoint == "completions" else ONLY_RESPONSES
    return replace(refusals.refusal(text, param="model"), status=404)


def no_such_model(name: str) -> ApiAnswer:
    text = f"The model `{name}` does not exist or you do not have access to it."
    return refusals.refusal(text, code="model_not_found", status=404)


def shut_down(name: str) -> ApiAnswer:
    text = f"The model `{name}` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations"
    return refusals.refusal(text, code="model_not_found", status=404)


def refused_parameter(name: str, value: Any, model: models.Model) -> ApiAnswer | None:
    """A parameter that the model does not take, or a value of reasoning_effort or verbosity that it
    does not.
    """
    if found := _refused(name, value, model.refused.get(name)):
        return found
    if name == "reasoning_effort" and model.efforts and value not in model.efforts:
        return refusals.unsupported_value(name, value, model.efforts)
    return None


def refused_null(name: str, model: models.Model) -> ApiAnswer | None:
    """null counts as left out, except where a model refuses it."""
    if name == "max_tokens" and model.refused.get(name) == "always":
        return refusals.wrong_type(name, "an unsupported value", None)
    if name == "reasoning_effort" and not model.null_effort:
        return refusals.unsupported_value(name, None, model.efforts)
    return None


def incompatible_parameters(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    """What a search model takes no value of."""
    given = sorted(name for name in model.incompatible if body.get(name) is not None)
    if not given:
        return None
    plural = "s" if len(given) > 1 else ""
    return refusals.refusal(
        f"Model incompatible request argument{plural} supplied: {', '.join(given)}"
    )


def sampling_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """Sampling parameters, which the API looks at after all others."""
    refused = (
        model.refused_while_reasoning
        if model.reasoning(body.get("reasoning_effort"))
        else {}
    )
    for name in SAMPLING:
        if body.get(name) is not None and (
            found := _refused(name, body[name], refused.get(name))
        ):
            return found
    return None


def ability_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """Roles, audio, formats, verbosity and tools that the model has no use for."""
    for i, message in enumerate(body["messages"]):
        if message["role"] not in model.roles:
            return refusals.unsupported_value(f"messages[{i}].role", message["role"])
        if not model.audio_input and _hears(message):
            text = (
                f"Invalid 'messages[{i}]'. Content blocks are expected to be either text or "
                "image_url type."
            )
            return refusals.refusal(text, param=f"messages[{i}]", code="invalid_value")
    if model.needs_audio and not _has_audio(body):
        return refusals.refusal(NO_AUDIO, param="model", code="invalid_value")
    verbosity = body.get("verbosity")
    if (
        verbosity is not None
        and model.verbosities
        and verbosity not in model.verbosities
    ):
        return refusals.unsupported_value("verbosity", verbosity, model.verbosities)
    return _format_fault(body, model) or _tools_fault(body, model)


def length_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """A reply or a prompt that is longer than the model can hold. Counts tokens only when it may
    matter.
    """
    asked = body.get("max_completion_tokens")
    asked = body.get("max_tokens") if asked is None else asked
    if asked is not None and model.output is not None and asked > model.output:
        text = (
            f"max_tokens is too large: {refusals.shown(asked)}. This model supports at most "
            f"{model.output} completion "
            f"tokens, whereas you provided {refusals.shown(asked)}."
        )
        return refusals.refusal(text, param="max_tokens", code="invalid_value")
    limit = model.input or model.context
    if limit is None:
        return None
    reply = 0 if model.input else asked or 0
    functions = function_tokens(body, model.name)
    prompt = prompt_tokens(body["messages"], model.name, limit - reply - functions)
    if prompt == 0 or prompt + functions + reply <= limit:
        return None
    return _too_long(model, limit, prompt, functions, reply)


def _hears(message: Message) -> bool:
    return any(part["type"] == "input_audio" for part in parts(message))


def _has_audio(body: dict[str, Any]) -> bool:
    spoken = any(
        _hears(message) or message.get("audio") for message in body["messages"]
    )
    return spoken or "audio" in (body.get("modalities") or ())


def _refused(name: str, value: Any, how: str | None) -> ApiAnswer | None:
    rule = rules()["parameter"][name]
    if how is None or (how != "always" and value == rule.get("default")):
        return None
    if how == "default only":
        return refusals.unsupported_value(name, value, default=rule["default"])
    if how == "web search":
        return refusals.refusal(
            "Web search options not supported with this model.", param=name
        )
    return refusals.unsupported_parameter(name, rule.get("instead"))


def _format_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    wanted = (body.get("response_format") or {}).get("type", "text")
    if wanted in model.formats:
        return None
    text = (
        f"Invalid parameter: 'response_format' of type '{wanted}' is not supported with this "
        "model."
    )
    return refusals.refusal(f"{text} {STRUCTURED}" if wanted == "json_schema" else text)


def _tools_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    functions = any(tool["type"] == "function" for tool in body.get("tools") or ())
    if (
        model.tools_while_reasoning
        or not functions
        or not model.reasoning(body.get("reasoning_effort"))
    ):
        return None
    return refusals.refusal(
        f"Function tools with reasoning_effort are not supported for {body['model']} in "
        "/v1/chat/completions. "
        f"{model.tools_hint}",
        param="reasoning_effort",
    )


def prompt_tokens(messages: list[Message], model: str, limit: float) -> int:
    """The prompt's tokens, counted where they may exceed the limit; 0 where they cannot, or cannot
    be counted.
    """
    every = list(texts(messages))
    overhead = OVERHEAD * len(messages)
    if sum(map(len, every)) * BYTES_PER_CHARACTER + overhead <= limit:
        return 0
    if (
        sum(len(text.encode("utf-8", "surrogatepass")) for text in every) + overhead
        <= limit
    ):
        return 0
    plain = [
        {"role": _counted(message["role"]), "content": "".join(texts([message]))}
        for message in messages
    ]
    try:
        return count_tokens(plain, model=model)
    except ValueError:  # this model's way of counting is not known
        return 0


def function_tokens(body: dict[str, Any], model: str) -> int:
    """About what the functions add to the prompt: their definitions as JSON. The exact rule is not
    known.
    """
    functions = [
        tool["function"] for tool in body.get("tools") or () if tool.get("function")
    ]
    functions += body.get("functions") or []
    try:
        return (
            count_tokens(json.dumps(functions, separators=(",", ":")), model=model)
            if functions
            else 0
        )
    except ValueError:
        return 0


def _counted(role: str) -> str:
    return "user" if role in ("tool", "function") else role


def _too_long(
    model: models.Model, limit: int, prompt: int, functions: int, reply: int
) -> ApiAnswer:
    whole = prompt + functions
    shares = [f"{prompt} in the messages"] + (
        [f"{functions} in the functions"] if functions else []
    )
    cure = ["messages"] + (["functions"] if functions else [])
    if model.input:
        text = (
            f"Input tokens exceed the configured limit of {limit} tokens. Your messages resulted "
            f"in {whole} tokens. "
            "Please reduce the length of the messages."
        )
    elif whole > limit:
        told = f" ({', '.join(shares)})" if functions else ""
        text = (
            f"This model's maximum context length is {limit} tokens. However, your messages "
            f"resulted in {whole} "
            f"tokens{told}. Please reduce the length of the {' or '.join(cure)}."
        )
    else:
        last = "and " if functions else ""
        told = ", ".join([*shares, f"{last}{reply} in the completion"])
        cures = (
            "messages, functions, or completion"
            if functions
            else "messages or completion"
        )
        text = (
            f"This model's maximum context length is {limit} tokens. However, you requested "
            f"{whole + reply} tokens "
            f"({told}). Please reduce the length of the {cures}."
        )
    return refusals.refusal(text, param="messages", code="context_length_exceeded")
