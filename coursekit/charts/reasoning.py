"""Chapter 07: what hidden reasoning costs by effort, and what a correct answer costs.

Taught in 07 §5.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..foundation.palette import BLUE, GRAY, ORANGE
from ..pricing import dollars
from ..reasoning import Score, Split
from .picture import (
    LEGEND,
    SMALL,
    Picture,
    canvas,
    figure,
    in_dollars,
    note,
    rows_of,
    stacked_rows,
    style,
)

BARS = {
    "input": "prompt",
    "output": "visible text",
    "reasoning": "hidden reasoning",
}


def cost_by_effort(
    splits: Mapping[str, Split],
    *,
    title: str = "What the answer cost",
    provenance: str = "written",
) -> Picture:
    """A bar for each reply: the cost of its prompt, its text and its hidden reasoning, end to end.

    splits      the label of each reply -> its bill
    provenance  of the replies, as on their receipts; it is part of the picture

    Raises ValueError without a reply.
    """
    if not splits:
        raise ValueError("There is no reply to draw: give at least one.")
    made, axes = figure(
        8.0,
        1.5 + 0.42 * len(splits),
        title=title,
        x=f"US dollars · answers and counts: {provenance}",
    )
    bills = list(splits.values())
    parts = {
        part: (label, [_cost(bill, part) for bill in bills])
        for part, label in BARS.items()
    }
    ends = stacked_rows(axes, parts)
    costs = [sum(_cost(bill, part) for part in BARS) for bill in bills]
    for row, (bill, cost) in enumerate(zip(bills, costs, strict=True)):
        hidden = (
            f"   {bill.hidden:,} of {bill.usage.completion:,} tokens out hidden"
        )
        words = f"{dollars(Decimal(cost))}{hidden if bill.hidden else ''}"
        note(axes, words, (ends[row], row), right=5)
    rows_of(axes, list(splits))
    axes.set_xlim(0, max(ends) * 1.55)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    in_dollars(axes.xaxis)
    made.legend(loc="outside lower center", ncols=3, **LEGEND)
    said = "; ".join(
        f"{name}: {dollars(Decimal(cost))}, including {dollars(bill.hidden_cost)} for "
        f"{bill.hidden:,} hidden tokens"
        for (name, bill), cost in zip(splits.items(), costs, strict=True)
    )
    return Picture(made, f"{title} ({provenance}). {said}.")


def comparison(
    scores: Mapping[str, Score],
    *,
    title: str = "The same questions",
    provenance: str = "written",
) -> Picture:
    """Three panels side by side, a row for each way of asking: correct answers, seconds per
    question, cost per correct answer.

    scores      label -> how the model did; all on the same number of questions
    provenance  of the replies, as on their receipts; it is part of the picture

    Raises ValueError without a row, or if the numbers of questions differ.
    """
    counts = {score.asked for score in scores.values()}
    if len(counts) != 1 or not all(counts):
        raise ValueError(
            "Give scores on the same number of questions, at least one each; these have "
            f"{sorted(counts)}."
        )
    (questions,) = counts
    made = canvas(
        1.3 + 0.36 * len(scores),
        title=f"{title} · answers, counts and times: {provenance}",
    )
    correct, seconds, money = made.subplots(1, 3, sharey=True)
    times = [score.seconds / questions for score in scores.values()]
    costs = [score.cost_per_correct for score in scores.values()]
    _panel(
        correct,
        f"correct of {questions}",
        [s.correct for s in scores.values()],
        [f"{s.correct}" for s in scores.values()],
    )
    _panel(
        seconds,
        "seconds per question",
        times,
        [f"{time:.1f} s" for time in times],
        color=GRAY,
    )
    _panel(
        money,
        "cost per correct answer",
        [float(c or 0) for c in costs],
        ["none correct" if c is None else dollars(c) for c in costs],
        color=ORANGE,
    )
    correct.set_xlim(0, questions * 1.2)
    in_dollars(money.xaxis)
    rows_of(correct, list(scores))
    said = "; ".join(
        f"{name}: {score.correct} of {questions} correct, {time:.1f} s per question, "
        + (
            "no correct answer"
            if cost is None
            else f"{dollars(cost)} per correct answer"
        )
        for (name, score), time, cost in zip(
            scores.items(), times, costs, strict=True
        )
    )
    return Picture(made, f"{title} ({provenance}). {said}.")


def _cost(bill: Split, part: str) -> Decimal:
    return {
        "input": bill.prompt_cost,
        "output": bill.visible_cost,
        "reasoning": bill.hidden_cost,
    }[part]


def _panel(
    axes: Axes,
    title: str,
    widths: list[float],
    labels: list[str],
    color: str = BLUE,
) -> None:
    style(axes, title=title)
    axes.barh(range(len(widths)), widths, height=0.62, color=color)
    for row, (width, label) in enumerate(zip(widths, labels, strict=True)):
        note(axes, label, (width, row), fontsize=SMALL)
    axes.set_xlim(0, (max(widths) or 1) * 1.5)
    axes.xaxis.set_major_locator(
        MaxNLocator(
            nbins=3, integer=all(isinstance(width, int) for width in widths)
        )
    )
    axes.tick_params(labelsize=8)
    axes.grid(visible=False)
