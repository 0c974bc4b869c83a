"""What the cases of chapter 02 share: which parameters a model accepts, and made-up
log-probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ... import models


def sanitized(
    model: str, params: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """What ``sanitize_params`` must return."""
    renamed = dict(params)
    if "max_tokens" in renamed and "max_completion_tokens" not in renamed:
        renamed["max_completion_tokens"] = renamed.pop("max_tokens")
    facts, effort = models.get(model), params.get("reasoning_effort")
    kept = {name for name in renamed if facts.takes(name, effort) == "yes"} - {
        "max_tokens"
    }
    if "logprobs" not in kept:
        kept.discard("top_logprobs")
    return {name: renamed[name] for name in renamed if name in kept}, sorted(
        renamed.keys() - kept
    )


def logprobs(
    shares: Sequence[float] | None, others: Sequence[float] = ()
) -> Any:
    """``reply.choices[0].logprobs`` with tokens of these probabilities; ``others`` are alternatives
    of each.
    """
    from openai.types.chat.chat_completion import ChoiceLogprobs

    def entry(number: int, share: float) -> dict[str, Any]:
        return {
            "token": f"t{number}",
            "bytes": None,
            "logprob": math.log(share),
        }

    if shares is None:
        return ChoiceLogprobs(content=None, refusal=None)
    rivals = [entry(100 + number, share) for number, share in enumerate(others)]
    written = [
        {**entry(number, share), "top_logprobs": rivals}
        for number, share in enumerate(shares)
    ]
    return ChoiceLogprobs.model_validate({"content": written, "refusal": None})
