"""Sampling: the API's parameters as exact arithmetic on logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coursekit.sampling import (
    Floats,
    before_and_after,
    check_ranges,
    entropy_bits,
    nucleus,
    nucleus_size,
    penalize,
    penalty,
    perplexity,
    probabilities,
    sample,
    scale,
    softmax,
)

logit = st.floats(-30, 30)
logits = arrays(np.float64, st.integers(1, 30), elements=logit)
temperatures = st.floats(0, 2)
penalties = st.floats(-2, 2)
shares = st.floats(0, 1)


@st.composite
def settings(draw: st.DrawFn) -> dict[str, float]:
    return {
        "temperature": draw(temperatures),
        "top_p": draw(shares),
        "frequency_penalty": draw(penalties),
        "presence_penalty": draw(penalties),
    }


@st.composite
def distributions(
    draw: st.DrawFn, *, distinct: bool = False
) -> tuple[Floats, Floats]:
    """Logits and counts with the same length."""
    size = draw(st.integers(1, 30))
    values = draw(
        st.lists(
            st.integers(-3000, 3000),
            min_size=size,
            max_size=size,
            unique=distinct,
        )
    )
    return np.array(values) / 100, np.array(
        draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)), float
    )


@given(distributions(), settings())
def test_probabilities_are_a_distribution(
    given: tuple[Floats, Floats], chosen: dict[str, float]
) -> None:
    """Whatever the parameters, no probability is negative, and they add up to 1."""
    mass = probabilities(*given, **chosen)
    assert (mass >= 0).all()
    assert mass.sum() == pytest.approx(1, abs=1e-12)


@given(logits)
def test_the_defaults_change_nothing(values: Floats) -> None:
    """With the API's defaults, the probabilities are the softmax of the logits."""
    assert probabilities(values) == pytest.approx(softmax(values), abs=1e-15)


@given(distributions(), st.floats(-1000, 1000), settings())
def test_a_constant_changes_nothing(
    given: tuple[Floats, Floats], constant: float, chosen: dict[str, float]
) -> None:
    """Logits are defined up to a constant: log-probabilities give the same result as logits."""
    values, counts = given
    # Rounding could move a cut, or break a tie at temperature 0.
    chosen = {
        **chosen,
        "top_p": 1.0,
        "temperature": max(chosen["temperature"], 0.01),
    }
    shifted = probabilities(values + constant, counts, **chosen)
    assert shifted == pytest.approx(
        probabilities(values, counts, **chosen), abs=1e-8
    )


@given(
    distributions(distinct=True), settings(), st.randoms(use_true_random=False)
)
def test_the_order_of_the_vocabulary_does_not_matter(
    given: tuple[Floats, Floats], chosen: dict[str, float], random: object
) -> None:
    """Shuffling the vocabulary shuffles the probabilities in the same way."""
    values, counts = given
    penalties = {
        name: chosen[name] for name in ("frequency_penalty", "presence_penalty")
    }
    penalized = penalize(values, counts, **penalties)
    # ties are broken by position, see below
    assume(len(np.unique(penalized)) == len(values))
    full = np.sort(softmax(scale(penalized, chosen["temperature"])))[::-1]
    # rounding could move a cut exactly on an edge
    assume(np.abs(np.cumsum(full) - chosen["top_p"]).min() > 1e-9)
    order = np.arange(len(values))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = probabilities(values[order], counts[order], **chosen)
    assert shuffled == pytest.approx(
        probabilities(values, counts, **chosen)[order], abs=1e-12
    )


def test_softmax_by_hand() -> None:
    """softmax(ln 1, ln 2, ln 5) is 1/8, 2/8, 5/8. Minus infinity excludes a token, and large logits
    do not overflow.
    """
    assert softmax([0, math.log(2), math.log(5)]) == pytest.approx(
        [1 / 8, 2 / 8, 5 / 8]
    )
    assert softmax([0, -math.inf, 0]) == pytest.approx([0.5, 0, 0.5])
    assert softmax([1e6, 1e6 - 1]) == pytest.approx(
        [1 / (1 + math.exp(-1)), 1 / (1 + math.e)]
    )


def test_temperature_divides_the_logits() -> None:
    """Halving the temperature squares the odds; doubling it takes their square root."""
    nine_to_one = np.log([9.0, 1.0])
    for temperature, odds in [(0.5, 81), (1, 9), (2, 3)]:
        likely, unlikely = probabilities(nine_to_one, temperature=temperature)
        assert likely / unlikely == pytest.approx(odds)


@given(logits, temperatures, temperatures)
def test_entropy_grows_with_temperature(
    values: Floats, one: float, other: float
) -> None:
    """A higher temperature never makes the distribution more certain."""
    low, high = sorted([one, other])
    cool, warm = (
        entropy_bits(probabilities(values, temperature=value))
        for value in (low, high)
    )
    assert cool <= warm + 1e-9


