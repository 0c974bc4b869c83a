"""Describes any value in a line or two for a learner: SDK objects are shown with only the fields
that are set, and long text is cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import islice
from typing import Any

SHOWN = 400  # maximum characters for one value
DEEP = 6  # maximum nesting levels
MANY = 40  # maximum items in one list or dict
# the defaults, unless a case specifies others
MADE_UP_ID, MADE_UP_MODEL = (
    "chatcmpl-check",
    "gpt-4o-2024-08-06",
)
# these are in every made-up answer, so they are not worth a learner's time
EVERYWHERE = {
    "object",
    "created",
}
EXPECTED_ANYWAY = ("assistant", MADE_UP_ID, MADE_UP_MODEL)


def describe(value: Any, most: int = SHOWN) -> str:
    """Return the value as Python would write it, shortened to ``most`` characters. Never raises."""
    try:
        text = _text(value, DEEP)
    except Exception as error:  # noqa: BLE001  a learner's __repr__ can raise anything
        text = (
            f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
        )
    # says nothing, and differs between runs
    text = re.sub(r" at 0x[0-9a-fA-F]+", "", text)
    return (
        text
        if len(text) <= most
        else f"{text[: most - 20]} … ({len(text):,} characters)"
    )


def call_text(given: Iterable[Any], keywords: Mapping[str, Any]) -> str:
    """Return a call's arguments, in parentheses."""
    places = [describe(value) for value in given]
    places += [f"{name}={describe(value)}" for name, value in keywords.items()]
    return f"({', '.join(places)})"


def message_lines(messages: Any) -> str:
    """Return messages in short form, "user: Hi", if they have only a role and text."""
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return describe(messages)
    return f"[{', '.join(map(_message_line, messages))}]"


def _message_line(message: Any) -> str:
    if isinstance(message, dict) and set(message) == {"role", "content"}:
        return f"{message['role']}: {message['content']!r}"
    return describe(message)


def answer_text(answer: Any) -> str:
    """Return an API's answer in short form: the set fields of each choice, and the number of tokens
    in the reply.
    """
    if not hasattr(answer, "choices"):
        return f"an error, status {answer.status}"
    choices = []
    for choice in answer.choices:
        refusal = choice.message.refusal
        choices.append(
            f"content {choice.message.content!r}"
            + (f", refusal {refusal!r}" if refusal else "")
            + f", finish_reason {choice.finish_reason!r}"
        )
    tokens = answer.usage and f" ({answer.usage.completion_tokens} tokens)"
    return (" and ".join(choices) or "no choices") + (tokens or "")


def _text(value: Any, deep: int) -> str:
    if deep == 0:
        return "…"
    fields = getattr(value, "model_fields_set", None)
    if fields is not None:
        return _sdk_object(value, fields, deep)
    if type(value) is dict:
        pairs = [
            f"{key!r}: {_text(item, deep - 1)}"
            for key, item in islice(value.items(), MANY)
        ]
        return "{" + ", ".join(pairs + _rest(value)) + "}"
    if type(value) is list:
        return (
            "["
            + ", ".join(
                [_text(item, deep - 1) for item in value[:MANY]] + _rest(value)
            )
            + "]"
        )
    if type(value) is str and len(value) > 2 * SHOWN:
        return f"{value[: 2 * SHOWN]!r}… ({len(value):,} characters)"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    return repr(value)


def _sdk_object(value: Any, fields: set[str], deep: int) -> str:
    shown = []
    for name in type(value).model_fields:
        item = getattr(value, name)
        empty = item is None and name != "content"
        if (
            name in fields
            and name not in EVERYWHERE
            and not empty
            and item not in EXPECTED_ANYWAY
        ):
            shown.append(f"{name}={_text(item, deep - 1)}")
    return f"{type(value).__name__}({', '.join(shown)})"


def _rest(items: Sized) -> list[str]:
    return [f"… {len(items):,} items"] if len(items) > MANY else []
