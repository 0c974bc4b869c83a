"""Conversations of several turns, and what a model is reminded of.

    turns.py     what was said            memory.py   what is sent of it
    call.py      one request              talk.py     Conversation and its async twin
    storage.py   JSON lines on disk       terminal.py the loop of many tutorials
    caching.py   what the cache can hold  forecasting.py  what will be sent, before it is

Nothing here imports the SDK: a client is whatever has ``chat.completions.create``.

Taught in 03 §3 and §5.
"""

from .caching import cacheable_prefix
from .call import Call, NoReply
from .forecasting import Sizes, forecast, prompt_tokens, spent
from .memory import (
    BudgetTooSmall,
    Everything,
    Memory,
    SlidingWindow,
    Summarize,
    TokenBudget,
    trimmed,
)
from .storage import DamagedConversation
from .talk import AsyncConversation, Conversation
from .terminal import chat_session
from .turns import History, Message, Turn

__all__ = [
    "AsyncConversation",
    "BudgetTooSmall",
    "Call",
    "Conversation",
    "DamagedConversation",
    "Everything",
    "History",
    "Memory",
    "Message",
    "NoReply",
    "Sizes",
    "SlidingWindow",
    "Summarize",
    "TokenBudget",
    "Turn",
    "cacheable_prefix",
    "chat_session",
    "forecast",
    "prompt_tokens",
    "spent",
    "trimmed",
]
