"""A chat's appearance: pure functions from messages to HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from ..foundation.palette import BLUE, GRAY, GREEN, RED
from .safe_html import markdown, plain

WHO = {
    "user": "You",
    "assistant": "Assistant",
    "tool": "Tool",
    "system": "Instructions",
    "developer": "Instructions",
}
STYLE = f"""<style>
.coursekit-chat {{ line-height: 1.45; overflow-wrap: anywhere; }}
.coursekit-chat .message {{
  margin: 4px 0; padding: 4px 10px; border-left: 3px solid {GRAY}; unicode-bidi: isolate;
}}
.coursekit-chat .user {{ border-left-color: {BLUE}; }}
.coursekit-chat .assistant {{ border-left-color: {GREEN}; }}
.coursekit-chat .problem {{
  border-left: 3px double {RED}; padding: 4px 10px; white-space: pre-wrap;
}}
.coursekit-chat .receipt {{ font-family: monospace; font-size: 12px; padding-left: 13px; }}
.coursekit-chat a {{ text-decoration: underline; }}
.coursekit-chat p, .coursekit-chat ul, .coursekit-chat ol, .coursekit-chat pre {{ margin: 4px 0; }}
.coursekit-chat pre {{ padding: 6px; border: 1px solid {GRAY}; overflow-x: auto; }}
.coursekit-chat table {{ border-collapse: collapse; }}
.coursekit-chat td, .coursekit-chat th {{ border: 1px solid {GRAY}; padding: 1px 8px; }}
</style>"""


def transcript(turns: Iterable[str]) -> str:
    """Return a chat: turns from ``turn()``, one below the other."""
    return f'<div class="coursekit-chat">{STYLE}{"".join(turns)}</div>'


def turn(
    messages: Iterable[Mapping[str, Any]],
    receipts: Iterable[str] = (),
    problem: str = "",
) -> str:
    """Return one turn: its messages, its cost, and any error, all escaped or rendered safely."""
    shown = "".join(map(_message, messages))
    for line in receipts:
        shown += f'<div class="receipt">{escape(line)}</div>'
    if problem:
        shown += f'<div class="problem" role="alert">{escape(problem)}</div>'
    return shown


def _message(message: Mapping[str, Any]) -> str:
    role = str(message.get("role"))
    text = said(message)
    shown = markdown(text) if role == "assistant" else plain(text)
    kind = role if role in WHO else "other"
    return (
        f'<div class="message {kind}" dir="auto"><b '
        f'dir="ltr">{escape(WHO.get(role, role))}</b>{shown}</div>'
    )


def said(message: Mapping[str, Any]) -> str:
    """Return a message's text; for any other content, a word in brackets that says what it is."""
    content = message.get("content")
    parts: Any = content
    if not isinstance(content, list):
        parts = [{"text": content or ""}]
    texts = [str(part.get("text", f"[{part.get('type')}]")) for part in parts]
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        texts.append(
            f"[calls {function.get('name')} with {function.get('arguments')}]"
        )
    return "\n".join(text for text in texts if text)
