"""Lab for chapter 07: a token budget, and whether each reasoning effort leaves enough of it for the
answer.

Taught in 07, lab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from ..foundation.markup import (
    NAME,
    NUMBER,
    SHORT,
    legend,
    rect,
    stretched,
    table,
    text,
)
from ..foundation.palette import GRAY, ORANGE, PURPLE, RED
from ..pricing import dollars, price_of
from ..reasoning import Fill, Split, fill_budget
from .lab import ON, Lab, menu, slider

LEAST, MOST, STEP = 50, 6_000, 50  # of the budget
ROW, LEFT, RIGHT, TOP = 34, 60, 16, 22  # pixels
HIDDEN, VISIBLE, LINE, EDGE = PURPLE, ORANGE, RED, GRAY
STRIPES = (
    '<pattern id="coursekit-stripes" width="6" height="6" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)"><rect width="6" height="6" fill="{HIDDEN}"/>'
    '<rect width="1.6" height="6" fill="white"/></pattern>'
)
ENDINGS = {
    "whole": "✔ whole answer",
    "cut": "✂ cut in the middle",
    "empty": "∅ no text",
}
LOOKS = (  # of the parts of a bar
    'fill="url(#coursekit-stripes)"',
    f'fill="{VISIBLE}"',
    f'fill="none" stroke="{EDGE}"',
    f'fill="none" stroke="{LINE}" stroke-dasharray="4 3" stroke-width="1.5"',
)
KEYS = {
    "hidden": f"background:repeating-linear-gradient(45deg,{HIDDEN} 0 4px,white 4px 5.5px)",
    "visible": f"background:{VISIBLE}",
    "free": f"border:1px solid {EDGE}",
    "still needed": f"border:1.5px dashed {LINE}",
}
Needs = Mapping[str, Mapping[str, Split]]


@dataclass(frozen=True, slots=True)
class GaugeSetting:
    """The controls' current settings.

    question  one of the lab's questions
    budget    max_completion_tokens, 1 or more
    longer    the factor by which the model thinks longer than recorded, above 0
    """

    question: str
    budget: int = 500
    longer: float = 1.0


@dataclass(frozen=True, slots=True)
class GaugeReading:
    """The result of a budget with one effort: how the budget is filled, and the cost in US dollars
    as shown.
    """

    filled: Fill
    cost: str


def outcomes(
    needs: Needs, setting: GaugeSetting, model: str
) -> dict[str, GaugeReading]:
    """Return effort -> outcome for the chosen question; a pure function."""
    found = {}
    for effort, bill in needs[setting.question].items():
        filled = fill_budget(
            setting.budget, round(bill.hidden * setting.longer), bill.visible
        )
        used = {
            "prompt_tokens": bill.usage.prompt,
            "completion_tokens": filled.hidden + filled.visible,
        }
        found[effort] = GaugeReading(
            filled, dollars(price_of(used, model, ON).total)
        )
    return found


def view(needs: Needs, setting: GaugeSetting, model: str) -> str:
    """Return the gauge and the numbers as HTML; a pure function."""
    found = outcomes(needs, setting, model)
    whole, lost = [], []
    for effort, each in found.items():
        if each.filled.ending == "whole":
            whole.append(effort)
        elif each.filled.ending == "empty":
            lost.append(f"with {effort}, you pay {each.cost} for nothing")
    enough = "not enough for a complete answer with any effort"
    if whole:
        enough = f"enough for a complete answer with {', '.join(whole)}"
    waste = f"{'; '.join(lost)}." if lost else ""
    return (
        f'<div class="coursekit-gauge"><p><b>{setting.budget:,} tokens: {escape(enough)}.</b> '
        f"{escape(waste)}</p>{legend(KEYS)}{_gauge(found, setting.budget)}{_table(found)}</div>"
    )


class BudgetGauge(Lab):
    """The lab: choose a budget, and see what is left of it for the text.

    needs   question -> effort -> bill for a complete answer, from ``reasoning.split()``
    model   the model that gave these answers, whose prices apply
    budget  the initial budget, in tokens
    """

    title = "The budget gauge"

    def __init__(self, needs: Needs, model: str, *, budget: int = 500) -> None:
        if not needs or not all(needs.values()):
            raise ValueError(
                "The gauge needs at least one question, and for each question at least one "
                "effort with its bill."
            )
        self.needs, self.model = needs, model
        wide = {"layout": {"width": "98%", "max_width": "46em"}}
        controls = {
            "question": menu(
                "Question", list(needs), next(iter(needs)), **wide
            ),
            "budget": slider(
                "Budget, tokens", budget, LEAST, MOST, STEP, **wide
            ),
            "longer": slider("Thinks × as long", 1.0, 0.25, 4, 0.25, **wide),
        }
        super().__init__(*controls.values(), **controls)

    @property
    def setting(self) -> GaugeSetting:
        """The controls' current settings."""
        return GaugeSetting(**self.values)

    def picture(self) -> str:
        return view(self.needs, self.setting, self.model)


def _counts(filled: Fill) -> dict[str, int]:
    """Return the parts of a bar, from left to right."""
    return {
        "hidden": filled.hidden,
        "visible": filled.visible,
        "free": filled.free,
        "missing": filled.missing,
    }


def _gauge(found: Mapping[str, GaugeReading], budget: int) -> str:
    """Draw a bar for each effort: what the model wrote within the budget, what was left, and
    (dashed) what it still needed.
    """
    longest = max(
        filled.hidden + filled.visible + max(filled.free, filled.missing)
        for filled in (outcome.filled for outcome in found.values())
    )
    height, end = TOP + ROW * len(found) + 20, budget / longest * 100
    parts, said = f"<defs>{STRIPES}</defs>", []
    for row, (effort, outcome) in enumerate(found.items()):
        top, x = TOP + ROW * row + 5, 0.0
        parts += text(-8, top + 16, effort, "end")
        counts = _counts(outcome.filled)
        for tokens, look in zip(counts.values(), LOOKS, strict=True):
            width = tokens / longest * 100
            if tokens:
                parts += rect(x, top, width, 24, look, "%")
            x += width
        words = [f"{tokens:,} {kind}" for kind, tokens in counts.items()]
        said.append(f"{effort}: {', '.join(words)}, {outcome.filled.ending}")
    beside = "end" if end > 70 else "start"
    parts += (
        rect(end, TOP - 4, 0.4, height - 12 - TOP, f'fill="{LINE}"', "%")
        + text(end, TOP - 8, f"budget {budget:,}", beside, "%")
        + text(0, height - 3, "0", "middle")
        + text(100, height - 3, f"{longest:,} tokens", "end", "%")
    )
    alt = f"Budget {budget:,} tokens. {'; '.join(said)}"
    return stretched(alt, height, "", parts, left=LEFT, right=RIGHT)


def _table(found: Mapping[str, GaugeReading]) -> str:
    heads = ("Effort", "Hidden", "Visible", "Free", "Missing", "Cost", "Ends")
    rows = []
    for effort, outcome in found.items():
        counts = [f"{count:,}" for count in _counts(outcome.filled).values()]
        ends = ENDINGS[outcome.filled.ending]
        rows.append((effort, *counts, outcome.cost, ends))
    return table(heads, rows, [NAME, *[NUMBER] * 5, SHORT])
