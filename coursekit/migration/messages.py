"""Messages for a model that does not know all of their roles or contents."""

from __future__ import annotations

import json

from ..offline.exchange import Json, JsonDict
from .changes import Change, Draft, plain


def messages(draft: Draft) -> None:
    """Roles and content that the other model has no use for, as text of the user."""
    if not isinstance(draft.params.get("messages"), list | tuple):
        return
    messages = [plain(message) for message in draft.params["messages"]]
    for i, message in enumerate(messages):
        role = message["role"]
        if role not in draft.target.roles:
            messages[i] = _as_user(message)
            reason = f"{draft.name} takes {', '.join(draft.target.roles)}"
            draft.changes.append(
                Change("changed", f"messages[{i}].role", role, "user", reason)
            )
        elif message.get("tool_calls") and "tool" not in draft.target.roles:
            messages[i] = {
                "role": role,
                "content": (
                    _text(message) + " " + json.dumps(message["tool_calls"])
                ).strip(),
            }
            draft.changes.append(
                Change(
                    "changed",
                    f"messages[{i}].tool_calls",
                    message["tool_calls"],
                    "text",
                    "as its results are",
                )
            )
        if not draft.target.audio_input and (
            heard := _without_audio(messages[i])
        ):
            messages[i] = heard
            draft.changes.append(
                Change(
                    "dropped",
                    f"messages[{i}].content",
                    "audio",
                    None,
                    f"{draft.name} is deaf",
                )
            )
    if messages != [plain(message) for message in draft.params["messages"]]:
        draft.params["messages"] = messages


def _as_user(message: Json) -> JsonDict:
    named = (
        {"name": message["name"]}
        if message.get("name") and message["role"] not in ("function", "tool")
        else {}
    )
    return {"role": "user", "content": message.get("content") or "", **named}


def _text(message: Json) -> str:
    content = message.get("content") or ""
    return (
        content
        if isinstance(content, str)
        else " ".join(part.get("text", "") for part in content)
    )


def _without_audio(message: Json) -> JsonDict | None:
    """The message without its audio parts; None if it has none."""
    content = message.get("content")
    if not isinstance(content, list) or all(
        part.get("type") != "input_audio" for part in content
    ):
        return None
    left = [part for part in content if part.get("type") != "input_audio"]
    return {**message, "content": left or "(audio left out)"}
