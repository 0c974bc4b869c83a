"""Lab of chapter 09: a run of the capstone played again, every request on a timeline, with the
level of each model's bucket of tokens, the failures that struck, and the death of a model.

Taught in 09, after the first good run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets as widgets

from ..foundation.markup import legend, rect, round_numbers, svg, text
from ..foundation.palette import BLUE, GRAY, ORANGE, PURPLE, RED
from ..throughput import RunSpan
from .lab import Lab

TPM = 30_000  # tokens a minute, of each model: its bucket holds as many
WIDTH, LEFT, RIGHT = 900, 8, 8  # of the drawing, in its own units
TITLE, BUCKET, ROWS, GAP, BOTTOM = 18, 44, 150, 10, 26  # heights
# positions of the player; milliseconds between two of them
STEPS, TICK = (
    200,
    100,
)

# Outcome -> color and path of its mark, around the place where a request began; none: only its bar.
MARKS = {
    "incomplete": (ORANGE, "m0 -3.5l3.5 6h-7z"),
    "refused": (PURPLE, "m-3 0h6"),
    "struck": (RED, "m-3 -3l6 6m0 -6l-6 6"),
    "gone": (GRAY, "m-3 -3h6v6h-6z"),
    "no money": (GRAY, "m0 -4v8m-4 -4h8"),
}
LABELS = {
    "incomplete": "△ 200, but not the whole answer",
    "refused": "― refused by your own limit",
    "struck": "✕ struck by a failure",
    "gone": "□ 404, the model is gone",
    "no money": "+ no money left",
}


class Run(Protocol):
    """What ``attempt()`` returns."""

    @property
    def requests(self) -> Sequence[RunSpan]: ...
    @property
    def total(self) -> float: ...


def view(requests: Sequence[RunSpan], at: float) -> str:
    """The run up to ``at`` seconds, as HTML; a pure function."""
    end = max(span.end for span in requests)
    at = min(at, end)
    seen = [span for span in requests if span.start <= at]
    models = list(dict.fromkeys(span.model for span in requests))
    top, parts = 0.0, []
    for model in models:
        spans = [span for span in requests if span.model == model]
        parts.append(_lane(model, spans, at, end, top))
        top += TITLE + BUCKET + ROWS + GAP
    now = LEFT + at / end * (WIDTH - LEFT - RIGHT)
    parts.append(rect(now, 0, 1, top, f'fill="{GRAY}"'))
    parts.append(_seconds(end, top))
    said = f"At {at:.0f} s of {end:.0f} s: {_counted(seen)}"
    picture = svg(
        f"{said}; by model: {', '.join(models)}.",
        WIDTH,
        top + BOTTOM,
        "".join(parts),
    )
    return (
        f'<div class="coursekit-replay" style="line-height:1.5"><p><b>{escape(said)}.</b></p>'
        f"{_legend(seen)}{picture}</div>"
    )


def _counted(seen: Sequence[RunSpan]) -> str:
    counts = Counter(span.outcome for span in seen)
    found = [f"{count} {outcome}" for outcome, count in counts.items()]
    return f"{len(seen)} requests sent, {', '.join(found) or 'none answered'}"


def _legend(seen: Sequence[RunSpan]) -> str:
    """Of what has happened so far."""
    found = {span.outcome for span in seen}
    keys = {
        "a request, until its answer is whole": f"background-color:{BLUE}",
        "tokens left in the bucket": f"background-color:{BLUE};opacity:0.3",
    }
    marks = {
        LABELS[outcome]: "display:none" for outcome in MARKS if outcome in found
    }
    return legend(keys | marks)


def _lane(
    model: str, spans: Sequence[RunSpan], at: float, end: float, top: float
) -> str:
    """A model: its bucket's level, and its requests one below the other, the first on top."""
    scale = (WIDTH - LEFT - RIGHT) / end
    row, floor = min(4.0, ROWS / len(spans)), top + TITLE + BUCKET
    spans = [span for span in spans if span.start <= at]
    bars, marks = "", dict.fromkeys(MARKS, "")
    for number, span in enumerate(spans):
        x, y = LEFT + span.start * scale, floor + 4 + number * row
        if span.outcome == "answered":
            width = max(0.8, (min(span.end, at) - span.start) * scale)
            bars += f"M{x:.1f} {y:.1f}h{width:.1f}v{max(0.6, row - 0.4):.1f}h{-width:.1f}z"
        else:
            marks[span.outcome] += f"M{x:.1f} {y:.1f}{MARKS[span.outcome][1]}"
    parts = [
        text(LEFT, top + 13, f"{model}: {_counted(spans)}"),
        _bucket(spans, at, scale, floor),
        f'<path d="{bars}" fill="{BLUE}"/>',
    ]
    for outcome, path in marks.items():
        if path:
            color = MARKS[outcome][0]
            parts.append(
                f'<path d="{path}" stroke="{color}" stroke-width="1.3" fill="none"/>'
            )
    gone = [span.start for span in spans if span.outcome == "gone"]
    if gone:
        x = LEFT + gone[0] * scale
        parts.append(
            rect(x - 1, top + TITLE, 2, BUCKET + ROWS, f'fill="{RED}"')
        )
        parts.append(
            text(
                x + 5,
                floor + ROWS - 4,
                f"† shut down, noticed at {gone[0]:.0f} s",
            )
        )
    return "".join(parts)


