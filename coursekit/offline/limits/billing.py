"""What an answer costs: the usage it tells, or, of a stream that tells none, the tokens of its
text.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..event_stream import objects_of
from ..exchange import ApiAnswer
from .estimate import estimated_tokens

if TYPE_CHECKING:
    from ...pricing import Usage


def cost(answer: ApiAnswer, body: Mapping[str, Any]) -> Decimal:
    """The price of the answer to a request's ``body`` on the day it was made, in dollars; 0 where
    none is known.
    """
    return bill_of(answer, body)[1]


def bill_of(answer: ApiAnswer, body: Mapping[str, Any]) -> tuple[Usage, Decimal]:
    """The tokens of an answer, and its price: see ``cost``."""
    from ...pricing import Usage, price_of, usage_of

    told = list(objects_of(answer))
    usage = next(
        (part["usage"] for part in told if part.get("usage")), None
    ) or _counted_usage(told, body)
    created = next(
        (part["created"] for part in told if isinstance(part.get("created"), int)), None
    )
    on = (
        datetime.datetime.fromtimestamp(created, datetime.UTC).date()
        if created
        else None
    )
    try:
        return usage_of(usage), price_of(usage, str(body.get("model", "")), on).total
    except LookupError:
        return usage_of(usage), Decimal(0)
    except (ValueError, TypeError):
        return Usage(0, 0), Decimal(0)


def _counted_usage(
    told: list[dict[str, Any]], body: Mapping[str, Any]
) -> dict[str, int]:
    """The usage of a stream that was not asked to tell it: it is billed all the same."""
    deltas = [
        choice.get("delta", {}).get("content")
        for part in told
        for choice in part.get("choices", ())
    ]
    texts = [text for text in deltas if text]
    prompt = _count(body.get("messages"), body) or estimated_tokens(body)
    completion = _count("".join(texts), body) or len(
        texts
    )  # the API sends about one token a chunk
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _count(what: Any, body: Mapping[str, Any]) -> int:
    """The tokens of a text or of messages, 0 where they cannot be counted."""
    from ...tokens import count_tokens

    try:
        return count_tokens(what, str(body.get("model", "")))
    except (ValueError, TypeError, LookupError):
        return 0
