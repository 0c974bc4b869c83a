"""Checks a request that nothing recorded answers, and refuses a wrong one as the real API does.

The order of the checks is the API's own, measured with requests that have two faults: key, body,
model, messages; then unknown parameters; then each parameter's form in the order of
data/request_rules.toml; then what the model cannot do; then parameters that exclude each other;
and the conversation last. Left out is what only the server can check (whether an image can be
fetched, an account's rights).
"""

from __future__ import annotations

import datetime
from collections.abc import Container
from typing import Any

from ... import models
from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Layer
from ..keys import key_refusal
from .abilities import (
    ability_fault,
    endpoint_fault,
    incompatible_parameters,
    refused_null,
    refused_parameter,
    sampling_fault,
)
from .form import fault, rules, unknown_parameters
from .lengths import length_fault
from .messages import conversation_fault, form_fault, texts
from .refusals import invalid_url, refuse
from .schemas import schema_fault

DAY = "x-coursekit-today"  # the header of a request with its own day
ONLY_WITH = {"stream_options": "stream", "metadata": "store"}
ONLY_WITH_TOOLS = {
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "function_call": "functions",
}


class Validation:
    """The layer that refuses wrong requests.

    keys   the API keys that are accepted; None: no key is needed
    today  models that were shut down by this day are refused; None: none is, because their
           recordings still exist. A request may have its own day, such as "2026-01-17", in the
           header x-coursekit-today.
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
            chat = request.path.endswith("/chat/completions")
            if chat and request.path != CHAT_COMPLETIONS:
                return invalid_url(request)
            return self.inner.answer(request)
        refused = (
            None
            if self.keys is None
            else key_refusal(request.headers, self.keys)
        )
        refused = refused or refusal_of(request.json, today=self._day(request))
        return refused or self.inner.answer(request)

    def _day(self, request: ApiRequest) -> datetime.date | None:
        try:
            return datetime.date.fromisoformat(request.headers[DAY])
        except (KeyError, ValueError):
            return self.today


def refusal_of(
    body: Any, *, today: datetime.date | None = None
) -> ApiAnswer | None:
    """The real API's refusal of a body of POST /v1/chat/completions; None if it accepts the body.

    body   the parsed JSON: a dict of parameters; anything else is refused as if it were not JSON
    today  as for ``Validation``
    """
    try:
        return _refusal_of(body, today)
    # nested too deep for the checks, though not for the parser
    except RecursionError:
        return refuse("unparsable")


def _refusal_of(body: Any, today: datetime.date | None) -> ApiAnswer | None:
    if not isinstance(body, dict):
        return refuse("unparsable")
    name = body.get("model")
    if name is None or name == "":
        return refuse("no_model")
    if not isinstance(name, str):
        return refuse("unparsable")  # it is JSON, and yet the real API says so
    if not models.known(name):
        return refuse("no_such_model", model=name)
    model = models.get(name)
    if today is not None and model.is_shut_down(today):
        return refuse("shut_down", model=name)
    if "messages" not in body:
        return endpoint_fault(model) or refuse("missing", where="messages")
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
    """The first parameter with a wrong value, in the API's order."""
    for name, rule in rules()["parameter"].items():
        if name not in body:
            continue
        value = body[name]
        if name == "messages":
            found = form_fault(value, model)
        elif value is None:
            found = refused_null(name, model)
        else:
            found = refused_parameter(name, value, model)
            found = found or fault(rule, value, name, model)
        if found:
            return found
    return None


def _combination_fault(
    body: dict[str, Any], model: models.Model
) -> ApiAnswer | None:
    """Parameters that need, or exclude, each other."""
    given = {name: value for name, value in body.items() if value is not None}
    if {"max_tokens", "max_completion_tokens"} <= given.keys():
        return refuse("two_limits")
    if "top_logprobs" in given:
        if given.get("logprobs") is not True:
            return refuse("only_with", name="top_logprobs", other="logprobs")
        if given["top_logprobs"] > model.top_logprobs:
            return refuse("many_top_logprobs", limit=model.top_logprobs)
    for name, other in ONLY_WITH.items():
        if name in given and given.get(other) is not True:
            return refuse("only_with", name=name, other=other)
    for name, other in ONLY_WITH_TOOLS.items():
        if name in given and other not in given:
            return refuse("only_with_tools", name=name, other=other)
    return (
        _choice_fault(given)
        or _audio_fault(given)
        or _retention_fault(given)
        or _json_fault(given)
    )


def _choice_fault(given: dict[str, Any]) -> ApiAnswer | None:
    """A tool_choice must name a function that is declared."""
    chosen = given.get("tool_choice") or given.get("function_call")
    if not isinstance(chosen, dict):
        return None
    name = chosen.get("function", chosen).get("name")
    declared = [tool.get("function", tool) for tool in given.get("tools", ())]
    names = [one.get("name") for one in declared + given.get("functions", [])]
    if name is None or name in names:
        return None
    return refuse("undeclared_function", name=name)


def _audio_fault(given: dict[str, Any]) -> ApiAnswer | None:
    format_ = given.get("audio", {}).get("format")
    if given.get("stream") is not True or format_ in (None, "pcm16"):
        return None
    return refuse("audio_format", format=format_)


def _retention_fault(given: dict[str, Any]) -> ApiAnswer | None:
    known = given.get("prompt_cache_retention") in (None, "in_memory", "24h")
    return None if known else refuse("retention")


def _json_fault(given: dict[str, Any]) -> ApiAnswer | None:
    if given.get("response_format", {}).get("type") != "json_object":
        return None
    named = any("json" in text.lower() for text in texts(given["messages"]))
    return None if named else refuse("no_json")
