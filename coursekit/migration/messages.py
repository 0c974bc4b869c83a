"""Adapts messages to a model that does not support all of their roles or content types."""

from __future__ import annotations

import json

from ..offline.exchange import Json, JsonDict, texts_of
from .changes import Draft, plain


def messages(draft: Draft) -> None:
    """Replace roles and content that the other model does not accept with user text."""
    given = draft.params.get("messages")
    if not isinstance(given, list | tuple):
        return
    messages = [plain(message) for message in given]
    target, before = draft.target, len(draft.changes)
    for i, message in enumerate(messages):
        role, calls = message["role"], message.get("tool_calls")
        if role not in target.roles:
            messages[i] = _as_user(message)
            reason = f"{draft.name} accepts {', '.join(target.roles)}"
            draft.note("changed", f"messages[{i}].role", role, "user", reason)
        elif calls and "tool" not in target.roles:
            texts = [*texts_of(message.get("content")), json.dumps(calls)]
            messages[i] = {"role": role, "content": " ".join(texts).strip()}
            where = f"messages[{i}].tool_calls"
            draft.note("changed", where, calls, "text", "its results are text")
        content = messages[i].get("content")
        if target.audio_input or not isinstance(content, list):
            continue
        left = [part for part in content if part.get("type") != "input_audio"]
        if left != content:
            left_out = left or "(audio left out)"
            messages[i] = {**messages[i], "content": left_out}
            reason = f"{draft.name} does not accept audio"
            where = f"messages[{i}].content"
            draft.note("dropped", where, "audio", None, reason)
    if len(draft.changes) > before:
        draft.params["messages"] = messages


def _as_user(message: Json) -> JsonDict:
    moved = {"role": "user", "content": message.get("content") or ""}
    if message.get("name") and message["role"] not in ("function", "tool"):
        moved["name"] = message["name"]
    return moved
