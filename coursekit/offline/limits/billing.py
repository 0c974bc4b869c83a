"""What an answer costs: by the usage it reports, or, without one, by the tokens of its text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..event_stream import objects_of
from ..exchange import ApiAnswer
from .estimate import estimated_tokens

if TYPE_CHECKING:
    from ...pricing import Usage


def cost(answer: ApiAnswer, body: Mapping[str, Any]) -> Decimal:
    """The price of the answer to a request's ``body`` on the day it was made, in dollars; 0 if
    it has no price.
    """
    return bill_of(answer, body)[1]


def bill_of(
    answer: ApiAnswer, body: Mapping[str, Any]
) -> tuple[Usage, Decimal]:
    """The tokens of an answer, and its price: see ``cost``."""
    from ...pricing import Usage, day_of, price_of, usage_of

    parts = list(objects_of(answer))
    usage = _first(parts, "usage") or _counted_usage(parts, body)
    on = day_of({"created": _first(parts, "created")})
    try:
        return usage_of(usage), price_of(
            usage, str(body.get("model", "")), on
        ).total
    except LookupError:
        return usage_of(usage), Decimal(0)
    except (ValueError, TypeError):
        return Usage(0, 0), Decimal(0)


def _first(parts: list[dict[str, Any]], name: str) -> Any:
    """The first value of this name that says something."""
    return next((part[name] for part in parts if part.get(name)), None)


def _counted_usage(
    parts: list[dict[str, Any]], body: Mapping[str, Any]
) -> dict[str, int]:
    """The usage of a stream that was not asked to report it: it is billed anyway."""
    texts = []
    for part in parts:
        for choice in part.get("choices", ()):
            texts.append(choice.get("delta", {}).get("content") or "")
    prompt = _count(body.get("messages"), body) or estimated_tokens(body)
    # Where they cannot be counted: the API sends about one token per chunk.
    completion = _count("".join(texts), body) or sum(map(bool, texts))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _count(what: Any, body: Mapping[str, Any]) -> int:
    """The tokens of a string or of messages; 0 if they cannot be counted."""
    from ...tokens import count_tokens

    try:
        return count_tokens(what, str(body.get("model", "")))
    except (ValueError, TypeError, LookupError):
        return 0
