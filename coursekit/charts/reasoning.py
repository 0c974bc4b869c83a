"""Charts for chapter 07: what hidden reasoning costs by effort, and what a correct answer costs.

Taught in 07 §5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..foundation.palette import BLUE, GRAY, ORANGE
from ..pricing import dollars
from ..reasoning import Score, Split
from .picture import (
    SMALL,
    Picture,
    canvas,
    figure,
    in_dollars,
    note,
    rows_of,
    stacked_rows,
    styled,
)


@styled
def cost_by_effort(
    splits: Mapping[str, Split],
    *,
    title: str = "What the answer cost",
    provenance: str = "written",
) -> Picture:
    """Draw a bar for each reply: the costs of its prompt, its text, and its hidden reasoning, end
    to end.

    splits      the reply's label -> its bill
    provenance  of the replies, as on their receipts; it is part of the picture

    Raises ValueError if there are no replies.
    """
    if not splits:
        raise ValueError("There is no reply to draw: give at least one.")
    made, axes = figure(
        1.5 + 0.42 * len(splits),
        title=title,
        xlabel=f"US dollars · answers and counts: {provenance}",
    )
    bills = splits.values()
    parts = {
        "input": ("prompt", [bill.prompt_cost for bill in bills]),
        "output": ("visible text", [bill.visible_cost for bill in bills]),
        "reasoning": ("hidden reasoning", [bill.hidden_cost for bill in bills]),
    }
    ends, said = stacked_rows(axes, parts), []
    for row, (name, bill) in enumerate(splits.items()):
        cost = dollars(bill.price.total)
        hidden = (
            f"{bill.hidden:,} of {bill.usage.completion:,} tokens out hidden"
        )
        words = f"{cost}   {hidden}" if bill.hidden else cost
        note(axes, words, (ends[row], row), right=5)
        said.append(
            f"{name}: {cost}, including {dollars(bill.hidden_cost)} for "
            f"{bill.hidden:,} hidden tokens"
        )
    rows_of(axes, list(splits))
    axes.set_xlim(0, max(ends) * 1.55)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    in_dollars(axes.xaxis)
    made.legend(loc="outside lower center", ncols=3)
    return Picture(made, f"{title} ({provenance}). {'; '.join(said)}.")


@styled
def comparison(
    scores: Mapping[str, Score],
    *,
    title: str = "The same questions",
    provenance: str = "written",
) -> Picture:
    """Draw three panels side by side, with a row for each way of asking: correct answers, seconds
    per question, and cost per correct answer.

    scores      label -> the model's Score; all have the same number of questions
    provenance  of the replies, as on their receipts; it is part of the picture

    Raises ValueError if there are no rows, or if the numbers of questions differ.
    """
    counts = {score.asked for score in scores.values()}
    if len(counts) != 1 or not all(counts):
        raise ValueError(
            "Give scores on the same number of questions, at least one each; got "
            f"{sorted(counts)}."
        )
    (questions,) = counts
    made = canvas(
        1.3 + 0.36 * len(scores),
        title=f"{title} · answers, counts and times: {provenance}",
    )
    correct, seconds, money = made.subplots(1, 3, sharey=True)
    times, costs, written, said = [], [], [], []
    for name, score in scores.items():
        time, cost = score.seconds / questions, score.cost_per_correct
        times.append(time)
        costs.append(float(cost or 0))
        written.append("none correct" if cost is None else dollars(cost))
        each = "no correct answer"
        if cost is not None:
            each = f"{dollars(cost)} per correct answer"
        said.append(
            f"{name}: {score.correct} of {questions} correct, {time:.1f} s per question, {each}"
        )
    right = [score.correct for score in scores.values()]
    _panel(correct, f"correct of {questions}", right, map(str, right), BLUE)
    per_question = [f"{time:.1f} s" for time in times]
    _panel(seconds, "seconds per question", times, per_question, GRAY)
    _panel(money, "cost per correct answer", costs, written, ORANGE)
    correct.set_xlim(0, questions * 1.2)
    in_dollars(money.xaxis)
    rows_of(correct, list(scores))
    return Picture(made, f"{title} ({provenance}). {'; '.join(said)}.")


def _panel(
    axes: Axes,
    title: str,
    widths: Sequence[float],
    labels: Iterable[str],
    color: str,
) -> None:
    axes.set_title(title)
    axes.barh(range(len(widths)), widths, height=0.62, color=color)
    for row, (width, label) in enumerate(zip(widths, labels, strict=True)):
        note(axes, label, (width, row), fontsize=SMALL)
    axes.set_xlim(0, (max(widths) or 1) * 1.5)
    whole = isinstance(widths[0], int)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=whole))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(visible=False)
