"""Checks a request that has no recording, and refuses an invalid one as the real API does.

The order of the checks is the API's own, measured with requests that have two faults: key, body,
model, messages; then unknown parameters; then each parameter's form in the order of
data/request_rules.toml; then what the model cannot do; then parameters that exclude each other;
and the conversation last. What only the server can check is left out: whether an image can be
fetched, what an account may use.
"""

from __future__ import annotations

import datetime
from collections.abc import Container
from typing import Any

from ... import models
from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Json, Layer
from ..keys import key_refusal
from .abilities import (
    check_abilities,
    check_compatible,
    check_endpoint,
    check_null,
    check_sampling,
    check_supported,
)
from .form import check, check_names, rules
from .lengths import check_lengths
from .messages import check_conversation, check_messages, texts
from .refusals import Refused, invalid_url, refuse
from .schemas import check_schemas

DAY = "x-coursekit-today"  # the header for a request's own day
ONLY_WITH = {
    "top_logprobs": "logprobs",
    "stream_options": "stream",
    "metadata": "store",
}
ONLY_WITH_TOOLS = {
    "tool_choice": "tools",
    "parallel_tool_calls": "tools",
    "function_call": "functions",
}


class Validation:
    """The layer that refuses invalid requests.

    keys   the API keys that are accepted; None: no key is needed
    today  models that were shut down by this day are refused; None: no model is, because their
           recordings remain. A request can have its own day, such as "2026-01-17", in the header
           x-coursekit-today.
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
        _check(body, today)
    except Refused as refused:
        return refused.answer
    # Nested too deep for the checks, although the parser could read it.
    except RecursionError:
        return refuse("unparsable")
    return None


def accepts(body: Any) -> bool:
    """Whether the real API accepts a body of POST /v1/chat/completions, on a day when its model is
    served.
    """
    try:
        _check(body, None)
    except (Refused, RecursionError):
        return False
    return True


def _check(body: Any, today: datetime.date | None) -> None:
    if not isinstance(body, dict):
        raise Refused("unparsable")
    name = body.get("model")
    if name is None or name == "":
        raise Refused("no_model")
    if not isinstance(name, str):
        raise Refused("unparsable")  # it is JSON, but the real API says so
    if not models.known(name):
        raise Refused("no_such_model", model=name)
    model = models.get(name)
    if today is not None and model.is_shut_down(today):
        raise Refused("shut_down", model=name)
    check_endpoint(model)
    if "messages" not in body:
        raise Refused("missing", where="messages")
    check_names(body, model)
    check_compatible(body, model)
    _check_parameters(body, model)
    check_sampling(body, model)
    check_abilities(body, model)
    _check_combinations(body, model)
    check_conversation(body["messages"], model)
    check_schemas(body)
    check_lengths(body, model)


def _check_parameters(body: Json, model: models.Model) -> None:
    """Each parameter's value, in the API's order."""
    for name, rule in rules()["parameter"].items():
        if name not in body:
            continue
        value = body[name]
        if name == "messages":
            check_messages(value, model)
        elif value is None:
            check_null(name, model)
        else:
            check_supported(name, value, model)
            check(rule, value, name, model)


def _check_combinations(body: Json, model: models.Model) -> None:
    """Parameters that need, or exclude, each other."""
    given = {name: value for name, value in body.items() if value is not None}
    if {"max_tokens", "max_completion_tokens"} <= given.keys():
        raise Refused("two_limits")
    for name, other in ONLY_WITH.items():
        if name in given and given.get(other) is not True:
            raise Refused("only_with", name=name, other=other)
        if name == "top_logprobs" and given.get(name, 0) > model.top_logprobs:
            raise Refused("many_top_logprobs", limit=model.top_logprobs)
    for name, other in ONLY_WITH_TOOLS.items():
        if name in given and other not in given:
            raise Refused("only_with_tools", name=name, other=other)
    _check_choice(given)
    format_ = given.get("audio", {}).get("format")
    if given.get("stream") is True and format_ not in (None, "pcm16"):
        raise Refused("audio_format", format=format_)
    if given.get("prompt_cache_retention") not in (None, "in_memory", "24h"):
        raise Refused("retention")
    if given.get("response_format", {}).get(
        "type"
    ) == "json_object" and not any(
        "json" in text.lower() for text in texts(given["messages"])
    ):
        raise Refused("no_json")


def _check_choice(given: Json) -> None:
    """A tool_choice must name a function that is declared."""
    chosen = given.get("tool_choice") or given.get("function_call")
    if not isinstance(chosen, dict):
        return
    name = chosen.get("function", chosen).get("name")
    declared = [tool.get("function", tool) for tool in given.get("tools", ())]
    names = [one.get("name") for one in declared + given.get("functions", [])]
    if name is not None and name not in names:
        raise Refused("undeclared_function", name=name)
