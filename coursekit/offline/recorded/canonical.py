"""The canonical form of a request: two bodies that mean the same to the API have one, and so share
their recordings.

What says nothing is left out (a parameter at its default, an identifier of the caller), and what
can be written in two ways is written in one. The rules are data/equal_requests.toml, each with its
source. A body that the API refuses is its own canonical form, so that it never finds the recording
of one that is accepted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ... import models
from ...course import DATA
from ..rules.validation import refusal_of

STREAMS: list[dict[str, Any]] = [  # first those that bring the usage
    {"stream_options": {"include_usage": True}},
    {},
    {"stream_options": {"include_usage": True, "include_obfuscation": False}},
    {"stream_options": {"include_obfuscation": False}},
]
Rules = Mapping[
    str, Mapping[str, Mapping[str, Any]]
]  # by kind of object, then by field


@cache
def equal_requests(any_server: bool = False) -> Rules:
    """data/equal_requests.toml; with ``any_server`` only the rules that do not depend on who
    answers.
    """
    rules = tomllib.loads((DATA / "equal_requests.toml").read_text(encoding="utf-8"))
    if not any_server:
        return rules
    return {
        kind: {name: rule for name, rule in fields.items() if rule.get("any_server")}
        for kind, fields in rules.items()
    }


def canonical(body: Any) -> Any:
    """The canonical form of a body, which is itself a body with the same meaning.

    body  the parsed JSON of a request to POST /v1/chat/completions; what is no object is returned
          as it is
    """
    if not isinstance(body, dict):
        return body
    name = body.get("model")
    model = models.get(name) if isinstance(name, str) and models.known(name) else None
    simple = _Simplifier(model).body(body)
    return simple if simple == body or accepted(body) else body


def accepted(body: Mapping[str, Any]) -> bool:
    """Whether the API takes this body. A model in no table is held to what the course's chat model
    takes.
    """
    name = body.get("model")
    if isinstance(name, str) and name and not models.known(name):
        body = {**body, "model": models.role("CHAT")}
    return refusal_of(body) is None


def other_forms(body: Any) -> Iterator[dict[str, Any]]:
    """The canonical bodies that ask for the same answer in another form: whole, or streamed in one
    way or another.

    A body that the API refuses has none.
    """
    if not isinstance(body, dict) or not accepted(body):
        return
    own = canonical(body)
    whole = {
        name: value
        for name, value in own.items()
        if name not in ("stream", "stream_options")
    }
    streams = [{**whole, "stream": True, **options} for options in STREAMS]
    yield from (
        form for form in (streams if own == whole else [*streams, whole]) if form != own
    )


class _Simplifier:
    """Applies the rules for one model; None: of a server that is not OpenAI's. Faulty values are
    passed over.
    """

    def __init__(self, model: models.Model | None) -> None:
        self.model = model
        self.rules = equal_requests(any_server=model is None)

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        changed = dict(body)
        if isinstance(body.get("messages"), list):
            changed["messages"] = [
                self._message(message) for message in body["messages"]
            ]
        if isinstance(body.get("tools"), list):
            changed["tools"] = [
                self._within(tool, "function") for tool in body["tools"]
            ]
        changed = self._within(
            self._within(changed, "response_format", "json_schema"), "stream_options"
        )
        return self._fields("parameter", changed)

    def _message(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        if isinstance(message.get("content"), list):
            message = {
                **message,
                "content": [self._part(part) for part in message["content"]],
            }
        return self._fields("message", message)

    def _part(self, part: Any) -> Any:
        return (
            self._fields("part", self._within(part, "image_url"))
            if isinstance(part, dict)
            else part
        )

    def _within(self, value: Any, name: str, *deeper: str) -> Any:
        """An object with its field ``name`` simplified, or what lies ``deeper`` in it."""
        if not isinstance(value, dict) or not isinstance(value.get(name), dict):
            return value
        inner = (
            self._within(value[name], *deeper)
            if deeper
            else self._fields(name, value[name])
        )
        return {**value, name: inner}

    def _fields(self, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An object without the fields that say nothing, and with the others in their one form."""
        rules = self.rules.get(kind, {})
        kept: dict[str, Any] = {}
        for name, value in fields.items():
            rule = rules.get(name)
            if value is None or (rule is not None and self._says_nothing(rule, value)):
                continue
            if rule is None:
                kept[name] = value
            else:
                kept[rule.get("same_as", name)] = (
                    _single(value) if rule.get("single") else value
                )
        return kept

    def _says_nothing(self, rule: Mapping[str, Any], value: Any) -> bool:
        if "default_of" in rule:
            return bool(value == getattr(self.model, rule["default_of"], None))
        return bool(rule.get("ignored")) or any(
            _same(value, default) for default in rule.get("defaults", ())
        )


def _same(value: Any, default: Any) -> bool:
    return bool(value == default) and isinstance(value, bool) == isinstance(
        default, bool
    )  # True == 1 in Python


def _single(value: Any) -> Any:
    """The one string of a list, or the text of its one part; any other value as it is."""
    if not isinstance(value, list) or len(value) != 1:
        return value
    item = value[0]
    if (
        isinstance(item, dict)
        and item.keys() == {"type", "text"}
        and item["type"] == "text"
    ):
        item = item["text"]
    return item if isinstance(item, str) else value
