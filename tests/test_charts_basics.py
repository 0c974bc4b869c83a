from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from coursekit.charts.basics import (
    GONE,
    bill,
    cost_by_model,
    cost_per_call,
)
from coursekit.charts.picture import HATCHES, PARTS, Picture
from coursekit.metering import Meter, Share

COSTS = {
    "gpt-4o": Decimal("0.0055"),
    "gpt-4": Decimal("0.06"),
    "gpt-6-luna": Decimal("0.00025"),
}
BILL = {
    "input": Share(3000, Decimal("0.0075")),
    "cached": Share(1280, Decimal("0.0016")),
    "output": Share(300, Decimal("0.003")),
    "reasoning": Share(0, Decimal(0)),
}


def texts(picture: Picture, number: int = 0) -> list[str]:
    return [text.get_text() for text in picture.figure.axes[number].texts]


def rows(picture: Picture) -> list[str]:
    return [
        label.get_text() for label in picture.figure.axes[0].get_yticklabels()
    ]


def test_models_stand_from_cheap_to_dear_from_the_top_down():
    """The cheapest model is in the top row, whatever the order of the costs."""
    picture = cost_by_model(COSTS, call="1,000 tokens in, 300 out")
    axes = picture.figure.axes[0]
    assert rows(picture) == ["gpt-6-luna", "gpt-4o", "gpt-4"]
    assert [float(line.get_xdata()[0]) for line in axes.lines] == [
        0.00025,
        0.0055,
        0.06,
    ]
    assert axes.yaxis_inverted()


def test_costs_of_models_are_on_a_logarithmic_axis_and_written_out():
    """Each point is labeled with its cost in dollars, and the axis is logarithmic and says so."""
    picture = cost_by_model(COSTS, call="1,000 tokens in, 300 out")
    axes = picture.figure.axes[0]
    assert axes.get_xscale() == "log"
    assert "log scale" in axes.get_xlabel()
    assert texts(picture) == ["$0.00025", "$0.0055", "$0.06"]
    assert axes.xaxis.get_major_formatter()(0.001) == "$0.001"
    assert axes.get_xlim()[0] < 0.00025 < 0.06 < axes.get_xlim()[1]


def test_a_model_that_is_shut_down_is_marked_by_form_and_words():
    """A model that was shut down has a hollow marker and a label that says so; the others have
    filled markers.
    """
    picture = cost_by_model(COSTS, call="a call", gone=["gpt-4"])
    lines = picture.figure.axes[0].lines
    assert [line.get_markerfacecolor() == "white" for line in lines] == [
        False,
        False,
        True,
    ]
    assert rows(picture)[-1] == "gpt-4" + GONE


def test_the_alt_text_tells_the_costs():
    """The alternative text gives the call and each model's cost."""
    assert cost_by_model(COSTS, call="1,000 tokens in").alt == (
        "Cost of the same call (1,000 tokens in) by model, cheapest first: "
        "gpt-6-luna $0.00025, gpt-4o $0.0055, gpt-4 $0.06."
    )


@pytest.mark.parametrize("costs", [{}, {"gpt-4o": Decimal(0)}])
def test_a_logarithmic_axis_needs_costs_above_zero(costs: dict[str, Decimal]):
    """An empty list of models and a cost of zero are refused with the reason."""
    with pytest.raises(ValueError, match="above 0"):
        cost_by_model(costs, call="a call")


def test_each_call_has_a_bar_and_an_unknown_price_has_a_cross():
    """Bars are as high as the costs. A call without a price gets a cross, which the legend
    explains.
    """
    picture = cost_per_call([Decimal("0.002"), None, Decimal("0.001")])
    axes = picture.figure.axes[0]
    assert [
        (round(bar.get_center()[0]), bar.get_height()) for bar in axes.patches
    ] == [
        (1, 0.002),
        (2, 0),
        (3, 0.001),
    ]
    assert list(axes.lines[0].get_xdata()) == [2]
    assert axes.get_legend() is not None
    assert picture.alt.endswith(
        "3 calls; the most expensive is call 1, at $0.002. 1 without a known price."
    )


def test_bars_start_at_zero_and_no_legend_stands_where_it_explains_nothing():
    """The money axis starts at 0, so that lengths can be compared. If all prices are known, there
    is no legend.
    """
    axes = cost_per_call([Decimal("0.002")]).figure.axes[0]
    assert axes.get_ylim()[0] == 0
    assert axes.get_legend() is None


def test_no_calls_cannot_be_drawn():
    """An empty meter is refused with a message that says what to do first."""
    with pytest.raises(ValueError, match=r"meter\.add"):
        cost_per_call(Meter().cost_per_call())


def test_the_bill_shows_tokens_beside_dollars():
    """Two panels share their rows: tokens are on the left, dollars are on the right, and every
    value is written out.
    """
    picture = bill(BILL)
    tokens, money = picture.figure.axes
    assert rows(picture) == list(BILL)
    assert [bar.get_width() for bar in tokens.patches] == [3000, 1280, 300, 0]
    assert [bar.get_width() for bar in money.patches] == [
        0.0075,
        0.0016,
        0.003,
        0,
    ]
    assert texts(picture, 0) == ["3,000", "1,280", "300", "0"]
    assert texts(picture, 1) == ["$0.0075", "$0.0016", "$0.003", "$0"]
    assert tokens.get_xlim()[0] == money.get_xlim()[0] == 0


def test_the_parts_of_a_bill_differ_in_more_than_color():
    """The rows are labeled, and a row that is part of the one above it is also hatched."""
    assert set(PARTS) == set(HATCHES) == set(Meter().split())
    assert HATCHES["cached"] != HATCHES["input"]
    assert HATCHES["reasoning"] != HATCHES["output"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: cost_by_model(COSTS, call="c"),
        lambda: cost_per_call([Decimal(1)]),
        lambda: bill(BILL),
    ],
)
def test_a_picture_is_the_same_bytes_each_time(draw: Callable[[], Picture]):
    """What a notebook stores does not change from run to run."""
    assert draw().png() == draw().png()
