"""Lab of chapter 03: draw how the cost of a conversation grows, then see how it does.

Taught in 03, lab.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import ipywidgets as widgets

from .. import models
from ..conversation.forecasting import Sizes, forecast, spent
from ..foundation.markup import legend, round_numbers, svg, text
from ..foundation.palette import BLUE, GRAY, RED
from ..pricing import dollars
from .lab import WRAPPED, Lab, slider

# the day of the prices, fixed so that stored output stays
ON = datetime.date(2026, 11, 22)
MODEL = models.from_table("CHAT")
TURNS = 50
MARKS = (10, 20, 30, 40, 50)  # turns with a slider
MOST, STEP = 2.0, 0.02  # dollars
# of the drawing
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = (
    720,
    260,
    52,
    70,
    12,
    34,
)
KEYS = {
    "your guess": f"height:0;border-top:3px dashed {BLUE};vertical-align:4px",
    "the conversation": f"height:0;border-top:3px solid {RED};vertical-align:4px",
}


def costs() -> list[Decimal]:
    """US dollars after each of the 50 turns of the chapter's conversation, without caching."""
    turns = [
        replace(turn, cached=0)
        for turn in forecast(TURNS, Sizes(), None, MODEL)
    ]
    return spent(turns, MODEL, ON)


def view(guess: Sequence[float], *, revealed: bool) -> str:
    """The guess as a line, and with it the true cost once it is revealed; a pure function.

    guess  US dollars after the turns of ``MARKS``
    """
    true = costs()
    sizes = Sizes()
    said = (
        f"<p>Instructions of {sizes.system} tokens, questions of {sizes.user}, replies of "
        f"{sizes.reply}, {MODEL}, no cache. Turn 1 costs {dollars(true[0])}. "
        f"<b>What does the conversation cost in total after {TURNS} turns?</b></p>"
    )
    lines = _scales() + _line(
        [(0, 0.0), *zip(MARKS, guess, strict=True)], BLUE, "6 4"
    )
    alt = "Your guess: " + ", ".join(
        f"${g:.2f} at turn {t}" for t, g in zip(MARKS, guess, strict=True)
    )
    if revealed:
        points = [
            (0, 0.0),
            *((turn, float(cost)) for turn, cost in enumerate(true, start=1)),
        ]
        lines += _line(points, RED) + _amount(
            TURNS, float(true[-1]), dollars(true[-1])
        )
        alt += f". The conversation: {dollars(true[-1])} at turn {TURNS}"
    picture = legend(KEYS) + svg(f"{alt}.", WIDTH, HEIGHT, lines, font=12)
    verdict = (
        _verdict(guess, true)
        if revealed
        else "<p>Draw with the sliders, then press <b>Reveal</b>.</p>"
    )
    return f'<div class="coursekit-guess" style="line-height:1.5">{said}{picture}{verdict}</div>'


def _verdict(guess: Sequence[float], true: Sequence[Decimal]) -> str:
    half, whole = float(true[TURNS // 2 - 1]), float(true[-1])
    straight = float(true[0]) * TURNS
    return (
        f"<p><b>You said ${guess[-1]:.2f}; it is ${whole:.2f}.</b> {TURNS} times turn 1 is only "
        f"${straight:.2f}: each turn sends everything again that was said before it. From turn "
        f"{TURNS // 2} to turn {TURNS} the cost grows {whole / half:.1f}-fold: a parabola.</p>"
    )


def _x(turn: float) -> float:
    return LEFT + turn / TURNS * (WIDTH - LEFT - RIGHT)


def _y(amount: float) -> float:
    return HEIGHT - BOTTOM - amount / MOST * (HEIGHT - TOP - BOTTOM)


def _line(
    points: Sequence[tuple[int, float]], color: str, dashes: str = ""
) -> str:
    shown = " ".join(
        f"{_x(turn):.1f},{_y(amount):.1f}" for turn, amount in points
    )
    return (
        f'<polyline points="{shown}" fill="none" stroke="{color}" stroke-width="3" '
        f'stroke-dasharray="{dashes}"/>'
    )


def _amount(turn: int, amount: float, words: str) -> str:
    return text(_x(turn) + 6, _y(amount) + 4, words)


def _scales() -> str:
    parts = []
    for amount in round_numbers(MOST):
        y = _y(amount)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRAY}" '
            f'stroke-width="{0.3 if amount else 1}"/>'
        )
        parts.append(text(LEFT - 6, y + 4, f"${amount:.2f}", "end"))
    for turn in (0, *MARKS):
        parts.append(text(_x(turn), HEIGHT - BOTTOM + 16, str(turn), "middle"))
    parts.append(text(_x(TURNS / 2), HEIGHT - 3, "turn", "middle"))
    return "".join(parts)


class CostGuess(Lab):
    """The lab: draw the cost after 10, 20 … 50 turns with five sliders, then reveal it."""

    title = "Draw the cost"

    def __init__(self) -> None:
        look = {
            "orientation": "vertical",
            "layout": {"height": "170px", "width": "5.5em"},
        }
        self.guess = [
            slider(
                f"Turn {turn}",
                0.0,
                0,
                MOST,
                STEP,
                readout_format="$.2f",
                style={},
                **look,
            )
            for turn in MARKS
        ]
        self.reveal = widgets.ToggleButton(
            description="Reveal", tooltip="Show the true cost"
        )
        row = widgets.HBox([*self.guess, self.reveal], layout=WRAPPED)
        super().__init__([row], [*self.guess, self.reveal])

    def picture(self) -> str:
        return view(
            [slider.value for slider in self.guess], revealed=self.reveal.value
        )
