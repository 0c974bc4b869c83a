"""Any value in a line or two, for a learner to read: objects of the SDK with their set fields only,
long texts cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sized
from itertools import islice
from typing import Any

SHOWN = 400  # characters of one value
DEEP = 6  # levels
MANY = 40  # items of one list or dict
MADE_UP_ID, MADE_UP_MODEL = (
    "chatcmpl-check",
    "gpt-4o-2024-08-06",
)  # of an answer where a case does not say otherwise
SAME = {
    "object",
    "created",
}  # of every answer that a check makes up: not worth a learner's time
SAYING_NOTHING = ("assistant", MADE_UP_ID, MADE_UP_MODEL)


def describe(value: Any, most: int = SHOWN) -> str:
    """The value as Python would write it, shortened to ``most`` characters. Never raises."""
    try:
        text = _text(value, DEEP)
    except Exception as error:  # noqa: BLE001  a learner's __repr__ can do anything
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    text = re.sub(
        r" at 0x[0-9a-fA-F]+", "", text
    )  # says nothing, and differs from run to run
    return (
        text
        if len(text) <= most
        else f"{text[: most - 20]} … ({len(text):,} characters)"
    )


def call_text(given: tuple[Any, ...], keywords: Mapping[str, Any]) -> str:
    """The arguments of a call, in their parentheses."""
    parts = [describe(value) for value in given] + [
        f"{name}={describe(value)}" for name, value in keywords.items()
    ]
    return f"({', '.join(parts)})"


def _rest(items: Sized) -> list[str]:
    return [f"… {len(items):,} items"] if len(items) > MANY else []


def _tells(name: str, item: Any) -> bool:
    return (
        name not in SAME
        and item not in SAYING_NOTHING
        and (item is not None or name == "content")
    )


def _text(value: Any, deep: int) -> str:
    if deep == 0:
        return "…"
    fields = getattr(value, "model_fields_set", None)  # an object of the SDK
    if fields is not None:
        told = [
            (name, getattr(value, name))
            for name in type(value).model_fields
            if name in fields
        ]
        shown = [
            f"{name}={_text(item, deep - 1)}"
            for name, item in told
            if _tells(name, item)
        ]
        return f"{type(value).__name__}({', '.join(shown)})"
    if type(value) is dict:
        pairs = [
            f"{key!r}: {_text(item, deep - 1)}"
            for key, item in islice(value.items(), MANY)
        ]
        return "{" + ", ".join(pairs + _rest(value)) + "}"
    if type(value) is list:
        return (
            "["
            + ", ".join([_text(item, deep - 1) for item in value[:MANY]] + _rest(value))
            + "]"
        )
    if type(value) is str and len(value) > 2 * SHOWN:
        return f"{value[: 2 * SHOWN]!r}… ({len(value):,} characters)"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return repr(value)
