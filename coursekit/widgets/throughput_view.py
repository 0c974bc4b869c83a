"""Runs on a timeline as SVG, and what they came to as a table: quick enough for a slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ..foundation.palette import BLUE, GRAY, RED
from ..throughput import (
    STRATEGIES,
    Load,
    Outcome,
    Rates,
    Span,
    least_seconds,
    outcome_of,
    rates_of,
    simulate,
)
from .svg import svg
from .table import NAME, NUMBER, table

WIDTH, LEFT, RIGHT = 760, 30, 14  # of the drawing, in its own units
PANEL, ROW, GAP, BOTTOM = (
    22,
    1.5,
    12,
    30,
)  # a panel's heading, a request, between panels, the scale below
ANSWERED, REFUSED = BLUE, RED
NAMES = {"concurrency": "the requests under way", "rpm": "RPM", "tpm": "TPM"}


def view(load: Load) -> str:
    """Picture and numbers of a load under every strategy, as HTML; a pure function."""
    runs = {name: simulate(name, load) for name in STRATEGIES}
    return (
        f'<div class="coursekit-throughput">{_law(load, rates_of(load))}{_legend()}'
        f"{gantt_svg(runs)}{_table(runs, least_seconds(load))}</div>"
    )


def gantt_svg(runs: Mapping[str, Sequence[Span]]) -> str:
    """A panel for each run, all on one scale of time: a bar for each answered request, a cross for
    each refused one.

    runs  name of the run -> its requests in the order in which they were sent; at least one, none
          empty
    """
    longest = max(outcome_of(spans).seconds for spans in runs.values())
    scale = (WIDTH - LEFT - RIGHT) / longest
    top, panels = 0.0, []
    for name, spans in runs.items():
        panels.append(_panel(name, spans, scale, top))
        top += PANEL + ROW * len(spans) + GAP
    alt = (
        "Requests on a timeline. "
        + "; ".join(_said(name, outcome_of(spans)) for name, spans in runs.items())
        + "."
    )
    return svg(
        alt, WIDTH, round(top + BOTTOM), _seconds(longest, scale, top) + "".join(panels)
    )


def _panel(name: str, spans: Sequence[Span], scale: float, top: float) -> str:
    bars, crosses = "", ""
    for row, span in enumerate(spans):
        x, y = LEFT + span.start * scale, top + PANEL + row * ROW
        if span.status == 200:
            bars += (
                f"M{x:.1f} "
                f"{y:.1f}h{max(1.0, (span.end - span.start) * scale):.1f}v{ROW}H{x:.1f}z"
            )
        else:
            crosses += f"M{x - 3:.1f} {y - 2:.1f}l6 6m0 -6l-6 6"
    floor = top + PANEL + ROW * len(spans)
    return (
        f'<text x="{LEFT}" y="{top + PANEL - 6:.1f}" '
        f'font-weight="bold">{escape(_said(name, outcome_of(spans)))}</text>'
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor:.1f}" y2="{floor:.1f}" '
        f'stroke="{GRAY}"/>'
        f'<path d="{bars}" fill="{ANSWERED}"/><path d="{crosses}" stroke="{REFUSED}" '
        'stroke-width="1.2" fill="none"/>'
    )


def _seconds(longest: float, scale: float, floor: float) -> str:
    """The scale below all panels: four to nine round numbers, with a thin line upwards."""
    step = next(
        step
        for power in range(-2, 6)
        for step in (10.0**power, 2 * 10.0**power, 5 * 10.0**power)
        if longest / step < 9
    )
    said = [
        f'<text x="{WIDTH / 2}" y="{floor + BOTTOM - 3:.0f}" text-anchor="middle">seconds</text>'
    ]
    for number in range(int(longest / step) + 1):
        x = LEFT + number * step * scale
        said.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{PANEL}" y2="{floor - GAP:.1f}" stroke="{GRAY}" '
            f'stroke-width="0.25"/>'
        )
        said.append(
            f'<text x="{x:.1f}" y="{floor + 3:.1f}" '
            f'text-anchor="middle">{number * step:,.10g}</text>'
        )
    return "".join(said)


def _said(name: str, came: Outcome) -> str:
    refused = f"{came.refused} × 429" if came.refused else "no 429"
    return f"{name}: {came.answered} answered, {refused}, {came.seconds:,.1f} s"


def _law(load: Load, rates: Rates) -> str:
    """Little's law and the two limits, in words."""
    lowest = min(rates.rpm, rates.tpm)
    verdict = (
        f"The limits allow {lowest:,.0f}: a semaphore of {load.concurrency} alone sends too much."
        if rates.concurrency > lowest
        else f"The limits allow {lowest:,.0f}, so it stays below them by itself."
    )
    return (
        f"<p><b>{load.concurrency} under way / {load.latency:g} s = {rates.concurrency:,.0f} "
        "requests a minute.</b> "
        f"RPM allows {rates.rpm:,.0f}; TPM allows {load.tpm:,} / {load.tokens:,} = "
        f"{rates.tpm:,.1f}. {verdict} "
        f"What binds: {NAMES[rates.binding]}.</p>"
    )


def _table(runs: Mapping[str, Sequence[Span]], least: float) -> str:
    heads = ("Strategy", "Sent", "Answered", "429", "Seconds", "Under way, mean")
    rows = []
    for strategy, spans in runs.items():
        came = outcome_of(spans)
        rows.append(
            (
                strategy,
                str(len(spans)),
                str(came.answered),
                str(came.refused),
                f"{came.seconds:,.1f}",
                f"{came.in_flight:,.1f}",
            )
        )
    return (
        f"{table(heads, rows, [NAME, *[NUMBER] * 5])}"
        "<p>Nobody can have all answers under these limits, with so many under way, before "
        f"{least:,.1f} s.</p>"
    )


def _legend() -> str:
    square = "display:inline-block;width:12px;height:12px;margin:0 4px 0 0;vertical-align:-1px"
    return (
        '<div style="line-height:1.6"><span '
        f'style="{square};background-color:{ANSWERED}"></span>from a request to its '
        f'answer <b style="color:{REFUSED};margin:0 4px 0 14px">✕</b>refused with 429, and given '
        "up</div>"
    )
