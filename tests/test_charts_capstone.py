"""The picture in chapter 09: solutions on the five axes."""

from __future__ import annotations

import pytest

from coursekit.charts.capstone import axes_of

SCORES = {
    "naive": {"answered": 6.6, "time": 0.0},
    "good": {"answered": 20.0, "time": 2.2},
}


def test_each_axis_is_a_column_with_a_bar_for_each_solution() -> None:
    """A column's title is its axis, and behind each solution's bar is an empty bar for 20
    points.
    """
    columns = axes_of(SCORES).figure.axes
    assert [column.get_title(loc="left") for column in columns] == [
        "answered",
        "time",
    ]
    frames, bars = columns[0].containers
    assert [bar.get_width() for bar in frames] == [20.0, 20.0]
    assert [bar.get_width() for bar in bars] == [6.6, 20.0]
    assert [bar.get_width() for bar in columns[1].containers[1]] == [0.0, 2.2]


def test_numbers_and_totals_are_written_out() -> None:
    """The first solution is on top. Its name includes its total, and each bar has its number,
    inside long bars and next to short ones.
    """
    first, second = axes_of(SCORES).figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == [
        "naive\n6.6",
        "good\n22.2",
    ]
    low, high = first.get_ylim()
    assert low > high
    assert [(text.get_text(), text.get_ha()) for text in first.texts] == [
        ("6.6", "left"),
        ("20.0", "right"),
    ]
    assert [text.get_text() for text in second.texts] == ["0.0", "2.2"]


def test_the_alternative_text_has_every_number() -> None:
    """The text says the same as the picture."""
    assert repr(axes_of(SCORES)) == (
        "Points by axis. naive: 6.6 in total (answered 6.6, time 0.0). good: 22.2 in total (answered "
        "20.0, time 2.2)."
    )


@pytest.mark.parametrize(
    "scores",
    [
        {},
        {"a": {"x": 1.0}, "b": {"y": 1.0}},
        {str(n): {"x": 1.0} for n in range(9)},
    ],
)
def test_what_does_not_fit_one_picture_is_refused(
    scores: dict[str, dict[str, float]],
) -> None:
    """If there are no solutions, more than eight, or solutions with different axes, an error says
    so.
    """
    with pytest.raises(ValueError, match="1 to 8 solutions"):
        axes_of(scores)


def test_the_same_scores_give_the_same_bytes() -> None:
    """The picture is committed, so it must not vary."""
    assert axes_of(SCORES).png() == axes_of(SCORES).png()
