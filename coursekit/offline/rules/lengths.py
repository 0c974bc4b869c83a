"""Prompts and replies that are too long for the model."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from ...models import Model
from ...tokens import count_tokens
from ..exchange import Json
from .messages import texts
from .refusals import Refused, shown

BYTES_PER_CHARACTER = 4  # at most, in UTF-8
OVERHEAD = 8  # more tokens than any message has besides its text


def check_lengths(body: Json, model: Model) -> None:
    """Refuses a limit above what the model can write, or a prompt above what it can read."""
    most = body.get("max_completion_tokens")
    most = body.get("max_tokens") if most is None else most
    if most is not None and model.output is not None and most > model.output:
        raise Refused("many_tokens", asked=shown(most), limit=model.output)
    limit = model.input or model.context
    if limit is None:
        return
    reply = 0 if model.input else most or 0
    functions = function_tokens(body, model.name)
    messages = prompt_tokens(
        body["messages"], model.name, limit - reply - functions
    )
    prompt = messages + functions
    if messages == 0 or prompt + reply <= limit:
        return
    kind = "long_prompt" if prompt > limit else "long_request"
    if model.input:
        kind = "long_input"
    elif functions:
        kind += "_with_functions"
    raise Refused(
        kind,
        limit=limit,
        prompt=prompt,
        total=prompt + reply,
        messages=messages,
        functions=functions,
        reply=reply,
    )


def prompt_tokens(messages: list[Json], model: str, limit: float) -> int:
    """The prompt's tokens, counted if they may exceed the limit; 0 if they cannot, or if they
    cannot be counted.
    """
    text = "".join(texts(messages))
    room = limit - OVERHEAD * len(
        messages
    )  # for texts; a token has at least a byte
    if len(text) * BYTES_PER_CHARACTER <= room:
        return 0
    if len(text.encode("utf-8", "surrogatepass")) <= room:
        return 0
    plain = []
    for message in messages:
        role = message["role"]
        counted = "user" if role in ("tool", "function") else role
        plain.append((counted, "".join(texts([message]))))
    return _count(tuple(plain), model)


# Cached, because each layer that asks whether a request is accepted counts its prompt.
@lru_cache(maxsize=2)
def _count(messages: tuple[tuple[str, str], ...], model: str) -> int:
    plain = [{"role": role, "content": text} for role, text in messages]
    return _counted(plain, model)


def function_tokens(body: Json, model: str) -> int:
    """Roughly the tokens that functions add to the prompt: those of their definitions as JSON.

    The exact rule is unknown.
    """
    tools = body.get("tools") or ()
    functions = [tool["function"] for tool in tools if tool.get("function")]
    functions += body.get("functions") or []
    if not functions:
        return 0
    return _counted(json.dumps(functions, separators=(",", ":")), model)


def _counted(prompt: Any, model: str) -> int:
    try:
        return count_tokens(prompt, model=model)
    except ValueError:  # it is not known how this model counts
        return 0
