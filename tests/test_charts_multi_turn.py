"""The pictures in chapter 03, checked by their artists."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal

import pytest
from matplotlib.patches import Rectangle

from coursekit.charts.multi_turn import cached_part, policies, tokens_per_turn
from coursekit.charts.picture import Picture
from coursekit.pricing import Usage

TURNS = [Usage(100, 20), Usage(1300, 30, cached=1024)]
SPENT = [Decimal("0.001"), Decimal("0.004")]
PROMPTS = {
    "everything": [100, 350, 600],
    "SlidingWindow(1)": [100, 350, 350],
    "TokenBudget(300)": [100],
}


def bars(picture: Picture) -> list[tuple[float, ...]]:
    """(left, bottom, width, height) of each bar, in the order drawn, rounded."""
    patches = [
        patch
        for patch in picture.figure.axes[0].patches
        if isinstance(patch, Rectangle)
    ]
    return [
        tuple(
            round(value, 2)
            for value in (*p.get_xy(), p.get_width(), p.get_height())
        )
        for p in patches
    ]


def test_a_turn_is_cached_and_fresh_input_and_output_stacked() -> None:
    """From the bottom up, a bar shows the cached tokens, the rest of the prompt, and the reply,
    each starting where the last one ends.
    """
    assert bars(tokens_per_turn(TURNS, SPENT)) == [
        (0.6, 0, 0.8, 0),
        (1.6, 0, 0.8, 1024),
        (0.6, 0, 0.8, 100),
        (1.6, 1024, 0.8, 276),
        (0.6, 100, 0.8, 20),
        (1.6, 1300, 0.8, 30),
    ]


def test_the_cost_is_a_line_on_its_own_axis() -> None:
    """The running total in dollars is on the right. It starts at 0, and its last value is written
    out.
    """
    tokens, money = tokens_per_turn(TURNS, SPENT).figure.axes
    (line,) = money.lines
    assert line.get_xydata().tolist() == [[1, 0.001], [2, 0.004]]
    assert [text.get_text() for text in money.texts] == ["$0.004"]
    assert money.get_ylabel() == "US dollars so far"
    assert money.yaxis.get_major_formatter()(0.002) == "$0.002"
    assert (tokens.get_ylim()[0], money.get_ylim()[0]) == (0, 0)
    assert tokens.get_ylim()[1] > 1330


def test_the_legend_names_what_is_there() -> None:
    """Without cached tokens, the legend does not mention a cache. Parts differ by hatching as well
    as by color.
    """

    def names(picture: Picture) -> list[str]:
        return [
            text.get_text()
            for text in picture.figure.axes[0].get_legend().get_texts()
        ]

    assert names(tokens_per_turn(TURNS, SPENT)) == [
        "cached",
        "input",
        "output",
        "cost so far (right)",
    ]
    assert names(tokens_per_turn(TURNS[:1], SPENT[:1])) == [
        "input",
        "output",
        "cost so far (right)",
    ]
    hatches = {
        patch.get_hatch()
        for patch in tokens_per_turn(TURNS, SPENT).figure.axes[0].patches
    }
    assert len(hatches) == 2


def test_turns_are_told_in_words() -> None:
    """The alternative text has the first and the last prompt, the sums, and the cost."""
    assert tokens_per_turn(TURNS, SPENT, title="T").alt == (
        "T: the prompt has 100 tokens in turn 1 and 1,300 in turn 2. In total, 1,400 tokens in "
        "(1,024 cached) and 50 out, "
        "for $0.004."
    )


def test_each_policy_is_a_line_of_its_own_kind() -> None:
    """Each line has a point for each turn, its own color and dashes, and its sum at the end."""
    (axes,) = policies(PROMPTS).figure.axes
    assert [line.get_xydata().tolist() for line in axes.lines] == [
        [[1, 100], [2, 350], [3, 600]],
        [[1, 100], [2, 350], [3, 350]],
        [[1, 100]],
    ]
    assert (
        len({line.get_color() for line in axes.lines})
        == len({line.get_linestyle() for line in axes.lines})
        == 3
    )
    ends = {text.get_text(): text.xy for text in axes.texts}
    assert {name: end[0] for name, end in ends.items()} == {
        "1,050 in total": 3,
        "800 in total": 3,
        "100 in total": 1,
    }
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(
        PROMPTS
    )
    assert axes.get_ylim()[0] == 0


def test_labels_at_the_ends_do_not_overlap() -> None:
    """If ends are close together, their labels are moved apart, with the lowest line's label
    lowest.
    """
    (axes,) = policies(
        {"a": [1000], "b": [10], "c": [12], "d": [11]}
    ).figure.axes
    heights = sorted((text.xy[1], text.get_text()) for text in axes.texts)
    assert [name for _, name in heights] == [
        "10 in total",
        "11 in total",
        "12 in total",
        "1,000 in total",
    ]
    assert all(
        upper[0] - lower[0] >= 70
        for lower, upper in itertools.pairwise(heights)
    )


def test_policies_are_told_in_words() -> None:
    """The alternative text has the last prompt and the sum of each policy."""
    assert policies({"all": [1, 2], "window": [1, 1]}, title="T").alt == (
        "T, in tokens of the prompt. all: 2 in turn 2, 3 in total; window: 1 in turn 2, 2 in total."
    )


def test_the_cached_part_comes_first() -> None:
    """Each row shows the cached part, starting at 0, and then the rest, with both counts at the
    end. The first row is on top.
    """
    picture = cached_part(
        {"appended": Usage(1400, 0, 1280), "trimmed": Usage(900, 0)}
    )
    (axes,) = picture.figure.axes
    assert bars(picture) == [
        (0, -0.31, 1280, 0.62),
        (0, 0.69, 0, 0.62),
        (1280, -0.31, 120, 0.62),
        (0, 0.69, 900, 0.62),
    ]
    assert [text.get_text() for text in axes.texts] == [
        "1,280 of 1,400",
        "0 of 900",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "appended",
        "trimmed",
    ]
    assert axes.yaxis_inverted()
    assert picture.alt.endswith(
        "appended: 1,280 of 1,400 tokens; trimmed: 0 of 900 tokens."
    )


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: tokens_per_turn([], []), "0 turns and 0 amounts"),
        (lambda: tokens_per_turn(TURNS, SPENT[:1]), "2 turns and 1 amounts"),
        (lambda: policies({}), "1 to 5 policies"),
        (lambda: policies({"a": []}), "at least one turn"),
        (lambda: policies({str(n): [1] for n in range(6)}), "1 to 5 policies"),
        (lambda: cached_part({}), "no prompt"),
    ],
)
def test_what_cannot_be_drawn(
    draw: Callable[[], Picture], message: str
) -> None:
    """Empty or inconsistent data is a clear error."""
    with pytest.raises(ValueError, match=message):
        draw()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tokens_per_turn(TURNS, SPENT),
        lambda: policies(PROMPTS),
        lambda: cached_part({"a": TURNS[1]}),
    ],
)
def test_a_picture_is_the_same_bytes_each_time(
    draw: Callable[[], Picture],
) -> None:
    """What a notebook stores does not change from run to run."""
    assert draw().png() == draw().png()
