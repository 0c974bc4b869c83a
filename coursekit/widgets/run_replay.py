"""Lab for chapter 09: a replay of a capstone run, with every request on a timeline, the level of
each model's token bucket, the failures, and the shutdown of a model.

Taught in 09 §3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import Protocol

import ipywidgets as widgets

from ..foundation.markup import (
    legend,
    mark,
    rect,
    round_numbers,
    stretched,
    text,
)
from ..foundation.palette import BLUE, GRAY, ORANGE, PURPLE, RED
from ..throughput import RunSpan
from .lab import Lab, player

TPM = 30_000  # tokens per minute for each model, which is also the size of its bucket
# pixels: room for "30,000", the bucket, the requests, and the scale below them
TITLE, BUCKET, ROWS, BOTTOM = 14, 44, 150, 20
# positions of the player; milliseconds between two positions
STEPS, TICK = 200, 100

# Outcome -> color and path of its mark, drawn where a request began; an answered request has a bar
# instead.
MARKS = {
    "incomplete": (ORANGE, "m0 -3.5l3.5 6h-7z"),
    "refused": (PURPLE, "m-3 0h6"),
    "struck": (RED, "m-3 -3l6 6m0 -6l-6 6"),
    "gone": (GRAY, "m-3 -3h6v6h-6z"),
    "no money": (GRAY, "m0 -4v8m-4 -4h8"),
}
LABELS = {
    "incomplete": "△ 200, but not complete",
    "refused": "― refused by your own limit",
    "struck": "✕ hit by a fault",
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
    """Return the run up to ``at`` seconds as HTML; a pure function."""
    end = max(span.end for span in requests)
    at = min(at, end)
    seen = [span for span in requests if span.start <= at]
    keys = {
        "a request, until its answer is complete": f"background-color:{BLUE}",
        "tokens left in the bucket": f"background-color:{BLUE};opacity:0.3",
    }
    # the marks for what has happened so far
    found = {span.outcome for span in seen}
    for outcome, words in LABELS.items():
        if outcome in found:
            keys[words] = "display:none"
    lanes: dict[str, list[RunSpan]] = {}
    for span in requests:
        lanes.setdefault(span.model, []).append(span)
    drawn = "".join(
        _lane(model, spans, at, end) for model, spans in lanes.items()
    )
    return (
        '<div class="coursekit-replay" style="line-height:1.5">'
        f"<p><b>At {at:.0f} s of {end:.0f} s: {_counted(seen)}.</b></p>{legend(keys)}{drawn}</div>"
    )


def _counted(seen: Sequence[RunSpan]) -> str:
    counts = Counter(span.outcome for span in seen)
    found = [f"{count} {outcome}" for outcome, count in counts.items()]
    return f"{len(seen)} requests sent, {', '.join(found) or 'none answered'}"


def _lane(model: str, spans: Sequence[RunSpan], at: float, end: float) -> str:
    """Draw a model: its bucket's level, and its requests one below the other, with the first on
    top.
    """
    row, top = min(4.0, ROWS / len(spans)), TITLE + BUCKET
    spans = [span for span in spans if span.start <= at]
    said = f"{model}: {_counted(spans)}"
    bars, marks = "", ""
    for number, span in enumerate(spans):
        x, y = span.start / end * 100, top + 4 + number * row
        if span.outcome == "answered":
            width = max(0.1, (min(span.end, at) - span.start) / end * 100)
            bars += f"M{x:.2f} {y:.1f}h{width:.2f}v{max(0.6, row - 0.4):.1f}H{x:.2f}z"
        else:
            color, path = MARKS[span.outcome]
            marks += f'<g stroke="{color}">{mark(x, y, path)}</g>'
    shapes = (
        _bucket(spans, at, end)
        + f'<path d="{bars}" fill="{BLUE}"/>'
        + rect(at / end * 100, TITLE, 0.2, BUCKET + ROWS, f'fill="{GRAY}"')
        + rect(0, top + ROWS, 100, 1, f'fill="{GRAY}"')
    )
    words = (
        text(100, TITLE - 3, f"{TPM:,} tokens", "end", "%")
        + f'<g stroke-width="1.3" fill="none">{marks}</g>'
    )
    gone = [span.start for span in spans if span.outcome == "gone"]
    if gone:
        x = gone[0] / end * 100
        shapes += rect(x, TITLE, 0.3, BUCKET + ROWS, f'fill="{RED}"')
        shift, anchor = (-1, "end") if x > 60 else (1, "start")
        noticed = f"† shut down, noticed at {gone[0]:.0f} s"
        words += text(x + shift, top + ROWS - 4, noticed, anchor, "%")
    for seconds in round_numbers(end, 4):
        x = seconds / end * 100
        anchor = "middle" if 0 < x < 97 else "end" if x else "start"
        words += text(x, top + ROWS + 14, f"{seconds:g} s", anchor, "%")
    height = top + ROWS + BOTTOM
    drawing = stretched(f"{said}.", height, shapes, words, left=4, right=4)
    return f'<div style="margin-top:8px"><b>{escape(said)}</b></div>{drawing}'


def _bucket(spans: Sequence[RunSpan], at: float, end: float) -> str:
    """Draw the tokens left as an area that drops with each request and rises again over time."""
    left, before = float(TPM), 0.0
    points = [(0.0, left)]
    for span in spans:
        if span.tokens_left is not None:
            level = min(TPM, left + (span.start - before) * TPM / 60)
            left, before = float(span.tokens_left), span.start
            points += [(before, level), (before, left)]
    full = before + (TPM - left) / TPM * 60
    if full < at:
        points.append((full, TPM))
    points.append((at, min(TPM, left + (at - before) * TPM / 60)))
    floor = TITLE + BUCKET
    drawn = " ".join(
        f"{time / end * 100:.2f},{floor - left / TPM * BUCKET:.1f}"
        for time, left in points
    )
    full_line = rect(0, TITLE, 100, 0.5, f'fill="{GRAY}"')
    return (
        f'<polygon points="0,{floor} {drawn} {at / end * 100:.2f},{floor}" fill="{BLUE}" '
        f'fill-opacity="0.3"/>{full_line}'
    )


class RunReplay(Lab):
    """The lab: play a run, or move to any moment in it.

    score  the result of ``attempt()``

    Raises ValueError for a score without requests.
    """

    title = "Replay of the run"

    def __init__(self, score: Run) -> None:
        if not score.requests:
            raise ValueError(
                "There is nothing to play. Pass the score that attempt(solve) returns."
            )
        self.requests = score.requests
        self.step = max(span.end for span in score.requests) / STEPS
        self.play, position = player(
            STEPS,
            STEPS,
            TICK,
            "Play the run",
            description="Position",
            readout=False,
        )
        super().__init__(widgets.HBox([self.play, position]), position=position)

    def picture(self) -> str:
        return view(self.requests, self.position.value * self.step)
