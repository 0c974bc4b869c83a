"""Checks a request that nothing recorded answers, and refuses a wrong one as the real API does.

The order of the checks is the API's own, measured with requests that are wrong twice: a key, a
body, a model, messages, then unknown parameters, then each parameter's form in the order of
data/request_rules.toml, then what the model cannot do, then what does not go together, and the
conversation last. Left out: what only the server can tell (whether an image can be fetched, an
account's rights).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Container
from typing import Any, Never

from .. import models
from . import refusals
from .exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Layer
from .file_store import no_such_path
from .keys import key_refusal
from .messages import conversation_fault, form_fault, texts
from .model_limits import (
    ability_fault,
    endpoint_fault,
    incompatible_parameters,
    length_fault,
    no_such_model,
    refused_null,
    refused_parameter,
    sampling_fault,
    shut_down,
)
from .request_form import fault, rules, unknown_parameters
from .schemas import schema_fault

NO_JSON = (
    "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
    "'json_object'."
)


class Validation:
    """The layer that refuses wrong requests; right ones go on to ``inner``.

    keys   the API keys that are accepted; None: any request is, with or without a key
    today  models whose shutdown date has come are refused as deprecated; None: none is, for their
           recordings live on
    """

    def __init__(
        self,
        inner: Layer,
        *,
        keys: Container[str] | None = None,
        today: datetime.date | None = None,
    ) -> None:
        self.inner, self.keys, self.today = inner, keys, today

    def answer(self, request: ApiRequest) -> ApiAnswer:
        if (request.method, request.path) != ("POST", CHAT_COMPLETIONS):
            wrong = (
                request.path.endswith("/chat/completions")
                and request.path != CHAT_COMPLETIONS
            )
            return no_such_path(request) if wrong else self.inner.answer(request)
        refused = None if self.keys is None else key_refusal(request.headers, self.keys)
        return (
            refused
            or refusal_of(_parsed(request.raw), today=self.today)
            or self.inner.answer(request)
        )


def refusal_of(body: Any, *, today: datetime.date | None = None) -> ApiAnswer | None:
    """What the real API answers to a body of POST /v1/chat/completions that it refuses; None for
    one it takes.

    body   the parsed JSON: a dict of parameters; anything else is refused as not being JSON
    today  as for ``Validation``
    """
    try:
        return _refusal_of(body, today)
    except (
        RecursionError
    ):  # nested deeper than any request, yet not too deep for the parser
        return refusals.unparsable()


def _refusal_of(body: Any, today: datetime.date | None) -> ApiAnswer | None:
    if not isinstance(body, dict):
        return refusals.unparsable()
    name = body.get("model")
    if name is None or name == "":
        return refusals.refusal("you must provide a model parameter")
    if not isinstance(name, str):
        return refusals.unparsable()  # it is JSON, and yet the real API says so
    if not models.known(name):
        return no_such_model(name)
    model = models.get(name)
    if today is not None and model.is_shut_down(today):
        return shut_down(name)
    if "messages" not in body:
        return endpoint_fault(model) or refusals.missing("messages")
    return (
        endpoint_fault(model)
        or unknown_parameters(body, model)
        or incompatible_parameters(body, model)
        or _form_fault(body, model)
        or sampling_fault(body, model)
        or ability_fault(body, model)
        or _combination_fault(body, model)
        or conversation_fault(body["messages"], model)
        or schema_fault(body)
        or length_fault(body, model)
    )


def _form_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """The first parameter that is wrong in itself, in the API's order."""
    for name, rule in rules()["parameter"].items():
        if name not in body:
            continue
        value, where = body[name], name
        if name == "messages":
            found = form_fault(value, model)
        elif value is None:
            found = refused_null(name, model)
        else:
            found = refused_parameter(name, value, model) or fault(
                rule, value, where, model
            )
        if found:
            return found
    return None


def _combination_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """Parameters that do not go with each other."""
    given = {name for name, value in body.items() if value is not None}
    if {"max_tokens", "max_completion_tokens"} <= given:
        text = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        return refusals.refusal(
            text, param="max_tokens", code="invalid_parameter_combination"
        )
    if "top_logprobs" in given:
        if body.get("logprobs") is not True:
            text = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
            return refusals.refusal(text, param="top_logprobs")
        if body["top_logprobs"] > model.top_logprobs:
            text = (
                "Invalid value for 'top_logprobs': must be less than or equal to "
                f"{model.top_logprobs}."
            )
            return refusals.refusal(text, param="top_logprobs")
    if "stream_options" in given and body.get("stream") is not True:
        text = (
            "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        )
        return refusals.refusal(text, param="stream_options")
    if "metadata" in given and body.get("store") is not True:
        text = "The 'metadata' parameter is only allowed when 'store' is enabled."
        return refusals.refusal(text, param="metadata")
    return _choice_fault(body, given) or _retention_fault(body) or _json_fault(body)


def _choice_fault(body: dict[str, Any], given: set[str]) -> ApiAnswer | None:
    for name, of in (
        ("tool_choice", "tools"),
        ("parallel_tool_calls", "tools"),
        ("function_call", "functions"),
    ):
        if name in given and of not in given:
            text = (
                f"Invalid value for '{name}': '{name}' is only allowed when '{of}' are "
                "specified."
            )
            return refusals.refusal(text, param=name)
    chosen = body.get("tool_choice") or body.get("function_call")
    wanted = (
        chosen.get("function", chosen).get("name") if isinstance(chosen, dict) else None
    )
    declared = [tool.get("function", tool) for tool in body.get("tools") or ()] + (
        body.get("functions") or []
    )
    if wanted is not None and wanted not in [
        function.get("name") for function in declared
    ]:
        text = (
            f"no function named '{wanted}' was specified in the 'functions' parameter."
        )
        return refusals.refusal(
            f"Invalid value for 'function_call': {text}", param="function_call"
        )
    return None


def _retention_fault(body: dict[str, Any]) -> ApiAnswer | None:
    if body.get("prompt_cache_retention") in (None, "in_memory", "24h"):
        return None
    return refusals.refusal(
        "Invalid prompt_cache_retention argument", param="prompt_cache_retention"
    )


def _json_fault(body: dict[str, Any]) -> ApiAnswer | None:
    if (body.get("response_format") or {}).get("type") != "json_object":
        return None
    if any("json" in text.lower() for text in texts(body["messages"])):
        return None
    return refusals.refusal(NO_JSON, param="messages")


def _parsed(raw: bytes) -> Any:
    """The body as JSON, numbers as they were written; None, which no body may be, when it is not
    JSON.
    """
    try:
        return json.loads(raw.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")
