"""Lab of chapter 06: choose a fault and a way to take it, and see every attempt, its wait and the
outcome.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from pathlib import Path
from textwrap import shorten
from typing import Any

import ipywidgets as widgets

from ..foundation.palette import GRAY, GREEN, RED
from ..offline.watched.verdict import TOLERANCE
from .fault_runs import (
    LASTING,
    PROBLEMS,
    STRATEGIES,
    TIMES,
    HttpCall,
    Run,
    Setting,
    run,
)
from .lab import Echo, Lab, Press
from .safe_html import sendable
from .table import Html, table

PREDICT = "<p><b>Predict:</b> how many HTTP requests, how many seconds? Then press <b>Run</b>.</p>"
BAR, HEIGHT = 220, 18  # of a row's drawing, in its own units
FAILED, ANSWERED, WAITING = RED, GREEN, GRAY
LEFT = "text-align:left;padding:2px 10px 2px 0"
NUMBER = "text-align:right;padding:2px 10px;font-variant-numeric:tabular-nums;white-space:nowrap"
COLUMNS = (
    ("#", NUMBER),
    ("sent by", LEFT),
    ("at", NUMBER),
    ("0 to {end:.1f} s →", LEFT),
    ("outcome", f"{LEFT};white-space:nowrap"),
    ("then waits", LEFT),
)


def view(done: Run) -> str:
    """A run as HTML: each request with its time, outcome and wait, and what came of it all; a pure
    function.
    """
    end = max(done.seconds, done.calls[-1].ended, 0.1)
    rows = [
        _row(number, call, later, end)
        for number, (call, later) in enumerate(_pairs(done.calls), start=1)
    ]
    heads = [name.format(end=end) for name, _ in COLUMNS]
    lasting = " It does not pass by itself." if done.setting.problem in LASTING else ""
    return (
        '<div class="coursekit-faults" style="line-height:1.5">'
        f"<p><b>{escape(done.setting.problem)}</b>, taken with "
        f"<b>{escape(done.setting.strategy)}</b>.{lasting}</p>"
        f"{table(heads, rows, [look for _, look in COLUMNS])}{_result(done)}</div>"
    )


def _pairs(calls: tuple[HttpCall, ...]) -> list[tuple[HttpCall, HttpCall | None]]:
    return [*pairwise(calls), (calls[-1], None)]


def _row(
    number: int, call: HttpCall, later: HttpCall | None, end: float
) -> tuple[str, ...]:
    met = f"{'✓' if call.answered else '✗'} {call.met}"
    bar = Html(_bar(call, later, end))
    return (
        str(number),
        call.by,
        f"{call.at:.2f} s",
        bar,
        sendable(met),
        _wait(call, later),
    )


def _wait(call: HttpCall, later: HttpCall | None) -> str:
    """Seconds until the next request, and how many the server had asked for."""
    waited = "" if later is None else f"{later.at - call.ended:.2f} s"
    if call.told is None:
        return waited
    early = later is not None and later.at - call.ended < call.told - TOLERANCE
    return f"{waited}{' ⚠' if early else ',' if waited else ''} asked {call.told:g} s".strip()


def _bar(call: HttpCall, later: HttpCall | None, end: float) -> str:
    """The request as a bar, the wait after it as a dashed line, on the time axis that all rows
    share.
    """
    scale = BAR / end
    start, width = call.at * scale, max(3.0, (call.ended - call.at) * scale)
    drawn = (
        f'<rect x="{start:.1f}" y="3" width="{width:.1f}" height="{HEIGHT - 6}" '
        f'fill="{ANSWERED if call.answered else FAILED}"/>'
    )
    if later is not None:
        drawn += (
            f'<line x1="{start + width:.1f}" x2="{max(start + width, later.at * scale):.1f}" '
            f'y1="{HEIGHT / 2:g}" '
            f'y2="{HEIGHT / 2:g}" stroke="{WAITING}" stroke-width="2" stroke-dasharray="4 3"/>'
        )
    told = f"from {call.at:.2f} s to {call.ended:.2f} s"
    return (
        f'<svg role="img" aria-label="{told}" viewBox="0 0 {BAR + 4} {HEIGHT}" width="{BAR}" '
        f'height="{HEIGHT}" '
        f'style="max-width:100%;min-width:{BAR - 90}px">{drawn}</svg>'
    )


def _result(done: Run) -> str:
    """What the program got, and what it cost the others."""
    if done.answer is not None:
        got = f"✓ After {done.seconds:.1f} s the program has its answer: {done.answer}"
    else:
        got = f"✗ After {done.seconds:.1f} s the program gets an error: {_short(done.error)}"
    verdict, count = done.verdict, len(done.calls)
    counts = [f"<b>{count} HTTP request{'s'[: count > 1]}</b>"]
    counts += [f"{verdict.wasted} that could not help"] if verdict.wasted else []
    counts += (
        [f"{verdict.too_early} sent earlier than the server asked"]
        if verdict.too_early
        else []
    )
    counts += (
        [f"{verdict.lost} billed answer{'s'[: verdict.lost > 1]} lost on the way"]
        if verdict.lost
        else []
    )
    return f'<p style="white-space:pre-wrap">{escape(sendable(got))}</p><p>{", ".join(counts)}.</p>'


def _short(error: str) -> str:
    """The error's first line and its note; the API's messages are long."""
    first, *notes = error.splitlines() or [""]
    return "\n".join([shorten(first, 160, placeholder=" …"), *notes])


class FaultBoard(Lab):
    """The lab: choose, predict, press Run. The real SDK asks the offline API, on virtual time:
    nothing has to be waited for.

    setting     what is run first
    recordings  where the answer is found; None: the course's own

    Where no widget can be shown (on the web, in print), the output is the first run.
    """

    title = "The fault board"

    def __init__(
        self, setting: Setting | None = None, recordings: str | Path | None = None
    ) -> None:
        setting = setting or Setting()
        self.recordings = recordings
        self.ran = True  # and nothing has been chosen since
        self.problem = _choice("What goes wrong", PROBLEMS, setting.problem)
        self.times = _choice("How often", tuple(TIMES), setting.times)
        self.strategy = _choice("Taken with", tuple(STRATEGIES), setting.strategy)
        self.button = Press(
            self._run,
            Echo(),
            description="Run",
            tooltip="Send it, and see every attempt",
        )
        controls = (self.problem, self.times, self.strategy)
        super().__init__([*controls, self.button])
        for control in controls:
            control.observe(self._ask, "value")

    @property
    def setting(self) -> Setting:
        """What the controls say."""
        return Setting(self.problem.value, self.times.value, self.strategy.value)

    def _ask(self, _: Any = None) -> None:
        """The last run says nothing about what is chosen now."""
        with self.lock:
            self.ran = False
            self.draw()

    def _run(self) -> None:
        with self.lock:
            self.ran = True
            self.draw()

    def picture(self) -> str:
        return view(run(self.setting, self.recordings)) if self.ran else PREDICT

    def draw(self, _: Any = None) -> None:
        with self.lock:
            self.times.disabled = self.problem.value in LASTING
            super().draw()


def _choice(label: str, options: tuple[str, ...], value: str) -> Any:
    look: dict[str, Any] = {
        "style": {"description_width": "9em"},
        "layout": {"width": "32em", "max_width": "98%"},
    }
    return widgets.Dropdown(options=options, value=value, description=label, **look)