@given(logits)
def test_temperature_zero_is_the_limit(values: Floats) -> None:
    """Temperature 0 is the limit of a vanishing temperature: only the most probable token remains,
    and ties share equally.
    """
    frozen = probabilities(values, temperature=0)
    top = values == values.max()
    assert frozen == pytest.approx(top / top.sum())
    gap = np.diff(np.unique(values))[-1:]  # from the largest to the next one
    assume(gap.size == 0 or gap[0] > 1e-6)
    assert probabilities(values, temperature=1e-9) == pytest.approx(frozen)


def test_a_tiny_temperature_does_not_overflow() -> None:
    """The smallest positive temperature gives the same result as 0."""
    assert probabilities([1.0, 2.0, 3.0], temperature=5e-324).tolist() == [
        0,
        0,
        1,
    ]


def test_penalties_are_a_line_and_a_step() -> None:
    """The frequency penalty is subtracted once per occurrence and the presence penalty only once,
    and neither is subtracted from a new token.
    """
    counts = [0, 1, 2, 10]
    assert penalty(counts, frequency_penalty=0.5).tolist() == [0, 0.5, 1, 5]
    assert penalty(counts, presence_penalty=0.5).tolist() == [0, 0.5, 0.5, 0.5]
    assert penalize(
        [4, 4, 4, 4], counts, frequency_penalty=0.5, presence_penalty=1
    ).tolist() == [
        4,
        2.5,
        2,
        -2,
    ]


@given(distributions())
def test_zero_penalties_are_the_identity(given: tuple[Floats, Floats]) -> None:
    """Penalties of 0 leave every logit unchanged, whatever the counts."""
    assert (penalize(*given) == given[0]).all()


@given(distributions(), penalties, penalties, penalties)
def test_a_penalty_favors_what_has_not_been_said(
    given: tuple[Floats, Floats], one: float, other: float, presence: float
) -> None:
    """The higher a penalty, the less mass is left for the tokens in the reply so far."""
    values, counts = given
    low, high = sorted([one, other])
    for name, rest in [
        ("frequency_penalty", "presence_penalty"),
        ("presence_penalty", "frequency_penalty"),
    ]:
        mild, hard = (
            probabilities(values, counts, **{name: value, rest: presence})
            for value in (low, high)
        )
        if name == "presence_penalty":
            assert hard[counts > 0].sum() <= mild[counts > 0].sum() + 1e-9
        assert hard[counts == 0].sum() >= mild[counts == 0].sum() - 1e-9


def test_the_nucleus_by_hand() -> None:
    """top_p keeps the fewest tokens that reach it together, at least one, and renormalizes them."""
    mass = [0.2, 0.5, 0.25, 0.05]
    for top_p, kept in [
        (0, [1]),
        (0.5, [1]),
        (0.51, [1, 2]),
        (0.75, [1, 2]),
        (0.9, [0, 1, 2]),
        (1, [0, 1, 2, 3]),
    ]:
        assert np.flatnonzero(nucleus(mass, top_p)).tolist() == kept
    assert probabilities(np.log(mass), top_p=0.6) == pytest.approx(
        [0, 2 / 3, 1 / 3, 0]
    )


@given(logits, shares, shares)
def test_the_nucleus_grows_with_top_p(
    values: Floats, one: float, other: float
) -> None:
    """A higher top_p keeps every token that a lower one keeps, and its mass reaches top_p."""
    low, high = sorted([one, other])
    mass = softmax(values)
    assert (nucleus(mass, high) >= nucleus(mass, low)).all()
    assert mass[nucleus(mass, low)].sum() >= low - 1e-9
    assert 1 <= nucleus_size(mass, low) <= nucleus_size(mass, high) <= len(mass)


@given(logits, shares)
def test_no_token_of_the_nucleus_can_be_spared(
    values: Floats, top_p: float
) -> None:
    """Without its least probable token, the nucleus would not reach top_p."""
    mass = softmax(values)
    kept = mass[nucleus(mass, top_p)]
    assert len(kept) == 1 or kept.sum() - kept.min() < top_p + 1e-9


def test_ties_at_the_edge_of_the_nucleus() -> None:
    """Among tokens with equal probability, those earlier in the vocabulary are kept first. An
    excluded token is never kept.
    """
    assert nucleus([0.25, 0.25, 0.25, 0.25], 0.5).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert nucleus([0.5, 0, 0.5], 1).tolist() == [True, False, True]


def test_entropy_in_bits() -> None:
    """A certain token has 0 bits, a fair coin has 1, and eight equally probable tokens have 3."""
    assert entropy_bits([0, 1, 0]) == 0
    assert str(entropy_bits([1.0])) == "0.0"
    assert entropy_bits([0.5, 0.5]) == pytest.approx(1)
    assert entropy_bits(np.full(8, 1 / 8)) == pytest.approx(3)