def _bucket(
    spans: Sequence[RunSpan], at: float, scale: float, floor: float
) -> str:
    """The tokens left, as an area: down with each request, up again with time."""
    level, before = float(TPM), 0.0
    points = [(0.0, level)]
    for span in (span for span in spans if span.tokens_left is not None):
        level = min(TPM, level + (span.start - before) * TPM / 60)
        points += [
            (span.start, level),
            (span.start, float(span.tokens_left or 0)),
        ]
        level, before = float(span.tokens_left or 0), span.start
    full = before + (TPM - level) / TPM * 60
    if full < at:
        points.append((full, float(TPM)))
    points.append((at, min(TPM, level + (at - before) * TPM / 60)))
    drawn = " ".join(
        f"{LEFT + time * scale:.1f},{floor - left / TPM * BUCKET:.1f}"
        for time, left in points
    )
    shape = f"{LEFT},{floor} {drawn} {LEFT + at * scale:.1f},{floor}"
    full_line = f"{floor - BUCKET:.1f}"
    return (
        f'<polygon points="{shape}" fill="{BLUE}" fill-opacity="0.3" stroke="{BLUE}"/>'
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{full_line}" y2="{full_line}" '
        f'stroke="{GRAY}" stroke-dasharray="2 4"/>'
        + text(WIDTH - RIGHT, floor - BUCKET - 3, f"{TPM:,} tokens", "end")
    )


def _seconds(end: float, floor: float) -> str:
    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}" stroke="{GRAY}"/>'
    ]
    for number in round_numbers(end, 8):
        x = LEFT + number / end * (WIDTH - LEFT - RIGHT)
        parts.append(
            text(
                x, floor + 14, f"{number:g} s", "middle" if number else "start"
            )
        )
    return "".join(parts)


class RunReplay(Lab):
    """The lab: play a run, or move to a moment of it.

    score  from ``attempt()``

    Raises ValueError for a score without requests.
    """

    title = "The run, played again"

    def __init__(self, score: Run) -> None:
        if not score.requests:
            raise ValueError(
                "There is nothing to play: give the score that attempt(solve) returns."
            )
        self.requests = score.requests
        end = max(span.end for span in score.requests)
        self.step = end / STEPS
        look: dict[str, Any] = {"min": 0, "max": STEPS}
        self.play = widgets.Play(
            STEPS,
            interval=TICK,
            tooltip="Play the run",
            show_repeat=False,
            **look,
        )
        self.position = widgets.IntSlider(
            STEPS,
            description="Position",
            readout=False,
            style={"description_width": "initial"},
            layout={"width": "100%"},
            **look,
        )
        widgets.jslink((self.play, "value"), (self.position, "value"))
        super().__init__(
            [widgets.HBox([self.play, self.position])], [self.position]
        )

    def picture(self) -> str:
        return view(self.requests, self.position.value * self.step)
