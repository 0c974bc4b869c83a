"""Lab for chapter 08: a task with its requirements, and the models that meet them.

Taught in 08, lab.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from html import escape
from typing import Any

import ipywidgets as widgets

from ..choosing import NEEDS, PRICES_ON, Judgment, Task, judge
from ..foundation.markup import NAME, NUMBER, SHORT, table
from ..pricing import dollars
from .lab import LOOK, Lab, menu, row

PROMPTS = (
    100,
    300,
    1_000,
    3_000,
    10_000,
    30_000,
    100_000,
    150_000,
    250_000,
    300_000,
    1_000_000,
)
REPLIES = (10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000)
HIDDEN = (0, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000)
# dollars per thousand requests
BUDGETS = tuple(
    map(Decimal, ("0.1", "0.3", "1", "3", "10", "30", "100", "300"))
)
TIMES = (1, 2, 3, 5, 10, 20, 60)  # seconds
ANY = "any"
DAYS = (
    datetime.date(2026, 10, 22),
    PRICES_ON,
    datetime.date(2026, 12, 12),
    datetime.date(2027, 2, 1),
)
THOUSAND = 1000
REMAINS, OUT = "✓", "✗"


def view(task: Task) -> str:
    """Return the models for a task as HTML: those that remain, with cost and time, and what rules
    out the others.
    """
    judged = judge(task)
    shades = ["" if each.remains else "opacity:0.75" for each in judged]
    shown = table(HEADS, map(_row, judged), LOOKS, row_style=shades)
    return f'<div class="coursekit-chooser"><p>{_said(judged)}</p>{shown}</div>'


class ModelChooser(Lab):
    """The lab: move a slider or tick a requirement, and see which models remain.

    task  the initial position of the controls; its numbers must be values that the sliders offer
    """

    title = "The model chooser"

    def __init__(self, task: Task | None = None) -> None:
        task = task or Task()
        budget, seconds = task.max_cost, task.max_seconds
        sliders = {
            "prompt": _slider("Prompt, tokens", PROMPTS, task.prompt),
            "reply": _slider("Reply, tokens", REPLIES, task.reply),
            "hidden": _slider("Hidden, tokens", HIDDEN, task.hidden),
            "budget": _slider(
                "$ per 1,000",
                (*BUDGETS, ANY),
                ANY if budget is None else budget * THOUSAND,
            ),
            "seconds": _slider(
                "Seconds", (*TIMES, ANY), ANY if seconds is None else seconds
            ),
            "on": menu("On", [(str(day), day) for day in DAYS], task.on),
        }
        self.needs = {
            need: widgets.Checkbox(
                need in task.needs,
                description=words,
                indent=False,
                layout={"width": "10.5em"},
            )
            for need, words in NEEDS.items()
        }
        rows = (row(*sliders.values()), row(*self.needs.values()))
        super().__init__(*rows, **sliders, **self.needs)

    @property
    def task(self) -> Task:
        """The controls' current settings."""
        values = self.values
        needs = frozenset(need for need in NEEDS if values.pop(need))
        budget, seconds = values.pop("budget"), values.pop("seconds")
        return Task(
            **values,
            needs=needs,
            max_cost=None if budget == ANY else budget / THOUSAND,
            max_seconds=None if seconds == ANY else float(seconds),
        )

    def picture(self) -> str:
        return view(self.task)


HEADS = (
    "Model",
    "$ per 1,000",
    "Seconds",
    "Context",
    "Last day",
    "Ruled out by",
)
# Only the last column's text may wrap.
LOOKS = (SHORT, *[NUMBER] * 4, f"{NAME};min-width:7em")


def _slider(label: str, options: tuple[Any, ...], start: Any) -> Any:
    shown = [
        (f"{option:,}" if isinstance(option, int) else str(option), option)
        for option in options
    ]
    return widgets.SelectionSlider(
        options=shown, value=start, description=label, **LOOK
    )


def _said(judged: list[Judgment]) -> str:
    left = [each for each in judged if each.remains]
    if not left:
        return "<b>No model remains.</b> Loosen a limit or drop a requirement."
    count = f"{len(left)} of {len(judged)} models remain"
    if len(left) == 1:
        count = "1 model remains"
    return (
        f"<b>{count}.</b> The cheapest is {escape(left[0].name)}: {_per_thousand(left[0])} "
        "for 1,000 requests."
    )


def _row(judged: Judgment) -> tuple[str, ...]:
    model = judged.model
    effort = f" ({judged.effort})" if judged.effort else ""
    return (
        f"{REMAINS if judged.remains else OUT} {judged.name}{effort}",
        _per_thousand(judged),
        "no data" if judged.seconds is None else f"{judged.seconds:.1f}",
        f"{model.context:,}" if model.context else "not known",
        str(model.shutdown - datetime.timedelta(days=1))
        if model.shutdown
        else "none set",
        "; ".join(judged.against),
    )


def _per_thousand(judged: Judgment) -> str:
    return dollars(judged.cost * THOUSAND)