def test_perplexity() -> None:
    """Perplexity is exp of the mean negative logprob: 1 for certainty, and n for a fair choice
    among n tokens. An empty list has none.
    """
    assert perplexity([0, 0]) == 1
    assert perplexity([math.log(1 / 6)] * 5) == pytest.approx(6)
    assert perplexity([math.log(0.5), math.log(0.125)]) == pytest.approx(4)
    with pytest.raises(ValueError, match="logprobs=True"):
        perplexity([])


@given(distributions(), settings(), st.integers(0, 2**32))
def test_a_draw_is_possible_and_repeatable(
    given: tuple[Floats, Floats], chosen: dict[str, float], seed: int
) -> None:
    """Only tokens with a nonzero probability are drawn, and the same seed draws the same tokens."""
    mass = probabilities(*given, **chosen)
    drawn = sample(mass, np.random.default_rng(seed), draws=20)
    assert (mass[drawn] > 0).all()
    assert drawn.shape == (20,)
    assert (drawn == sample(mass, np.random.default_rng(seed), draws=20)).all()


def test_draws_follow_the_probabilities() -> None:
    """In 100,000 draws, each token's share is within 1% of its probability."""
    mass = np.array([0.1, 0.6, 0.3])
    shares = (
        np.bincount(sample(mass, np.random.default_rng(0), draws=100_000))
        / 100_000
    )
    assert shares == pytest.approx(mass, abs=0.01)


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        (
            "temperature",
            2.1,
            "decimal above maximum value. Expected a value <= 2, but got 2.1 instead.",
        ),
        (
            "temperature",
            -1,
            "decimal below minimum value. Expected a value >= 0, but got -1 instead.",
        ),
        (
            "top_p",
            1.5,
            "decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
        ),
        (
            "frequency_penalty",
            -2.5,
            "decimal below minimum value. Expected a value >= -2, but got -2.5 instead.",
        ),
        (
            "presence_penalty",
            3,
            "decimal above maximum value. Expected a value <= 2, but got 3 instead.",
        ),
        (
            "top_p",
            math.nan,
            "nan is not a number. Expected a value >= 0 and <= 1.",
        ),
    ],
)
def test_what_the_api_refuses_is_refused(
    name: str, value: float, refusal: str
) -> None:
    """A parameter that is out of range raises a ValueError in the API's words, wherever it is
    given.
    """
    calls = [lambda: check_ranges(**{name: value})]
    calls += [
        lambda call=call: call([1.0, 2.0], **{name: value})
        for call in (probabilities, before_and_after)
    ]
    for call in calls:
        with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
            call()
        assert str(error.value) == f"Invalid '{name}': {refusal}"


def test_what_is_no_number_is_refused() -> None:
    """A parameter with the wrong type raises a TypeError in the API's words."""
    with pytest.raises(
        TypeError,
        match="Invalid type for 'temperature': expected a decimal, but got a string instead",
    ):
        check_ranges(temperature="0.7")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got a boolean instead"):
        check_ranges(top_p=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: softmax([]), "Logits must be one row of numbers"),
        (lambda: softmax([1, math.nan]), "Logits must be one row of numbers"),
        (lambda: softmax([1, math.inf]), "Logits must be one row of numbers"),
        (lambda: softmax([-math.inf]), "at least one must be finite"),
        (lambda: softmax([[1, 2]]), "Logits must be one row of numbers"),
        (lambda: penalize([1, 2], [1]), "There are 2 logits and 1 counts"),
        (lambda: penalty([-1]), "whole numbers, 0 or more"),
        (lambda: penalty([0.5]), "whole numbers, 0 or more"),
        (lambda: nucleus([2.0, 3.0], 0.5), "add up to 1"),
        (lambda: entropy_bits([-0.5, 1.5]), "add up to 1"),
    ],
)
def test_arrays_that_mean_nothing_are_refused(
    call: object, message: str
) -> None:
    """Invalid logits, counts, and probabilities raise a ValueError that says what is expected."""
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@given(distributions(), settings(), st.integers(1, 12))
def test_before_and_after(
    given: tuple[Floats, Floats], chosen: dict[str, float], top: int
) -> None:
    """The comparison shows the tokens that were most probable before, computed by the same
    functions as everything else.
    """
    values, counts = given
    both = before_and_after(values, counts, top=top, **chosen)
    assert (both.before == softmax(values)).all()
    assert (both.after == probabilities(values, counts, **chosen)).all()
    assert len(both.shown) == min(top, len(values))
    assert both.before[both.shown].min() >= np.delete(
        both.before, both.shown
    ).max(initial=0)
    assert (np.diff(both.before[both.shown]) <= 0).all()
    assert (both.entropy_before, both.entropy_after) == (
        entropy_bits(both.before),
        entropy_bits(both.after),
    )
    assert both.candidates == np.count_nonzero(both.after)
    assert both.others[0] + both.before[both.shown].sum() == pytest.approx(1)
    assert both.others[1] + both.after[both.shown].sum() == pytest.approx(1)
