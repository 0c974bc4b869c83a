"""The messages of a request: the form of each, and whether together they make a conversation.

The API checks the form of all messages first and the conversation last. In refusals of the second
kind it writes paths with a dot before the bracket: "messages.[1].content".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...models import Model
from ..exchange import Json
from .attachments import check_file, check_image
from .form import check, rules
from .refusals import Refused

INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
# By role: the field that says which call a result belongs to.
CALL_OF = {"function": "name", "tool": "tool_call_id"}


def check_messages(messages: Any, model: Model) -> None:
    """The form of the messages: types, roles, content parts, tool calls."""
    check(rules()["parameter"]["messages"], messages, "messages", model)
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        check(rules()["message"], message, where, model)
        role, content = message["role"], message.get("content")
        if role in rules():
            check(rules()[role], message, where, model)
        for j, part in enumerate(content if isinstance(content, list) else ()):
            place = f"{where}.content[{j}]"
            check(rules()["part"], part, place, model)
            if role == "developer":
                check(rules()["developer_part"], part, place, model)


def check_conversation(messages: list[Json], model: Model) -> None:
    """Well-formed messages together: content, tool calls, images and files."""
    for i, message in enumerate(messages):
        instead = message["role"] == "assistant" and any(
            message.get(name) is not None for name in INSTEAD_OF_CONTENT
        )
        if message.get("content") is None and not instead:
            raise Refused("null_content", i=i)
    for role, field in CALL_OF.items():
        for i, message in enumerate(messages):
            if message["role"] == role and message.get(field) is None:
                raise Refused("no_name", i=i, role=role, field=field)
    _check_calls(messages)
    for i, message in enumerate(messages):
        _check_attachments(i, message, model)


def parts(message: Json) -> list[Json]:
    """The parts of a well-formed message's content; a bare string is a part of text."""
    content = message.get("content")
    if content is None:
        return []
    listed = content if isinstance(content, list) else [content]
    return [
        {"type": "text", "text": part} if isinstance(part, str) else part
        for part in listed
    ]


def texts(messages: Iterable[Json]) -> Iterator[str]:
    """Every text of the messages' contents."""
    for message in messages:
        yield from (
            part["text"] for part in parts(message) if part["type"] == "text"
        )


def _check_calls(messages: list[Json]) -> None:
    """Each tool message answers a call of the last assistant message; each call is answered."""
    calls: list[str] | None = None  # of that assistant message
    unanswered: list[str] = []
    for i, message in enumerate(messages):
        if message["role"] == "tool":
            answered = message["tool_call_id"]
            if calls is None:
                raise Refused("no_call", i=i)
            if answered not in calls:
                raise Refused("unknown_call", i=i, id=answered)
            unanswered = [call for call in unanswered if call != answered]
            continue
        _check_answered(unanswered, f"messages.[{i}].role")
        is_reply = message["role"] == "assistant"
        made = message.get("tool_calls") if is_reply else None
        calls = [call["id"] for call in made] if made else None
        unanswered = list(dict.fromkeys(calls or ()))
    _check_answered(unanswered, "messages")


def _check_answered(unanswered: list[str], where: str) -> None:
    if unanswered:
        raise Refused("unanswered", where=where, ids=", ".join(unanswered))


def _check_attachments(i: int, message: Json, model: Model) -> None:
    """Images and files that cannot be read. Nothing is fetched from the network."""
    role, where = message["role"], f"messages[{i}]"
    for j, part in enumerate(parts(message)):
        if part["type"] == "file":
            check_file(part["file"], f"{where}.content[{j}].file.file_data")
        elif part["type"] == "image_url":
            if not model.image_input:
                raise Refused("no_images", i=i, j=j)
            if role != "user":
                raise Refused("image_role", where=where, role=role)
            check_image(part["image_url"])
