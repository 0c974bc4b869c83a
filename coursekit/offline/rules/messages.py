"""The messages of a request: the form of each, and whether together they make a conversation.

The API checks the form of all messages first and the conversation last. In refusals of the second
kind it writes paths with a dot before the bracket: "messages.[1].content".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ... import models
from ..exchange import ApiAnswer
from .attachments import file_fault, image_fault
from .form import fault, rules
from .refusals import refuse

Message = dict[str, Any]
INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
# By role: the field that says which call a result belongs to.
CALL_OF = {"function": "name", "tool": "tool_call_id"}


def form_fault(messages: Any, model: models.Model) -> ApiAnswer | None:
    """The first fault in the form of the messages: types, roles, content parts, tool calls."""
    if found := fault(
        rules()["parameter"]["messages"], messages, "messages", model
    ):
        return found
    for i, message in enumerate(messages):
        if found := _form(message, f"messages[{i}]", model):
            return found
    return None


def conversation_fault(
    messages: list[Message], model: models.Model
) -> ApiAnswer | None:
    """The first fault among well-formed messages: content, tool calls, images and files."""
    return (
        _content_fault(messages)
        or _name_fault(messages)
        or _pairing_fault(messages)
        or _attachment_fault(messages, model)
    )


def parts(message: Message) -> list[dict[str, Any]]:
    """The parts of a well-formed message's content; a bare string is a part of text."""
    content = message.get("content")
    if content is None:
        return []
    listed = content if isinstance(content, list) else [content]
    return [
        {"type": "text", "text": part} if isinstance(part, str) else part
        for part in listed
    ]


def texts(messages: Iterable[Message]) -> Iterator[str]:
    """Every text of the messages' contents."""
    for message in messages:
        yield from (
            part["text"] for part in parts(message) if part["type"] == "text"
        )


def _form(message: Any, where: str, model: models.Model) -> ApiAnswer | None:
    if found := fault(rules()["message"], message, where, model):
        return found
    role, content = message["role"], message.get("content")
    if role in rules() and (
        found := fault(rules()[role], message, where, model)
    ):
        return found
    part_rules = ["part", "developer_part"] if role == "developer" else ["part"]
    for i, part in enumerate(content if isinstance(content, list) else ()):
        for rule in part_rules:
            if found := fault(
                rules()[rule], part, f"{where}.content[{i}]", model
            ):
                return found
    return None


def _content_fault(messages: list[Message]) -> ApiAnswer | None:
    for i, message in enumerate(messages):
        if message.get("content") is not None:
            continue
        instead = any(
            message.get(name) is not None for name in INSTEAD_OF_CONTENT
        )
        if message["role"] != "assistant" or not instead:
            return refuse("null_content", i=i)
    return None


def _name_fault(messages: list[Message]) -> ApiAnswer | None:
    for role, field in CALL_OF.items():
        for i, message in enumerate(messages):
            if message["role"] == role and message.get(field) is None:
                return refuse("no_name", i=i, role=role, field=field)
    return None


def _pairing_fault(messages: list[Message]) -> ApiAnswer | None:
    """Each tool message answers a call of the last assistant message; each call is answered."""
    calls: list[str] | None = (
        None  # of the assistant message that is being answered
    )
    unanswered: list[str] = []
    for i, message in enumerate(messages):
        if message["role"] == "tool":
            answered = message["tool_call_id"]
            if calls is None:
                return refuse("no_call", i=i)
            if answered not in calls:
                return refuse("unknown_call", i=i, id=answered)
            unanswered = [call for call in unanswered if call != answered]
            continue
        if unanswered:
            where = f"messages.[{i}].role"
            return refuse("unanswered", where=where, ids=", ".join(unanswered))
        made = (
            message.get("tool_calls")
            if message["role"] == "assistant"
            else None
        )
        calls = [call["id"] for call in made] if made else None
        unanswered = list(dict.fromkeys(calls or ()))
    if unanswered:
        return refuse("unanswered", where="messages", ids=", ".join(unanswered))
    return None


def _attachment_fault(
    messages: list[Message], model: models.Model
) -> ApiAnswer | None:
    """Images and files that cannot be read. None is fetched from the network."""
    for i, message in enumerate(messages):
        role, where = message["role"], f"messages[{i}]"
        for j, part in enumerate(parts(message)):
            found = None
            if part["type"] == "file":
                place = f"{where}.content[{j}].file.file_data"
                found = file_fault(part["file"], place)
            elif part["type"] == "image_url":
                if not model.image_input:
                    return refuse("no_images", i=i, j=j)
                if role != "user":
                    return refuse("image_role", where=where, role=role)
                found = image_fault(part["image_url"])
            if found:
                return found
    return None
