"""Prompts and replies that are too long for the model."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ... import models
from ...tokens import count_tokens
from ..exchange import ApiAnswer
from .messages import Message, texts
from .refusals import refuse, shown

BYTES_PER_CHARACTER = 4  # at most, in UTF-8
OVERHEAD = 8  # more tokens than any message has besides its text


def length_fault(body: dict[str, Any], model: models.Model) -> ApiAnswer | None:
    """A limit above what the model can write, or a prompt above what it can read."""
    most = body.get("max_completion_tokens")
    most = body.get("max_tokens") if most is None else most
    if most is not None and model.output is not None and most > model.output:
        return refuse("many_tokens", asked=shown(most), limit=model.output)
    limit = model.input or model.context
    if limit is None:
        return None
    reply = 0 if model.input else most or 0
    functions = function_tokens(body, model.name)
    messages = prompt_tokens(
        body["messages"], model.name, limit - reply - functions
    )
    if messages == 0 or messages + functions + reply <= limit:
        return None
    return _too_long(model, limit, messages, functions, reply)


def prompt_tokens(messages: list[Message], model: str, limit: float) -> int:
    """The prompt's tokens, counted where they may exceed the limit; 0 where they cannot, or
    cannot be counted.
    """
    text = "".join(texts(messages))
    room = limit - OVERHEAD * len(messages)  # for texts, a token a byte at most
    if len(text) * BYTES_PER_CHARACTER <= room:
        return 0
    if len(text.encode("utf-8", "surrogatepass")) <= room:
        return 0
    plain = tuple(
        (_counted(message["role"]), "".join(texts([message])))
        for message in messages
    )
    return _count(plain, model)


# Each layer that asks whether a request is accepted counts its prompt.
@lru_cache(maxsize=2)
def _count(messages: tuple[tuple[str, str], ...], model: str) -> int:
    plain = [{"role": role, "content": text} for role, text in messages]
    try:
        return count_tokens(plain, model=model)
    except ValueError:  # this model's way of counting is not known
        return 0


def function_tokens(body: dict[str, Any], model: str) -> int:
    """About what the functions add to the prompt: their definitions as JSON.

    The exact rule is not known.
    """
    tools = body.get("tools") or ()
    functions = [tool["function"] for tool in tools if tool.get("function")]
    functions += body.get("functions") or []
    if not functions:
        return 0
    try:
        return count_tokens(
            json.dumps(functions, separators=(",", ":")), model=model
        )
    except ValueError:
        return 0


def _counted(role: str) -> str:
    return "user" if role in ("tool", "function") else role


def _too_long(
    model: models.Model, limit: int, messages: int, functions: int, reply: int
) -> ApiAnswer:
    prompt = messages + functions
    if model.input:
        return refuse("long_input", limit=limit, prompt=prompt)
    shares = [f"{messages} in the messages"]
    if functions:
        shares.append(f"{functions} in the functions")
    if prompt > limit:
        named = f" ({', '.join(shares)})" if functions else ""
        cure = "messages or functions" if functions else "messages"
        return refuse(
            "long_prompt", limit=limit, prompt=prompt, shares=named, cure=cure
        )
    shares.append(f"{'and ' if functions else ''}{reply} in the completion")
    cure = (
        "messages, functions, or completion"
        if functions
        else "messages or completion"
    )
    return refuse(
        "long_request",
        limit=limit,
        total=prompt + reply,
        shares=", ".join(shares),
        cure=cure,
    )
