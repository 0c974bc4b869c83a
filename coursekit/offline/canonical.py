"""The canonical form of a request: bodies that mean the same to the API share one, and so their
recordings.

Fields that change nothing are left out (a parameter at its default, an identifier of the caller),
and what can be written in two ways is written in one. The rules, each with its source, are
data/equal_requests.toml. A body that the API refuses is its own canonical form, so that it never
finds the recording of one that the API accepts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from .. import models
from ..course import DATA
from .exchange import Json, JsonDict
from .rules.validation import refusal_of

# The ways to ask for a stream: first those that report the usage.
STREAMS: list[JsonDict] = [
    {"stream_options": {"include_usage": True}},
    {},
    {"stream_options": {"include_usage": True, "include_obfuscation": False}},
    {"stream_options": {"include_obfuscation": False}},
]
STREAMING = ("stream", "stream_options")

Rule = Json
Rules = Mapping[str, Mapping[str, Rule]]  # by kind of object, then by field


@cache
def equal_requests(any_server: bool = False) -> Rules:
    """data/equal_requests.toml; with ``any_server`` only the rules that every server follows."""
    rules = tomllib.loads(
        (DATA / "equal_requests.toml").read_text(encoding="utf-8")
    )
    if not any_server:
        return rules
    return {
        kind: {
            name: rule
            for name, rule in fields.items()
            if rule.get("any_server")
        }
        for kind, fields in rules.items()
    }


def canonical(body: Any) -> Any:
    """The canonical form of a body, which is itself a body with the same meaning.

    body  the parsed JSON of a POST to /v1/chat/completions; returned unchanged if it is not an
          object
    """
    if not isinstance(body, dict):
        return body
    name = body.get("model")
    model = (
        models.get(name)
        if isinstance(name, str) and models.known(name)
        else None
    )
    simple = _Simplifier(model).body(body)
    return simple if simple == body or accepted(body) else body


def accepted(body: Json) -> bool:
    """Whether the API accepts this body. An unknown model counts as the course's chat model."""
    name = body.get("model")
    if isinstance(name, str) and name and not models.known(name):
        body = {**body, "model": models.role("CHAT")}
    return refusal_of(body) is None


def other_forms(body: Any) -> Iterator[JsonDict]:
    """The canonical bodies that ask for the same answer in another form: whole, or as a stream.

    A body that the API refuses has none.
    """
    if not isinstance(body, dict) or not accepted(body):
        return
    own = canonical(body)
    whole = {name: own[name] for name in own if name not in STREAMING}
    forms = [{**whole, "stream": True, **options} for options in STREAMS]
    yield from (form for form in [*forms, whole] if form != own)


class _Simplifier:
    """Applies the rules for one model, or for another server's (None). Ignores faulty values."""

    def __init__(self, model: models.Model | None) -> None:
        self.model = model
        self.rules = equal_requests(any_server=model is None)

    def body(self, body: Json) -> JsonDict:
        changed = dict(body)
        if isinstance(body.get("messages"), list):
            changed["messages"] = [
                self._message(one) for one in body["messages"]
            ]
        if isinstance(body.get("tools"), list):
            changed["tools"] = [
                self._within(one, "function") for one in body["tools"]
            ]
        changed = self._within(changed, "response_format", "json_schema")
        changed = self._within(changed, "stream_options")
        return self._fields("parameter", changed)

    def _message(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        if isinstance(content := message.get("content"), list):
            message = {
                **message,
                "content": [self._part(part) for part in content],
            }
        return self._fields("message", message)

    def _part(self, part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return self._fields("part", self._within(part, "image_url"))

    def _within(self, value: Any, name: str, *deeper: str) -> Any:
        """An object with its field ``name`` simplified, or a field ``deeper`` in that one."""
        if not isinstance(value, dict) or not isinstance(value.get(name), dict):
            return value
        if deeper:
            return {**value, name: self._within(value[name], *deeper)}
        return {**value, name: self._fields(name, value[name])}

    def _fields(self, kind: str, fields: Json) -> JsonDict:
        """An object without the fields that change nothing, each other field in its one form."""
        rules = self.rules.get(kind, {})
        simple: JsonDict = {}
        for name, value in fields.items():
            if value is None:
                continue
            rule = rules.get(name)
            if rule is None:
                simple[name] = value
            elif not self._is_default(rule, value):
                form = _single(value) if rule.get("single") else value
                simple[rule.get("same_as", name)] = form
        return simple

    def _is_default(self, rule: Rule, value: Any) -> bool:
        """Whether a field of this value changes nothing."""
        if rule.get("ignored"):
            return True
        if "default_of" in rule:
            return bool(value == getattr(self.model, rule["default_of"], None))
        return any(
            _same(value, default) for default in rule.get("defaults", ())
        )


def _same(value: Any, default: Any) -> bool:
    # True == 1 in Python, but not in JSON.
    alike = isinstance(value, bool) == isinstance(default, bool)
    return alike and bool(value == default)


def _single(value: Any) -> Any:
    """The one string of a list, or the text of its one part; any other value unchanged."""
    match value:
        case [str(text)]:
            return text
        case [{"type": "text", "text": str(text), **others}] if not others:
            return text
    return value
