"""Checks of chapter 02: penalties, temperature, the nucleus, log-probabilities, and what a model
accepts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from ...sampling import nucleus
from ..engine import Case, Chapter, Raises, call
from .cases import logprobs, sanitized

SOUL = {" soul": 12.4, " so": 1.5, " saint": 4.0, ",": 7.25}
LOOP = (" soul", ",", " soul", ",", " soul")
WISHES = {
    "temperature": 0.3,
    "top_p": 0.9,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 3,
    "stop": ["."],
    "max_tokens": 99,
    "max_completion_tokens": 400,
    "n": 2,
    "seed": 5,
    "reasoning_effort": "low",
}
MODELS = (
    "gpt-4o-2024-08-06",
    "gpt-4.1",
    "o1",
    "o3",
    "o3-mini",
    "gpt-5",
    "gpt-5.4",
    "gpt-5.6-terra",
    "gpt-6-luna",
)

chapter = Chapter(__file__)


@chapter.plain
def apply_penalties(
    reply: Sequence[str] = LOOP,
    logits: Mapping[str, float] = SOUL,
    why: str = "",
    **penalties: Any,
) -> Case:
    """The logits after the penalties for what the reply has so far."""
    frequency, presence = (
        penalties.get("frequency_penalty", 0),
        penalties.get("presence_penalty", 0),
    )
    expected = {
        token: logit
        - reply.count(token) * frequency
        - (token in reply) * presence
        for token, logit in logits.items()
    }
    return call(
        dict(logits),
        list(reply),
        expects=expected,
        why=why,
        new=True,
        **penalties,
    )


@chapter.exercise
def softmax_t(rng: Random) -> Iterator[Case]:
    """Logits as probabilities, at a temperature."""

    def case(
        logits: Sequence[float], temperature: float, why: str = ""
    ) -> Case:
        top = max(logits)
        weights = [
            (
                math.exp((logit - top) / temperature)
                if temperature
                else float(logit == top)
            )
            for logit in logits
        ]
        return call(
            logits,
            temperature,
            expects=[weight / sum(weights) for weight in weights],
            why=why,
        )

    yield from chapter.each("softmax_t", case)
    yield call(
        [1.0, 2.0],
        -0.5,
        expects=Raises(ValueError),
        why="There is no temperature below 0.",
    )


@chapter.exercise
def confident(rng: Random) -> Iterator[Case]:
    """Whether the model was certain of each token of a reply."""

    def case(
        shares: Sequence[float],
        threshold: float,
        why: str = "",
        others: Sequence[float] = (),
    ) -> Case:
        text = f"(logprobs of tokens with the probabilities {list(shares)}, {threshold})"
        expected = all(share >= threshold for share in shares)
        return call(
            logprobs(shares, others),
            threshold,
            expects=expected,
            why=why,
            text=text,
        )

    yield from chapter.each("confident", case)
    for none in (None, logprobs(None), logprobs([])):
        why = (
            "Without logprobs you cannot know. Raise the error: True or False would be"
            " a guess."
        )
        yield call(
            none, 0.5, expects=Raises(ValueError, ("logprobs",)), why=why
        )


@chapter.plain
def top_p_filter(
    probabilities: Sequence[float], top_p: float, why: str = ""
) -> Case:
    """The nucleus of a distribution, as a distribution."""
    shares = [
        share if inside else 0.0
        for share, inside in zip(
            probabilities, nucleus(probabilities, top_p), strict=True
        )
    ]
    return call(
        probabilities,
        top_p,
        expects=[share / sum(shares) for share in shares],
        why=why,
    )


@chapter.exercise
def sanitize_params(rng: Random) -> Iterator[Case]:
    """The parameters that a model accepts, and the names of those that it does not."""

    def case(model: str, params: Mapping[str, Any], why: str = "") -> Case:
        return call(model, params, expects=sanitized(model, params), why=why)

    yield from chapter.each("sanitize_params", case)
    nothing = {"seed": 0, "temperature": 0, "stop": None, "max_tokens": None}
    yield case(
        "gpt-4o",
        nothing,
        "0 and None are values like any other: only the names decide.",
    )
    unknown = Raises(LookupError, ("gpt-5o",))
    yield call(
        "gpt-5o",
        {"seed": 1},
        expects=unknown,
        why="models.get() raises the error: let it propagate.",
    )
    for model in rng.sample(MODELS, 5):
        yield case(model, dict(rng.sample(list(WISHES.items()), 8)))
