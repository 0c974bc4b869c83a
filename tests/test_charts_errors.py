"""The picture of the retry storm: its bars are the storm's numbers, and shapes show as much as
colors.
"""

from __future__ import annotations

import pytest

from coursekit.charts.errors import arrivals
from coursekit.retrying.storm import STRATEGIES, Storm, storm

STORMS = {name: storm(policy) for name, policy in STRATEGIES.items()}


def test_the_bars_are_the_calls() -> None:
    """Served and refused calls are stacked, second by second, and add up to the storm's calls."""
    picture = arrivals(STORMS)
    for axes, result in zip(picture.figure.axes, STORMS.values(), strict=True):
        served, refused = axes.containers
        assert sum(bar.get_height() for bar in served) == len(result.served)
        assert sum(bar.get_height() for bar in refused) == len(result.refused)
        tops = {round(bar.get_x(), 2): bar.get_height() for bar in served}
        assert all(
            bar.get_y() == tops[round(bar.get_x(), 2)] for bar in refused
        )


def test_refused_calls_are_hatched_and_the_capacity_is_a_labeled_line() -> None:
    """Without color, refused calls are recognizable by their hatching and the capacity by its
    dashes. A legend names all three.
    """
    axes = arrivals(STORMS).figure.axes[0]
    served, refused = axes.containers
    assert {bar.get_hatch() for bar in refused} == {"/////"}
    assert {bar.get_hatch() for bar in served} == {None}
    (line,) = axes.lines
    assert line.get_linestyle() == "--"
    assert set(line.get_ydata()) == {20}
    legend = axes.get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == {
        "served",
        "refused",
        "capacity, 20/s",
    }


def test_rows_share_their_scales_and_what_is_cut_off_is_told() -> None:
    """Rows can be compared by eye, and calls beyond the end of the axis are mentioned."""
    picture = arrivals(STORMS)
    fixed, exponential, _ = picture.figure.axes
    assert fixed.get_ylim() == exponential.get_ylim()
    assert fixed.get_xlim() == (-0.3, 40)
    assert [text.get_text() for text in exponential.texts] == [
        "more at 63, 95, 127 and 159 s →"
    ]
    assert list(fixed.texts) == []


def test_titles_and_alternative_text_tell_the_numbers() -> None:
    """Each storm's title has its calls and its end, and so does the alternative text."""
    picture = arrivals(STORMS)
    assert (
        picture.figure.axes[1].get_title("left")
        == "exponential, no jitter: 1,100 calls, all served after 159 s"
    )
    assert (
        "exponential, full jitter: 818 calls, all served after 20 s, at most 429 in one second."
        in picture.alt
    )


def test_a_storm_in_which_some_gave_up() -> None:
    """If not every call was served, the picture does not claim an end."""
    assert (
        "3 calls, some gave up"
        in arrivals({"few": Storm((0.0,), (0.0, 0.1), 2, 1)}).alt
    )


def test_one_capacity() -> None:
    """Storms with different servers do not share a capacity line."""
    with pytest.raises(ValueError, match=r"\[1, 20\]"):
        arrivals({**STORMS, "other": Storm((0.0,), (), 1, 1)})
    with pytest.raises(ValueError, match=r"\[\]"):
        arrivals({})
