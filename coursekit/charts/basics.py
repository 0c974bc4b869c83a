"""Charts for chapter 01: what calls cost. Amounts are in US dollars, calculated by ``pricing`` and
``metering``. Taught in 01 §6."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from matplotlib.ticker import MaxNLocator

from ..foundation.palette import BLUE, INK
from ..metering import Share
from ..pricing import ZERO, dollars
from .picture import (
    Picture,
    canvas,
    figure,
    grid_along_x,
    in_dollars,
    note,
    part_look,
    rows_of,
    styled,
)

GONE = " (shut down)"


@styled
def cost_by_model(
    costs: Mapping[str, Decimal], *, call: str, gone: Collection[str] = ()
) -> Picture:
    """Draw the cost of the same call with several models, cheapest on top, on a logarithmic axis.

    costs  model -> US dollars, each above 0
    call   what is paid for, such as "1,000 tokens in, 300 out"
    gone   the models among them that are shut down; they are drawn hollow and marked in words

    Raises ValueError if there are no models, or for a cost that a logarithmic axis cannot show.
    """
    if not costs or min(costs.values()) <= 0:
        raise ValueError(
            f"A logarithmic axis can only show costs above 0; got {dict(costs)}."
        )
    order = sorted(costs, key=lambda name: (costs[name], name))
    made, axes = figure(
        0.9 + 0.34 * len(order),
        title=f"The same call: {call}",
        xlabel="US dollars per call (log scale)",
    )
    for row, name in enumerate(order):
        cost = float(costs[name])
        axes.plot(
            cost,
            row,
            "o",
            markersize=8,
            markeredgewidth=1.5,
            color=BLUE,
            markerfacecolor="white" if name in gone else BLUE,
        )
        note(axes, dollars(costs[name]), (cost, row), right=9)
    axes.set_xscale("log")
    in_dollars(axes.xaxis)
    axes.margins(x=0.12)
    rows_of(axes, [name + (GONE if name in gone else "") for name in order])
    amounts = ", ".join(f"{name} {dollars(costs[name])}" for name in order)
    return Picture(
        made,
        f"Cost of the same call ({call}) by model, cheapest first: {amounts}.",
    )


@styled
def cost_per_call(
    costs: Sequence[Decimal | None], *, title: str = "What each call cost"
) -> Picture:
    """Draw a bar for each call, in order.

    costs  as ``Meter.cost_per_call()`` returns them; None: no price is known, which is marked by a
           cross on the axis

    Raises ValueError if there are no calls.
    """
    if not costs:
        raise ValueError(
            "No call has been metered yet: run meter.add(reply) first, and then draw."
        )
    numbers = range(1, len(costs) + 1)
    made, axes = figure(3.0, title=title, xlabel="call", ylabel="US dollars")
    axes.bar(
        numbers, [float(cost or 0) for cost in costs], width=0.7, color=BLUE
    )
    unknown = [number for number in numbers if costs[number - 1] is None]
    axes.plot(
        unknown,
        [0] * len(unknown),
        "x",
        color=INK,
        clip_on=False,
        label="no price known",
    )
    if unknown:
        axes.legend()
    axes.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    axes.set_xlim(0.3, len(costs) + 0.7)
    axes.set_ylim(bottom=0)
    cost, highest = max(
        (costs[number - 1] or ZERO, number) for number in numbers
    )
    calls = "1 call" if len(costs) == 1 else f"{len(costs)} calls"
    missing = f" {len(unknown)} without a known price." if unknown else ""
    return Picture(
        made,
        f"{title}: {calls}; the most expensive is call {highest}, at {dollars(cost)}.{missing}",
    )


@styled
def bill(parts: Mapping[str, Share], *, title: str = "The bill") -> Picture:
    """Draw what was billed, by kind of token: tokens on the left, dollars on the right.

    parts  as ``Meter.split()`` returns them: "input", "cached", "output", "reasoning" ->
           Share(tokens, dollars)
    """
    made = canvas(2.6)
    tokens, money = made.subplots(1, 2, sharey=True)
    tokens.set(title=f"{title}: tokens", xlabel="tokens")
    money.set(title="… and dollars", xlabel="US dollars")
    for row, (name, share) in enumerate(parts.items()):
        look = part_look(name)
        for axes, value, words in (
            (tokens, float(share.tokens), f"{share.tokens:,}"),
            (money, float(share.dollars), dollars(share.dollars)),
        ):
            axes.barh(row, value, height=0.62, **look)
            note(axes, words, (value, row))
    rows_of(tokens, list(parts))
    for axes in (tokens, money):
        axes.margins(x=0.22)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    grid_along_x(money)
    amounts = ", ".join(
        f"{name} {share.tokens:,} tokens for {dollars(share.dollars)}"
        for name, share in parts.items()
    )
    return Picture(made, f"{title}, by kind of token: {amounts}.")
