"""Lab for chapter 03: draw how the cost of a conversation grows, and then see how it really grows.

Taught in 03, lab.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import ipywidgets as widgets

from .. import models
from ..conversation.forecasting import Sizes, forecast, spent
from ..foundation.markup import legend, svg, text
from ..foundation.palette import BLUE, RED
from ..pricing import dollars
from .lab import ON, Lab, slider
from .plot import Plot

MODEL = models.from_table("CHAT")
TURNS = 50
MARKS = (10, 20, 30, 40, 50)  # turns with a slider
MOST, STEP = 2.0, 0.02  # dollars
PLOT = Plot(
    720, 260, left=52, right=70, top=12, bottom=34, last=TURNS, most=MOST
)
KEYS = {
    "your guess": f"height:0;border-top:3px dashed {BLUE};vertical-align:4px",
    "the conversation": f"height:0;border-top:3px solid {RED};vertical-align:4px",
}


def costs() -> list[Decimal]:
    """Return the US dollars spent after each of the 50 turns in the chapter's conversation, without
    caching.
    """
    turns = [
        replace(turn, cached=0)
        for turn in forecast(TURNS, Sizes(), None, MODEL)
    ]
    return spent(turns, MODEL, ON)


def view(guess: Sequence[float], *, revealed: bool) -> str:
    """Return the guess as a line, along with the true cost once it is revealed; a pure function.

    guess  US dollars after the turns in ``MARKS``
    """
    true = costs()
    whole, sizes = true[-1], Sizes()
    points = [(0, 0.0), *zip(MARKS, guess, strict=True)]
    lines = (
        PLOT.levels("${:.2f}".format)
        + PLOT.below((0, *MARKS), "turn")
        + PLOT.line(points, BLUE, dashes="6 4")
    )
    drawn = ", ".join(
        f"${amount:.2f} at turn {turn}" for turn, amount in points[1:]
    )
    alt = f"Your guess: {drawn}"
    verdict = "<p>Draw with the sliders, then press <b>Reveal</b>.</p>"
    if revealed:
        lines += PLOT.line(enumerate([0.0, *map(float, true)]), RED)
        lines += text(
            PLOT.x(TURNS) + 6, PLOT.y(float(whole)) + 4, dollars(whole)
        )
        alt += f". The conversation: {dollars(whole)} at turn {TURNS}"
        verdict = _verdict(guess[-1], true)
    return (
        '<div class="coursekit-guess" style="line-height:1.5">'
        f"<p>Instructions of {sizes.system} tokens, questions of {sizes.user}, replies of "
        f"{sizes.reply}, {MODEL}, no cache. Turn 1 costs {dollars(true[0])}. "
        f"<b>What does the conversation cost in total after {TURNS} turns?</b></p>"
        f"{legend(KEYS)}{svg(f'{alt}.', PLOT.width, PLOT.height, lines, font=12)}{verdict}</div>"
    )


def _verdict(guess: float, true: Sequence[Decimal]) -> str:
    half, whole = float(true[TURNS // 2 - 1]), float(true[-1])
    straight = float(true[0]) * TURNS
    return (
        f"<p><b>You said ${guess:.2f}; it is ${whole:.2f}.</b> {TURNS} times turn 1 is only "
        f"${straight:.2f}: each turn resends everything that was said before it. From turn "
        f"{TURNS // 2} to turn {TURNS} the cost grows {whole / half:.1f}-fold: a parabola.</p>"
    )


class CostGuess(Lab):
    """The lab: draw the cost after 10, 20, …, 50 turns with five sliders, and then reveal it."""

    title = "Draw the cost"

    def __init__(self) -> None:
        upright = {
            "orientation": "vertical",
            "layout": {"height": "170px", "width": "5.5em"},
            "style": {},
        }
        controls = {
            f"turn_{turn}": slider(
                f"Turn {turn}",
                0.0,
                0,
                MOST,
                STEP,
                readout_format="$.2f",
                **upright,
            )
            for turn in MARKS
        }
        self.guess = list(controls.values())
        reveal = widgets.ToggleButton(
            description="Reveal", tooltip="Show the true cost"
        )
        super().__init__(**controls, reveal=reveal)

    def picture(self) -> str:
        return view(
            [slider.value for slider in self.guess], revealed=self.reveal.value
        )
