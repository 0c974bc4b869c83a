"""Chart for chapter 08: models by their cost and context window. All numbers are from ``choosing``.

Taught in 08, "The picture".
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from math import log
from typing import Any

from matplotlib.axes import Axes

from ..choosing import Judgment
from ..foundation.palette import BLUE, GRAY, INK, ORANGE, PALE
from ..pricing import dollars
from .picture import SMALL, Picture, figure, in_dollars, styled

SERVED, LEAVING, GONE = "served", "end announced", "shut down"
# The shape carries the meaning and the color repeats it: a filled circle, a half-filled diamond, a
# cross.
LOOKS: dict[str, dict[str, Any]] = {
    SERVED: {"marker": "o", "color": BLUE, "markersize": 8},
    LEAVING: {
        "marker": "D",
        "color": ORANGE,
        "markersize": 7,
        "fillstyle": "bottom",
        "markerfacecoloralt": "white",
    },
    GONE: {"marker": "X", "color": GRAY, "markersize": 9},
}
NEAR = 0.043  # labels in one column that are closer than this share of the axis are moved apart


@styled
def price_and_context(
    judged: Sequence[Judgment], *, call: str, on: datetime.date
) -> Picture:
    """Draw what the same call costs with each model (vertical, logarithmic) by context window, with
    a column for each size.

    judged  as ``choosing.judge`` returns them, each with a context window and a cost above 0
    call    what is paid for, such as "1,000 tokens in, 300 out"
    on      the day that decides which models count as shut down

    Raises ValueError if there are no models, or for a model whose context window is not known.
    """
    if not judged or any(each.model.context is None for each in judged):
        raise ValueError("Give at least one model, each with a context window.")
    sizes = sorted({each.model.context or 0 for each in judged})
    title = f"{call}: cost and context window, {on}"
    made, axes = figure(
        5.0,
        width=9.0,
        title=title,
        xlabel="context window, tokens",
        ylabel="US dollars per request (log scale)",
    )
    axes.set_yscale("log")
    costs = [float(each.cost) for each in judged]
    axes.set_ylim(min(costs) / 1.6, max(costs) * 1.6)
    axes.set_xlim(-0.35, len(sizes) - 0.05)
    for column, size in enumerate(sizes):
        members = [each for each in judged if each.model.context == size]
        _column(axes, column, members, on)
    for state, look in LOOKS.items():
        axes.plot([], [], linestyle="none", label=state, **look)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3)
    axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
    in_dollars(axes.yaxis)
    axes.grid(axis="x")
    said = "; ".join(
        f"{each.name} {dollars(each.cost)}, {each.model.context:,} tokens, {state_of(each, on)}"
        for each in sorted(judged, key=lambda each: each.cost)
    )
    return Picture(
        made,
        f"Cost of {call} and context window by model on {on}, cheapest first: {said}.",
    )


def state_of(judged: Judgment, on: datetime.date) -> str:
    """Return SERVED, LEAVING (the shutdown is announced), or GONE."""
    if judged.model.is_shut_down(on):
        return GONE
    return SERVED if judged.model.shutdown is None else LEAVING


def _column(
    axes: Axes, column: int, members: list[Judgment], on: datetime.date
) -> None:
    """Draw the points for one context window. Each has a label beside it, which is moved up if it
    would cover the label below.
    """
    low, high = axes.get_ylim()
    span = high / low
    # the lowest position, as a share of the axis, that is not taken by a label
    free = 0.0
    for each in sorted(members, key=lambda member: (member.cost, member.name)):
        cost, state = float(each.cost), state_of(each, on)
        axes.plot(column, cost, linestyle="none", **LOOKS[state])
        # on a logarithmic axis, from 0 at the bottom to 1 at the top
        place = max(log(cost / low) / log(span), free)
        free = place + NEAR
        words = each.name + (
            f" †{each.model.shutdown}" if state == GONE else ""
        )
        axes.annotate(
            words,
            (column, cost),
            xytext=(column + 0.12, low * span**place),
            va="center",
            fontsize=SMALL,
            color=GRAY if state == GONE else INK,
            arrowprops={
                "arrowstyle": "-",
                "color": PALE,
                "linewidth": 0.8,
                "shrinkB": 5,
            },
        )
