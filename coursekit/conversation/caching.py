"""The part of a prompt that the API can read from its cache: the exact beginning that it shares
with an earlier one.

Source: OpenAI's guide "Prompt caching", for models before GPT-5.6 (later ones cache in different
steps and bill for cache writes). In all 31 genuine answers from such models with cached
tokens, their number is a multiple of 128 and at least 1,024. Taught in 03 §6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any

from .. import models
from ..tokens import as_dict, message_tokens, tokenize

LEAST = 1024  # tokens: a shorter beginning is not cached
STEP = 128  # tokens: what is cached is cut down to a multiple
OPENING = 3  # tokens of a message before its text: start, role, separator


def cacheable_prefix(
    before: Iterable[Mapping[str, Any]],
    now: Iterable[Mapping[str, Any]],
    model: str | None = None,
) -> int:
    """How many tokens of the prompt ``now`` can be read from the cache, when the prompt ``before``
    was just sent.

    before, now  messages of plain text
    model        both were sent to it; None: ``models.CHAT``

    This is the most there can be: the cache forgets after some minutes, and a request may reach a
    server that never saw the earlier one. Definitions of tools, which precede all messages, must
    also be the same. Raises tokens.NotCountable, tokens.UnknownTokenizer.
    """
    return cacheable(shared_prefix(before, now, model))


def cacheable(shared: int) -> int:
    """How many of ``shared`` tokens at a prompt's beginning the cache can hold: none below 1,024,
    then steps of 128.
    """
    return shared // STEP * STEP if shared >= LEAST else 0


def shared_prefix(
    before: Iterable[Mapping[str, Any]],
    now: Iterable[Mapping[str, Any]],
    model: str | None = None,
) -> int:
    """How many tokens two prompts have in common from their beginning on. Arguments and errors as
    above.
    """
    model = model or models.CHAT
    shared = 0
    for old, new in zip(map(as_dict, before), map(as_dict, now), strict=False):
        if old != new:
            return shared + _shared_part(old, new, model)
        shared += message_tokens(new, model).total
    return shared


def _shared_part(
    old: Mapping[str, Any], new: Mapping[str, Any], model: str
) -> int:
    """The same for the first two messages that differ: what opens them, and the beginning of their
    texts.
    """
    if (old["role"], old.get("name")) != (new["role"], new.get("name")):
        return 0
    texts = (tokenize(_text(message), model) for message in (old, new))
    pairs = takewhile(
        lambda pair: pair[0] == pair[1], zip(*texts, strict=False)
    )
    return OPENING + len(list(pairs))


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)
