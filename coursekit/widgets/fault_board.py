"""Lab for chapter 06: choose what goes wrong, for how long, and how the program handles it; then
see every attempt, its wait, and the log.

Taught in 06, lab.
"""

from __future__ import annotations

from html import escape
from itertools import zip_longest
from pathlib import Path
from textwrap import shorten
from typing import Any

from ..foundation.markup import NUMBER, SHORT, Markup, rect, table
from ..foundation.palette import GRAY, GREEN, RED
from ..offline.watched.verdict import TOLERANCE
from .fault_runs import (
    DURATIONS,
    PERMANENT,
    PROBLEMS,
    SECONDS,
    STRATEGIES,
    FaultRun,
    HttpCall,
    Setting,
    run,
)
from .lab import Echo, Lab, Press, menu, row
from .safe_html import sendable
from .token_text import plural

PREDICT = "<p><b>Predict:</b> how many HTTP requests? How many seconds? Then press <b>Run</b>.</p>"
BAR, HEIGHT = 200, 18  # the size of a row's drawing, in its own units
COLUMNS = {
    "#": NUMBER,
    "sent by": SHORT,
    "at": NUMBER,
    "": SHORT,
    "outcome": SHORT,
    "then waits": SHORT,
}


def view(done: FaultRun) -> str:
    """Return a run as HTML: the result, the log, and each request with its time, outcome, and wait;
    a pure function.
    """
    end = max(done.seconds, done.calls[-1].ended, 0.1)
    pairs = zip_longest(done.calls, done.calls[1:])
    rows = [
        _row(number, call, later, end)
        for number, (call, later) in enumerate(pairs, start=1)
    ]
    heads = [head or f"0 to {end:.1f} s →" for head in COLUMNS]
    return (
        '<div class="coursekit-faults" style="line-height:1.5">'
        f"<p><b>{escape(done.setting.problem)}</b>, {_duration(done.setting)}; handled by: "
        f"<b>{escape(done.setting.strategy)}</b>.</p>{_result(done)}"
        '<div style="display:flex;flex-wrap:wrap;gap:8px 16px">'
        f'<div style="flex:1 1 46em;min-width:0">{table(heads, rows, list(COLUMNS.values()))}</div>'
        f"{_log(done)}</div></div>"
    )


def _duration(setting: Setting) -> str:
    if setting.problem in PERMANENT:
        return "which does not go away on its own"
    if setting.duration in SECONDS:
        return (
            f"for {setting.duration}, and as long again after each request that is sent before its "
            "Retry-After has passed"
        )
    return setting.duration


def _row(
    number: int, call: HttpCall, later: HttpCall | None, end: float
) -> tuple[str, ...]:
    return (
        str(number),
        call.by,
        f"{call.at:.2f} s",
        Markup(_bar(call, later, end)),
        sendable(f"{'✓' if call.answered else '✗'} {call.outcome}"),
        _wait(call, later),
    )


def _wait(call: HttpCall, later: HttpCall | None) -> str:
    """Return the seconds until the next request, and the seconds that the server had asked for."""
    waited = "" if later is None else f"{later.at - call.ended:.2f} s"
    if call.retry_after is None:
        return waited
    wanted = f"asked {call.retry_after:g} s"
    if later is None:
        return wanted
    early = later.at - call.ended < call.retry_after - TOLERANCE
    return f"{waited} ⚠ {wanted}" if early else f"{waited}, {wanted}"


def _bar(call: HttpCall, later: HttpCall | None, end: float) -> str:
    """Draw the request as a bar and the wait after it as a dashed line, on the time axis that all
    rows share.
    """
    scale, middle = BAR / end, f"{HEIGHT / 2:g}"
    start, width = call.at * scale, max(3.0, (call.ended - call.at) * scale)
    drawn = rect(
        start, 3, width, HEIGHT - 6, f'fill="{GREEN if call.answered else RED}"'
    )
    if later is not None:
        stop = max(start + width, later.at * scale)
        drawn += (
            f'<line x1="{start + width:.1f}" x2="{stop:.1f}" y1="{middle}" y2="{middle}" '
            f'stroke="{GRAY}" stroke-width="2" stroke-dasharray="4 3"/>'
        )
    return (
        f'<svg role="img" aria-label="from {call.at:.2f} s to {call.ended:.2f} s" '
        f'viewBox="0 0 {BAR + 4} {HEIGHT}" width="{BAR}" height="{HEIGHT}" '
        f'style="max-width:100%;min-width:{BAR // 2}px">{drawn}</svg>'
    )


def _log(done: FaultRun) -> str:
    """Show what the SDK and coursekit logged, each line with its time."""
    lines = "\n".join(
        f"{at:7.2f} s  {name}: {message}" for at, name, message in done.log
    )
    style = (
        f"margin:0;padding:6px;max-height:22em;overflow:auto;border:1px solid {GRAY};"
        "font-size:11px;white-space:pre-wrap;word-break:normal;"
        "overflow-wrap:anywhere"  # JupyterLab would break lines inside words
    )
    return (
        '<div style="flex:1 1 24em;min-width:0"><b>The log</b> (in your own program: '
        f'<code>OPENAI_LOG=info</code>)<pre style="{style}" role="region" tabindex="0" '
        f'aria-label="the log">{escape(sendable(lines))}</pre></div>'
    )


def _result(done: FaultRun) -> str:
    """Say what the program got, and how many requests that took."""
    got = f"✓ After {done.seconds:.1f} s, the program has its answer: {done.answer}"
    if done.answer is None:
        # the API's messages are long
        first, *notes = done.error.splitlines() or [""]
        error = "\n".join([shorten(first, 160, placeholder=" …"), *notes])
        got = (
            f"✗ After {done.seconds:.1f} s, the program gets an error: {error}"
        )
    verdict = done.verdict
    counts = [f"<b>{plural(len(done.calls), 'HTTP request')}</b>"]
    if verdict.wasted:
        counts.append(f"{verdict.wasted} that could not help")
    if verdict.too_early:
        counts.append(f"{verdict.too_early} sent earlier than the server asked")
    if verdict.lost:
        counts.append(
            f"{plural(verdict.lost, 'billed answer')} lost in transit"
        )
    return f'<p style="white-space:pre-wrap">{escape(sendable(got))}</p><p>{", ".join(counts)}.</p>'


class FaultBoard(Lab):
    """The lab: choose, predict, and press Run. The real SDK calls the offline API in virtual time,
    so waiting takes no real time.

    setting     the setting to run first
    recordings  a folder with the answer; None: the course's own
    """

    title = "The fault board"

    def __init__(
        self,
        setting: Setting | None = None,
        recordings: str | Path | None = None,
    ) -> None:
        setting = setting or Setting()
        self.recordings = recordings
        controls = {
            "problem": menu("What goes wrong", PROBLEMS, setting.problem),
            "duration": menu("It lasts", DURATIONS, setting.duration),
            "strategy": menu("Handled by", tuple(STRATEGIES), setting.strategy),
        }
        self.button = Press(
            self._run,
            Echo(),
            description="Run",
            tooltip="Send it, and see every attempt",
        )
        super().__init__(row(*controls.values()), self.button, **controls)
        self._run()

    @property
    def setting(self) -> Setting:
        """The controls' current settings."""
        return Setting(**self.values)

    def _run(self) -> None:
        with self.lock:
            self.shown.value = view(run(self.setting, self.recordings))

    def picture(self) -> str:
        return PREDICT  # the last run does not apply to a new choice

    def draw(self, _: Any = None) -> None:
        with self.lock:
            self.duration.disabled = self.problem.value in PERMANENT
            super().draw()
