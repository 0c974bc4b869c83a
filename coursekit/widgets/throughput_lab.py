"""Lab for chapter 05: four ways of sending the same requests under limits that you set.

Taught in 05, lab.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..foundation.markup import (
    NAME,
    NUMBER,
    legend,
    mark,
    rect,
    round_numbers,
    stretched,
    table,
    text,
)
from ..foundation.palette import BLUE, GRAY, RED
from ..throughput import (
    STRATEGIES,
    Load,
    Rates,
    Span,
    least_seconds,
    outcome_of,
    rates_of,
    simulate,
)
from .lab import Lab, slider

LEFT, RIGHT = 34, 14  # pixels to the left and right of the drawing
# pixels: the heading, a request, the space between panels, and the scale below them
PANEL, ROW, GAP, BOTTOM = 20, 1.1, 8, 30
CROSS = "M-3 -3l6 6m0 -6l-6 6"
NAMES = {"concurrency": "the requests in flight", "rpm": "RPM", "tpm": "TPM"}
HEADS = ("Strategy", "Sent", "Answered", "429", "Seconds", "In flight")


def view(load: Load) -> str:
    """Return the picture and the numbers for a load under every strategy, as HTML; a pure
    function.
    """
    runs = {name: simulate(name, load) for name in STRATEGIES}
    keys = {
        "from a request to its answer": f"background-color:{BLUE}",
        "✕ refused with a 429, not retried": "display:none",
    }
    return (
        f'<div class="coursekit-throughput" style="line-height:1.4">{_law(load, rates_of(load))}'
        f"{legend(keys)}{gantt_svg(runs)}{_table(runs, least_seconds(load))}</div>"
    )


def gantt_svg(runs: Mapping[str, Sequence[Span]]) -> str:
    """Draw a panel for each run, all on one time scale: a bar for each answered request, and a
    cross for each refused one.

    runs  name of the run -> its requests in the order in which they were sent; at least one run,
          each with at least one request
    """
    longest = max(outcome_of(spans).seconds for spans in runs.values())
    shapes, words, top = "", "", 0.0
    for name, spans in runs.items():
        bars, marks = _panel(name, spans, longest, top)
        shapes, words = shapes + bars, words + marks
        top += PANEL + ROW * len(spans) + GAP
    # the scale below all panels: thin vertical lines, and round numbers
    look = f'fill="{GRAY}" fill-opacity="0.4"'
    for seconds in round_numbers(longest):
        x = seconds / longest * 100
        shapes += rect(x, PANEL, 0.1, top - GAP - PANEL, look)
        words += text(x, top + 3, f"{seconds:,.10g}", "middle", "%")
    words += text(50, top + BOTTOM - 3, "seconds", "middle", "%")
    alt = f"Requests on a timeline. {'; '.join(map(_in_words, runs, runs.values()))}."
    height = round(top + BOTTOM)
    return stretched(alt, height, shapes, words, left=LEFT, right=RIGHT)


def _panel(
    name: str, spans: Sequence[Span], longest: float, top: float
) -> tuple[str, str]:
    """Return the panel's shapes, and its words and crosses."""
    floor = top + PANEL + ROW * len(spans)
    bars, crosses = "", ""
    for row, span in enumerate(spans):
        x, y = span.start / longest * 100, top + PANEL + row * ROW
        if span.status == 200:
            width = max(0.2, (span.end - span.start) / longest * 100)
            bars += f"M{x:.2f} {y:.1f}h{width:.2f}v{ROW}H{x:.2f}z"
        else:
            crosses += mark(x, y, CROSS)
    words = (
        f'<g font-weight="bold">{text(0, top + PANEL - 6, _in_words(name, spans))}</g>'
        + text(-5, top + PANEL + 8, "first", "end")
        + text(-5, floor, "last", "end")
    )
    line = rect(0, floor, 100, 1, f'fill="{GRAY}"')
    return (
        f'<path d="{bars}" fill="{BLUE}"/>{line}',
        f'{words}<g stroke="{RED}" stroke-width="1.2" fill="none">{crosses}</g>',
    )


def _in_words(name: str, spans: Sequence[Span]) -> str:
    outcome = outcome_of(spans)
    refused = f"{outcome.refused} × 429" if outcome.refused else "no 429"
    return f"{name}: {outcome.answered} answered, {refused}, {outcome.seconds:,.1f} s"


def _law(load: Load, rates: Rates) -> str:
    """Explain Little's law and the two limits in words."""
    lowest = min(rates.rpm, rates.tpm)
    verdict = f"The limits allow {lowest:,.0f}, so a semaphore stays below them by itself."
    if rates.concurrency > lowest:
        verdict = (
            f"The limits allow {lowest:,.0f}: in the long run, a semaphore of {load.concurrency} "
            f"alone sends too many. (Full buckets let the first {lowest:,.0f} through.)"
        )
    return (
        f"<p><b>{load.concurrency} in flight / {load.latency:g} s = {rates.concurrency:,.0f} "
        f"requests a minute.</b> RPM allows {rates.rpm:,.0f}; TPM allows {load.tpm:,} / "
        f"{load.tokens:,} = {rates.tpm:,.1f}. {verdict} The binding limit: "
        f"{NAMES[rates.binding]}.</p>"
    )


def _table(runs: Mapping[str, Sequence[Span]], least: float) -> str:
    rows = []
    for strategy, spans in runs.items():
        outcome = outcome_of(spans)
        counts = (len(spans), outcome.answered, outcome.refused)
        times = (f"{outcome.seconds:,.1f}", f"{outcome.in_flight:,.1f}")
        rows.append((strategy, *map(str, counts), *times))
    return (
        f"{table(HEADS, rows, [NAME, *[NUMBER] * 5])}<p>With these limits and this many in "
        f"flight, no strategy can have all the answers before {least:,.1f} s.</p>"
    )


class ThroughputLab(Lab):
    """The lab: move a slider and see which requests are answered, when, and which are refused.

    load  the initial position of the controls; its number of requests is fixed
    """

    title = "The throughput lab"

    def __init__(self, load: Load | None = None) -> None:
        load = load or Load()
        self.requests = load.requests
        super().__init__(
            concurrency=slider("In flight at once", load.concurrency, 1, 60, 1),
            latency=slider(
                "Latency, seconds",
                float(load.latency),
                0.1,
                10,
                0.1,
                readout_format=".1f",
            ),
            rpm=slider("RPM limit", load.rpm, 5, 500, 5),
            tpm=slider("TPM limit", load.tpm, 5_000, 200_000, 1_000),
            tokens=slider("Tokens per request", load.tokens, 50, 3_000, 50),
        )

    @property
    def load(self) -> Load:
        """The controls' current settings."""
        return Load(self.requests, **self.values)

    def picture(self) -> str:
        return view(self.load)
