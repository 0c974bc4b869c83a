"""What a model takes of some parameters, and made-up log-probabilities: for the cases of chapter
02.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import models


def sanitized(
    model: str, params: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """What is kept of the parameters, and the names of what is dropped."""
    wanted, dropped = dict(params), set()
    if "max_tokens" in wanted:
        limit = wanted.pop("max_tokens")
        if "max_completion_tokens" in wanted:
            dropped.add("max_tokens")
        wanted.setdefault("max_completion_tokens", limit)
    effort = params.get("reasoning_effort")
    kept = {
        name: value
        for name, value in wanted.items()
        if models.get(model).takes(name, effort) == "yes"
    }
    if "logprobs" not in kept:
        kept.pop("top_logprobs", None)
    return kept, sorted(dropped | (set(wanted) - set(kept)))


def logprobs(shares: Sequence[float] | None, others: Sequence[float] = ()) -> Any:
    """``reply.choices[0].logprobs`` with tokens of these probabilities; ``others`` are alternatives
    of each.
    """
    from openai.types.chat.chat_completion import ChoiceLogprobs

    def entry(number: int, share: float) -> dict[str, Any]:
        return {"token": f"t{number}", "bytes": None, "logprob": math.log(share)}

    if shares is None:
        return ChoiceLogprobs(content=None, refusal=None)
    rivals = [entry(100 + number, share) for number, share in enumerate(others)]
    written = [
        {**entry(number, share), "top_logprobs": rivals}
        for number, share in enumerate(shares)
    ]
    return ChoiceLogprobs.model_validate({"content": written, "refusal": None})
