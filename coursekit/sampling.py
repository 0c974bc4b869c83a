"""From a model's logits to its next token: penalties, temperature, top_p, and a random draw, as
exact arithmetic in numpy.

    logits -> penalize -> scale -> softmax -> nucleus -> probabilities -> sample

The parameters have the API's names, ranges, and meanings. The formula for the penalties is OpenAI's
("Frequency and presence penalties" in its text generation guide); it counts *sampled* tokens: those
in the reply so far, not those in the prompt. Temperature is applied before top_p, which is the
usual order (also Hugging Face's), although OpenAI does not document it. Not covered are logit_bias
(add it to the logits), and top_k and min_p, which the API does not have.

A distribution is an array over the vocabulary, in any order. Logits are defined up to a constant:
adding the same number to all of them changes nothing. Log-probabilities are therefore logits too.
Taught in 02 §1 to §4.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}


def check_ranges(**parameters: float) -> None:
    """Refuse the values that the API refuses, with the API's messages.

    parameters  any of temperature (0 to 2), top_p (0 to 1), frequency_penalty, and presence_penalty
                (-2 to 2)

    Raises ValueError for a number out of range, and TypeError for anything but a number.
    """
    for name, value in parameters.items():
        low, high = RANGES[name]
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError(
                f"Invalid type for '{name}': expected a decimal, but got {_json_type(value)} "
                "instead."
            )
        if np.isnan(value):
            raise ValueError(
                f"Invalid '{name}': nan is not a number. Expected a value >= {low} and <= {high}."
            )
        if not low <= value <= high:
            side, bound = "below minimum", f">= {low}"
            if value > high:
                side, bound = "above maximum", f"<= {high}"
            raise ValueError(
                f"Invalid '{name}': decimal {side} value. Expected a value {bound}, but got "
                f"{value} instead."
            )


def penalty(
    counts: npt.ArrayLike,
    *,
    frequency_penalty: float = 0.0,
    presence_penalty: float = 0.0,
) -> Floats:
    """Return what is subtracted from a token's logit: count * frequency_penalty + (presence_penalty
    if count > 0).

    counts  how often each token is in the reply so far (whole numbers >= 0, any shape)

    The array has the same shape as ``counts``. As a function of the count, the penalty is a step at
    1 plus a straight line.
    """
    check_ranges(
        frequency_penalty=frequency_penalty, presence_penalty=presence_penalty
    )
    seen = np.asarray(counts, dtype=np.float64)
    if not np.all((seen >= 0) & (seen == np.floor(seen))):
        raise ValueError(
            "counts say how often each token has been sampled: give whole numbers, 0 or more."
        )
    return np.asarray(seen * frequency_penalty + (seen > 0) * presence_penalty)


def penalize(
    logits: npt.ArrayLike, counts: npt.ArrayLike, **penalties: float
) -> Floats:
    """Return the logits minus the penalties; tokens that have not been sampled (count 0) keep their
    logits.

    logits, counts  arrays of the same length: one entry per token of the vocabulary
    penalties       as ``penalty()`` takes them
    """
    checked, less = _logits(logits), penalty(counts, **penalties)
    if less.shape != checked.shape:
        raise ValueError(
            f"There are {checked.size} logits and {less.size} counts: give one count per logit."
        )
    return np.asarray(checked - less)


def scale(logits: npt.ArrayLike, temperature: float) -> Floats:
    """Return (logits - the largest) / temperature. The results are logits again, and the largest is
    0.

    At temperature 0, the limit is returned: 0 for the largest, minus infinity for the rest. Tokens
    that tie for the largest logit then share the probability equally.
    """
    check_ranges(temperature=temperature)
    below = _logits(logits)
    below = below - below.max()
    if temperature == 0:
        return np.where(below == 0, 0.0, -np.inf)
    # a tiny temperature sends all but the largest to minus infinity, which is the limit
    with np.errstate(over="ignore"):
        return np.asarray(below / temperature)


def softmax(logits: npt.ArrayLike) -> Floats:
    """Return probabilities that are proportional to exp(logit) and add up to 1."""
    checked = _logits(logits)
    # exp() of a large logit overflows; subtracting the largest does not change any ratio
    weights = np.exp(checked - checked.max())
    return np.asarray(weights / weights.sum())


def nucleus(
    probabilities: npt.ArrayLike, top_p: float
) -> npt.NDArray[np.bool_]:
    """Return which tokens top_p keeps: the smallest set of most probable tokens whose probabilities
    add up to at least top_p.

    The most probable token is always kept, so top_p=0 is top-1. Of two tokens with equal
    probability, the one that is earlier in the vocabulary is kept first. Source: Holtzman et al.,
    "The Curious Case of Neural Text Degeneration" (2020).

    Returns a mask with the shape of ``probabilities``.
    """
    check_ranges(top_p=top_p)
    mass = _probabilities(probabilities)
    order = np.argsort(-mass, kind="stable")
    # A token is needed as long as the more probable ones do not add up to top_p without it.
    before = np.concatenate(([0.0], np.cumsum(mass[order])[:-1]))
    keep = np.zeros(mass.shape, dtype=bool)
    # at 1, all are kept, however the sum was rounded
    keep[order] = (before < top_p) if top_p < 1 else True
    keep[order[0]] = True
    return keep & (mass > 0)


def nucleus_size(probabilities: npt.ArrayLike, top_p: float) -> int:
    """Return how many tokens top_p keeps."""
    return int(np.count_nonzero(nucleus(probabilities, top_p)))


def probabilities(
    logits: npt.ArrayLike,
    counts: npt.ArrayLike | None = None,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    frequency_penalty: float = 0.0,
    presence_penalty: float = 0.0,
) -> Floats:
    """Return the probability that each token is the next one, under the API's sampling parameters.

    logits   one number per token in the vocabulary; minus infinity excludes a token
    counts   how often each token is in the reply so far; None: the reply is empty
    temperature, top_p, frequency_penalty, presence_penalty
             as the API accepts them, with its defaults

    The result has the shape of ``logits`` and adds up to 1. Raises ValueError for a value out of
    range, for lengths that differ, and if no logit is finite.
    """
    check_ranges(temperature=temperature, top_p=top_p)
    seen = np.zeros(np.shape(logits)) if counts is None else counts
    penalized = penalize(
        logits,
        seen,
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
    )
    full = softmax(scale(penalized, temperature))
    if top_p == 1:
        return full  # nothing is cut, and another division would only round
    cut = np.where(nucleus(full, top_p), full, 0.0)
    # the draw is among the remaining tokens, as if the tail did not exist
    return np.asarray(cut / cut.sum())


def sample(
    probabilities: npt.ArrayLike, generator: np.random.Generator, draws: int
) -> Indices:
    """Draw tokens. Returns ``draws`` indices into the vocabulary, each drawn independently from the
    same distribution.

    generator  numpy's random generator, e.g. np.random.default_rng(seed): the same seed draws the
               same tokens
    """
    mass = _probabilities(probabilities)
    return np.asarray(
        generator.choice(mass.size, size=draws, p=mass), dtype=np.intp
    )


def entropy_bits(probabilities: npt.ArrayLike) -> float:
    """Return the Shannon entropy in bits, -sum p log2 p: 0 if one token is certain, log2(n) for n
    equally probable tokens.
    """
    mass = _probabilities(probabilities)
    mass = mass[mass > 0]
    return float(abs((mass * np.log2(mass)).sum()))


def perplexity(logprobs: Sequence[float]) -> float:
    """Return exp(-mean logprob) of a reply's tokens: the model was as uncertain as in a fair choice
    among that many tokens. 1 means certain.

    logprobs  natural logarithms, as the API returns them. Raises ValueError if there are none.
    """
    if len(logprobs) == 0:
        raise ValueError(
            "Perplexity is an average over a reply's tokens, and there are none: send the "
            "request with logprobs=True."
        )
    with np.errstate(over="ignore"):  # the API writes -9999 for "very unlikely"
        return float(np.exp(-np.mean(logprobs)))


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """A distribution before and after the sampling parameters are applied, for a chart or a lab.

    before, after   probabilities, one per token of the vocabulary
    shown           indices of the tokens to show, the most probable (before) first; they do not
                    change when a slider moves
    entropy_before, entropy_after   in bits
    candidates      how many tokens can still be drawn: the size of the nucleus
    """

    before: Floats
    after: Floats
    shown: Indices
    entropy_before: float
    entropy_after: float
    candidates: int

    @property
    def others(self) -> tuple[float, float]:
        """Return the total probability, before and after, of the tokens that are not shown."""
        before, after = self.before[self.shown], self.after[self.shown]
        return max(0.0, 1.0 - before.sum()), max(0.0, 1.0 - after.sum())


def before_and_after(
    logits: npt.ArrayLike,
    counts: npt.ArrayLike | None = None,
    *,
    top: int = 10,
    **parameters: float,
) -> BeforeAfter:
    """Compare the model's own distribution with the one that the parameters produce.

    top  how many tokens to show; the other arguments are those of ``probabilities()``
    """
    before = softmax(logits)
    after = probabilities(logits, counts, **parameters)
    # a stable sort: of two equally probable tokens, the one that is earlier in the vocabulary is
    # first
    shown = np.argsort(-before, kind="stable")[:top]
    return BeforeAfter(
        before,
        after,
        shown,
        entropy_bits(before),
        entropy_bits(after),
        int(np.count_nonzero(after)),
    )


def _logits(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if (
        array.ndim != 1
        or not np.all(array < np.inf)
        or not np.any(array > -np.inf)
    ):
        raise ValueError(
            "Logits must be one row of numbers, one per token. Each must be finite, or minus "
            "infinity to exclude its token, and at least one must be finite."
        )
    return array


def _probabilities(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if (
        array.ndim != 1
        or not np.all(array >= 0)
        or not np.isclose(array.sum(), 1.0, rtol=0, atol=1e-6)
    ):
        raise ValueError(
            "Probabilities must be one row of numbers >= 0 that add up to 1: softmax() "
            "calculates them from logits."
        )
    return array


def _json_type(value: object) -> str:
    kinds = {
        bool: "a boolean",
        str: "a string",
        list: "an array",
        dict: "an object",
        type(None): "null",
    }
    return kinds.get(type(value), type(value).__name__)
