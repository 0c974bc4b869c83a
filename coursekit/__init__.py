"""The helper package of the course: a real OpenAI client that works offline, and the tools that the
chapters use with it.

Everything public is listed here. Each name is imported on first use, so that ``import coursekit``
costs next to nothing; charts and widgets are modules that a notebook imports by name.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if sys.platform == "emscripten":
    # Importing it loads numpy and other large packages.
    from .foundation import platform as platform

if TYPE_CHECKING:
    from .batching import (
        CheckpointError,
        NotSent,
        Unanswered,
        batch_completions,
        run_batch,
    )
    from .classroom import join, leave, lower_hand, raise_hand
    from .client import connect, connect_async
    from .conversation import (
        AsyncConversation,
        Conversation,
        SlidingWindow,
        Summarize,
        TokenBudget,
        chat_session,
    )
    from .metering import Meter
    from .offline.miss import RecordingNotFound
    from .pricing import Price, price_of
    from .retrying import UnusableReply, robust_completion
    from .streaming import IncompleteStream, stream_response, stream_text
    from .tokens import count_tokens

_HOME = {
    "join": "classroom",
    "leave": "classroom",
    "lower_hand": "classroom",
    "raise_hand": "classroom",
    "connect": "client",
    "connect_async": "client",
    "RecordingNotFound": "offline.miss",
    "count_tokens": "tokens",
    "price_of": "pricing",
    "Price": "pricing",
    "Meter": "metering",
    "Conversation": "conversation",
    "AsyncConversation": "conversation",
    "SlidingWindow": "conversation",
    "TokenBudget": "conversation",
    "Summarize": "conversation",
    "chat_session": "conversation",
    "robust_completion": "retrying",
    "UnusableReply": "retrying",
    "run_batch": "batching",
    "batch_completions": "batching",
    "CheckpointError": "batching",
    "NotSent": "batching",
    "Unanswered": "batching",
    "stream_text": "streaming",
    "stream_response": "streaming",
    "IncompleteStream": "streaming",
}
__all__ = [
    "AsyncConversation",
    "CheckpointError",
    "Conversation",
    "IncompleteStream",
    "Meter",
    "NotSent",
    "Price",
    "RecordingNotFound",
    "SlidingWindow",
    "Summarize",
    "TokenBudget",
    "Unanswered",
    "UnusableReply",
    "batch_completions",
    "chat_session",
    "connect",
    "connect_async",
    "count_tokens",
    "join",
    "leave",
    "lower_hand",
    "price_of",
    "raise_hand",
    "robust_completion",
    "run_batch",
    "stream_response",
    "stream_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'coursekit' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
