"""The canonical form of a request: bodies that mean the same to the API share one, and therefore
share their recordings.

Fields that change nothing are left out (a parameter at its default, an identifier of the caller),
and what can be written in two ways is written in one. The rules, with their sources, are in
data/equal_requests.toml. A body that the API refuses is its own canonical form, so it never finds
the recording of one that the API accepts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from .. import models
from ..course import DATA
from .exchange import Json, JsonDict
from .rules.validation import accepts

# The ways to ask for a stream: first those that report the usage.
STREAMS: list[JsonDict] = [
    {"stream_options": {"include_usage": True}},
    {},
    {"stream_options": {"include_usage": True, "include_obfuscation": False}},
    {"stream_options": {"include_obfuscation": False}},
]
STREAMING = ("stream", "stream_options")
# By kind of object: the kinds of those inside it, by field.
INSIDE = {
    "parameter": {
        "messages": "message",
        "tools": "tool",
        "response_format": "format",
        "stream_options": "stream_options",
    },
    "message": {"content": "part"},
    "part": {"image_url": "image_url"},
    "tool": {"function": "function"},
    "format": {"json_schema": "json_schema"},
}


@cache
def equal_requests() -> Mapping[str, Mapping[str, Json]]:
    """data/equal_requests.toml: by kind of object, then by field."""
    return tomllib.loads(
        (DATA / "equal_requests.toml").read_text(encoding="utf-8")
    )


def canonical(body: Any) -> Any:
    """The canonical form of a body, which is itself a body with the same meaning.

    body  the parsed JSON of a POST to /v1/chat/completions; returned unchanged if it is not an
          object
    """
    if not isinstance(body, dict):
        return body
    name, model = body.get("model"), None
    if isinstance(name, str) and models.known(name):
        model = models.get(name)
    simple = _Simplifier(model).fields("parameter", body)
    return simple if simple == body or accepted(body) else body


def accepted(body: Json) -> bool:
    """Whether the API accepts this body. An unknown model counts as the course's chat model."""
    name = body.get("model")
    if isinstance(name, str) and name and not models.known(name):
        body = {**body, "model": models.role("CHAT")}
    return accepts(body)


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

    def each(self, kind: str, value: Any) -> Any:
        """An object of this kind, or a list of them, simplified; any other value unchanged."""
        if isinstance(value, list):
            return [
                self.fields(kind, one) if isinstance(one, dict) else one
                for one in value
            ]
        return self.fields(kind, value) if isinstance(value, dict) else value

    def fields(self, kind: str, fields: Json) -> JsonDict:
        """An object without the fields that change nothing, each other field in its one form."""
        rules, inside = equal_requests().get(kind, {}), INSIDE.get(kind, {})
        simple: JsonDict = {}
        for name, given in fields.items():
            if given is None:
                continue
            value = self.each(inside[name], given) if name in inside else given
            rule = rules.get(name, {})
            if self.model is None and not rule.get("any_server"):
                rule = {}
            if not self._is_default(rule, value):
                form = _single(value) if rule.get("single") else value
                simple[rule.get("same_as", name)] = form
        return simple

    def _is_default(self, rule: Json, value: Any) -> bool:
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
