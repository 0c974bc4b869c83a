"""Checks for chapter 02: penalties, temperature, the nucleus, log-probabilities, and what a model
accepts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ... import models
from ..engine import Case, Chapter, call

SOUL = {" soul": 12.4, " so": 1.5, " saint": 4.0, ",": 7.25}
LOOP = (" soul", ",", " soul", ",", " soul")

chapter = Chapter(__file__)


@chapter.exercise
def apply_penalties(
    expects: dict[str, float],
    reply: Sequence[str] = LOOP,
    logits: Mapping[str, float] = SOUL,
    why: str = "",
    **penalties: Any,
) -> Case:
    """The logits after the penalties for the tokens in the reply so far."""
    return call(
        dict(logits),
        list(reply),
        expects=expects,
        why=why,
        new=True,
        **penalties,
    )


@chapter.exercise
def softmax_t(
    logits: list[float], temperature: float, expects: Any, why: str = ""
) -> Case:
    """The probabilities for logits at a temperature."""
    return call(logits, temperature, expects=expects, why=why)


@chapter.exercise
def confident(
    threshold: float,
    expects: Any,
    shares: list[float] | None = None,
    others: Sequence[float] = (),
    requested: bool = True,
    why: str = "",
) -> Case:
    """Whether the model was certain of every token in a reply."""
    text = f"(logprobs of tokens with the probabilities {shares}, {threshold})"
    return call(
        logprobs(shares, others) if requested else None,
        threshold,
        expects=expects,
        why=why,
        text=text if shares else None,
    )


@chapter.exercise
def top_p_filter(
    probabilities: list[float],
    top_p: float,
    expects: list[float],
    why: str = "",
) -> Case:
    """The nucleus of a distribution, as a distribution."""
    return call(probabilities, top_p, expects=expects, why=why)


@chapter.exercise
def sanitize_params(
    model: str, params: Mapping[str, Any], expects: Any = None, why: str = ""
) -> Case:
    """The parameters that a model accepts, and the names of those that it does not accept."""
    expected = expects or sanitized(model, params)
    return call(model, params, expects=expected, why=why)


def sanitized(
    model: str, params: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return what ``sanitize_params`` must return, computed from the facts in models.toml."""
    renamed = dict(params)
    if "max_tokens" in renamed and "max_completion_tokens" not in renamed:
        renamed["max_completion_tokens"] = renamed.pop("max_tokens")
    facts, effort = models.get(model), params.get("reasoning_effort")
    accepted = {
        name: value
        for name, value in renamed.items()
        if name != "max_tokens" and facts.takes(name, effort) == "yes"
    }
    if "logprobs" not in accepted:
        accepted.pop("top_logprobs", None)
    return accepted, sorted(renamed.keys() - accepted)


def logprobs(shares: list[float] | None, others: Sequence[float]) -> Any:
    """Return ``reply.choices[0].logprobs`` with tokens that have these probabilities; ``others``
    are the alternatives for each. With None, the content is None.
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
    content = [
        {**entry(number, share), "top_logprobs": rivals}
        for number, share in enumerate(shares)
    ]
    return ChoiceLogprobs.model_validate({"content": content, "refusal": None})
