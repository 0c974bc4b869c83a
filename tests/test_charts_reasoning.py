"""The pictures in chapter 07, checked by their artists."""

from __future__ import annotations

from decimal import Decimal

import pytest
from matplotlib.patches import Rectangle

from coursekit.charts.picture import Picture
from coursekit.charts.reasoning import comparison, cost_by_effort
from coursekit.pricing import Price, Usage
from coursekit.reasoning import Score, Split

SPLITS = {
    "low": Split(
        Usage(50, 110, reasoning=100),
        Price(Decimal("0.001"), Decimal(0), Decimal("0.011")),
    ),
    "plain": Split(
        Usage(50, 10), Price(Decimal("0.001"), Decimal(0), Decimal("0.001"))
    ),
}
SCORES = {
    "small": Score(0, 4, 2.0, Decimal("0.001")),
    "large": Score(3, 4, 20.0, Decimal("0.012")),
}


def bars(picture: Picture, panel: int = 0) -> list[tuple[float, ...]]:
    """(left, width) of each bar, in the order drawn, rounded."""
    patches = [
        patch
        for patch in picture.figure.axes[panel].patches
        if isinstance(patch, Rectangle)
    ]
    return [(round(p.get_x(), 6), round(p.get_width(), 6)) for p in patches]


def texts(picture: Picture, panel: int = 0) -> list[str]:
    return [text.get_text() for text in picture.figure.axes[panel].texts]


def test_prompt_text_and_reasoning_lie_end_to_end() -> None:
    """Each row shows the cost of the prompt, the text, and the hidden reasoning, each starting
    where the last one ends.
    """
    assert bars(cost_by_effort(SPLITS)) == [
        (0, 0.001),
        (0, 0.001),
        (0.001, 0.001),
        (0.001, 0.001),
        (0.002, 0.01),
        (0.002, 0),
    ]


def test_the_hidden_part_is_told_by_more_than_color() -> None:
    """The hidden part is hatched, the legend names the parts, and each row says how many output
    tokens are hidden.
    """
    picture = cost_by_effort(SPLITS)
    axes = picture.figure.axes[0]
    assert {patch.get_hatch() for patch in axes.patches} == {"", "////"}
    named = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert named == ["prompt", "visible text", "hidden reasoning"]
    assert texts(picture) == ["$0.012   100 of 110 tokens out hidden", "$0.002"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "low",
        "plain",
    ]
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first row is on top"


def test_where_the_answers_come_from_stands_in_the_picture() -> None:
    """Both pictures state the provenance of answers, counts, and times: written or another one."""
    assert "written" in cost_by_effort(SPLITS).figure.axes[0].get_xlabel()
    assert (
        "live"
        in cost_by_effort(SPLITS, provenance="live").figure.axes[0].get_xlabel()
    )
    assert (
        "answers, counts and times: written"
        in comparison(SCORES).figure.get_suptitle()
    )


def test_three_panels_compare() -> None:
    """There is a row for each way of asking, with correct answers, seconds per question, and the
    total cost divided by the correct answers.
    """
    picture = comparison(SCORES)
    assert [axes.get_title(loc="left") for axes in picture.figure.axes] == [
        "correct of 4",
        "seconds per question",
        "cost per correct answer",
    ]
    assert [bars(picture, panel) for panel in range(3)] == [
        [(0, 0), (0, 3)],
        [(0, 0.5), (0, 5)],
        [(0, 0), (0, 0.004)],
    ]
    assert [texts(picture, panel) for panel in range(3)] == [
        ["0", "3"],
        ["0.5 s", "5.0 s"],
        ["none correct", "$0.004"],
    ]


def test_both_are_told_in_words() -> None:
    """The alternative texts contain the numbers."""
    assert cost_by_effort(SPLITS).alt == (
        "What the answer cost (written). low: $0.012, including $0.01 for 100 hidden tokens; "
        "plain: $0.002, including $0 for 0 hidden tokens."
    )
    assert comparison(SCORES).alt.endswith(
        "small: 0 of 4 correct, 0.5 s per question, no correct answer; "
        "large: 3 of 4 correct, 5.0 s per question, $0.004 per correct answer."
    )


def test_nothing_to_draw_is_told() -> None:
    """An empty list of replies or scores, and scores for different numbers of questions, are
    refused.
    """
    with pytest.raises(ValueError, match="no reply"):
        cost_by_effort({})
    for scores in (
        {},
        {"a": Score(1, 4, 1, Decimal(1)), "b": Score(1, 3, 1, Decimal(1))},
        {"a": Score(0, 0, 0, Decimal(0))},
    ):
        with pytest.raises(ValueError, match="same number of questions"):
            comparison(scores)
