"""The messages of a request: the form of each, and whether together they make a conversation.

The API checks the form of all messages first and the conversation last. In the faults of the second
kind it writes paths with a dot before the bracket: "messages.[1].content".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ... import models
from ..exchange import ApiAnswer
from . import refusals
from .form import fault, rules

Message = dict[str, Any]
INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
UNANSWERED = (
    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
    "'tool_call_id'. "
    "The following tool_call_ids did not have response messages: "
)
NO_CALL = (  # the spelling is the API's
    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
    "'tool_calls'."
)
NO_IMAGES = "Invalid content type. image_url is only supported by certain models."
NO_IMAGE = "Invalid MIME type. Only image types are supported."
NULL_CONTENT = "Invalid value for 'content': expected a string, got null."


def form_fault(messages: Any, model: models.Model) -> ApiAnswer | None:
    """The first fault in the form of the messages: types, roles, content parts, tool calls."""
    if found := fault(rules()["parameter"]["messages"], messages, "messages", model):
        return found
    return next(
        filter(
            None,
            (
                _form(message, f"messages[{i}]", model)
                for i, message in enumerate(messages)
            ),
        ),
        None,
    )


def conversation_fault(
    messages: list[Message], model: models.Model
) -> ApiAnswer | None:
    """The first fault among well-formed messages: content that is missing, tool calls without their
    answers, images.
    """
    return (
        _content_fault(messages)
        or _name_fault(messages)
        or _pairing_fault(messages)
        or _image_fault(messages, model)
    )


def parts(message: Message) -> list[dict[str, Any]]:
    """The parts of a well-formed message's content; a bare string is a part of text."""
    content = message.get("content")
    listed = (
        content if isinstance(content, list) else [] if content is None else [content]
    )
    return [
        {"type": "text", "text": part} if isinstance(part, str) else part
        for part in listed
    ]


def texts(messages: list[Message]) -> Iterator[str]:
    """Every text of the messages' contents."""
    return (
        part["text"]
        for message in messages
        for part in parts(message)
        if part["type"] == "text"
    )


def _form(message: Any, where: str, model: models.Model) -> ApiAnswer | None:
    if found := fault(rules()["message"], message, where, model):
        return found
    role, content = message["role"], message.get("content")
    if role in rules() and (found := fault(rules()[role], message, where, model)):
        return found
    for i, part in enumerate(content if isinstance(content, list) else ()):
        path = f"{where}.content[{i}]"
        if found := fault(rules()["part"], part, path, model):
            return found
        if role == "developer" and (
            found := fault(rules()["developer_part"], part, path, model)
        ):
            return found
    return None


def _content_fault(messages: list[Message]) -> ApiAnswer | None:
    for i, message in enumerate(messages):
        if message.get("content") is not None:
            continue
        if message["role"] == "assistant" and any(
            message.get(key) is not None for key in INSTEAD_OF_CONTENT
        ):
            continue
        return refusals.refusal(NULL_CONTENT, param=f"messages.[{i}].content")
    return None


def _name_fault(messages: list[Message]) -> ApiAnswer | None:
    """A result must say what it is the result of."""
    for role, field in (("function", "name"), ("tool", "tool_call_id")):
        for i, message in enumerate(messages):
            if message["role"] == role and message.get(field) is None:
                text = (
                    f"Missing parameter '{field}': messages with role '{role}' must have a "
                    f"'{field}'."
                )
                return refusals.refusal(text, param=f"messages.[{i}].{field}")
    return None


def _pairing_fault(messages: list[Message]) -> ApiAnswer | None:
    asked: Mapping[str, None] | None = (
        None  # the calls of the assistant message that is being answered
    )
    open_calls: list[str] = []
    for i, message in enumerate(messages):
        if message["role"] == "tool":
            answered = message["tool_call_id"]
            if asked is None:
                return refusals.refusal(NO_CALL, param=f"messages.[{i}].role")
            if answered not in asked:
                text = (
                    f"'tool_call_id' of '{answered}' not found in 'tool_calls' of previous "
                    "message."
                )
                return refusals.refusal(
                    f"Invalid parameter: {text}", param=f"messages.[{i}].tool_call_id"
                )
            open_calls = [call for call in open_calls if call != answered]
            continue
        if open_calls:
            return refusals.refusal(
                UNANSWERED + ", ".join(open_calls), param=f"messages.[{i}].role"
            )
        calls = message.get("tool_calls") if message["role"] == "assistant" else None
        asked = dict.fromkeys(call["id"] for call in calls) if calls else None
        open_calls = list(asked or ())
    return (
        refusals.refusal(UNANSWERED + ", ".join(open_calls), param="messages")
        if open_calls
        else None
    )


def _image_fault(messages: list[Message], model: models.Model) -> ApiAnswer | None:
    """An image for a model that reads none, or one that is not what it says. The network is never
    asked.
    """
    for i, message in enumerate(messages):
        for j, part in enumerate(parts(message)):
            if part["type"] != "image_url":
                continue
            if not model.image_input:
                return refusals.refusal(
                    NO_IMAGES, param=f"messages.[{i}].content.[{j}].type"
                )
            image = part["image_url"]
            url = image if isinstance(image, str) else image["url"]
            if (kind := re.match(r"data:([^;,]*)", url)) and not kind[1].startswith(
                "image/"
            ):
                return refusals.refusal(NO_IMAGE, code="invalid_image_format")
    return None
