"""Lab for chapter 04: you are the proxy between a model and four programs that read its stream, and
you can cut the wire.

Some of the programs then show their users half of an answer as if it were complete. Tests compare
``REPORTS`` with what the SDK and coursekit really do. Taught in 04, lab.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from ..foundation.markup import rect, svg
from ..foundation.palette import BLUE, GRAY, GREEN, RED
from ..streaming import Timing
from .lab import NATURAL, Lab, menu, player, row

SPEEDS = {"0.2×": 0.2, "0.5×": 0.5, "1×": 1.0, "2×": 2.0}
TICK = 50  # milliseconds between two steps of the player in the browser
STEP = 10  # milliseconds, a step of the position

READERS = (
    "joins the deltas",
    "uses .stream() and get_final_completion()",
    "joins the deltas, then checks finish_reason",
    "uses stream_text()",
)
LATE = READERS[1]  # shows its user nothing until the end
WHOLE = "■"  # the mark after a complete answer
LIES = "no error"  # the beginning of a report by a reader that treats half an answer as complete
# How a cut appears on the wire -> what each of READERS reports, in the same order.
REPORTS = {
    "closed cleanly": (
        "no error: treats the text as the whole answer",
        "no error: gets a completion with finish_reason None",
        "finish_reason None: knows that the answer is incomplete",
        "IncompleteStream: ended is 'cut'",
    ),
    "connection breaks": (
        "APIConnectionError",
        "APIConnectionError",
        "APIConnectionError",
        "APIConnectionError: ended is 'interrupted'",
    ),
    "error event": (
        "APIError",
        "APIError",
        "APIError",
        "APIError: ended is 'error'",
    ),
}
ENDS = tuple(REPORTS)

# The drawing, in its own units: the wire with the proxy on it and, below it, the stream's total
# time.
WIDTH, WIRE, TRACK, HEIGHT = 900, 22, 74, 80
LEFT, PROXY, RIGHT = 62, 520, 830
UNITS_A_SECOND = 360  # how fast the deltas travel along the wire


@dataclass(frozen=True)
class PlayedStream:
    """A stream that has been read to its end.

    texts   the deltas, in order
    timing  the arrivals and the total, in seconds since the request
    """

    texts: Sequence[str]
    timing: Timing

    def __post_init__(self) -> None:
        complete = self.texts and self.timing.total is not None
        if not complete or len(self.texts) != len(self.timing.arrivals):
            raise ValueError(
                f"{len(self.texts)} texts and {len(self.timing.arrivals)} arrival times are not a "
                "stream to play. Read one to its end: texts = list(stream), then "
                "StreamPlayer(texts, stream.timing)."
            )

    @property
    def total(self) -> float:
        return self.timing.total or 0.0

    def arrived(self, at: float) -> int:
        """Return how many deltas had arrived ``at`` seconds after the request."""
        return sum(arrival <= at for arrival in self.timing.arrivals)


def frame(
    stream: PlayedStream,
    at: float,
    cut: float | None = None,
    end: str = ENDS[0],
) -> str:
    """Return the wire, and what the four readers show ``at`` seconds after the request, as HTML; a
    pure function.

    cut  seconds after the request at which the wire was cut; None: it was not
    end  one of ENDS: how the cut appears to the readers
    """
    reached = min(at, stream.total if cut is None else cut)
    count = stream.arrived(reached)
    is_cut = cut is not None and at >= cut
    ending = end if is_cut else None
    wire = _wire(stream, reached, cut, is_cut=is_cut)
    status = _status(stream, count, reached, ending)
    cards = "".join(
        _card(stream, place, count, reached, ending)
        for place in range(len(READERS))
    )
    grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(15em,1fr));gap:8px"
    return (
        f'<div class="coursekit-wire" style="line-height:1.4">{wire}<p><b>{reached:.2f} s</b> of '
        f"{stream.total:.2f} s · {count} of {len(stream.texts)} deltas. {status}</p>"
        f'<div style="{grid}">{cards}</div></div>'
    )


def _status(
    stream: PlayedStream, count: int, reached: float, end: str | None
) -> str:
    if end is None:
        if reached >= stream.total:
            return "<b>Complete:</b> the last chunks contained the finish_reason and the usage."
        return "Receiving." if count else "Waiting for the first token."
    if not count:
        return (
            "<b>Cut before the first token.</b> The SDK retries a connection that fails before the "
            "answer begins (chapter 06). Move forward until text arrives, and then cut."
        )
    if count == len(stream.texts):
        return "<b>Cut too late:</b> the whole answer had already arrived. No reader lies."
    characters = len("".join(stream.texts[:count]))
    lies = sum(report.startswith(LIES) for report in REPORTS[end])
    verdict = "No reader lies."
    if lies:
        verdict = f"{lies} of {len(READERS)} readers lie to their users."
    return (
        f"<b>✂ Cut, {end}:</b> {characters} characters had arrived, but no finish_reason. "
        f"<b>{verdict}</b>"
    )


def _card(
    stream: PlayedStream,
    place: int,
    count: int,
    reached: float,
    end: str | None,
) -> str:
    """Return a reader's card: what the reader does, what is on its user's screen, and how it
    interprets the end.
    """
    whole = count == len(stream.texts)
    shown = "".join(stream.texts[:count])
    report = REPORTS[end][place] if end else ""
    lies = report.startswith(LIES)
    if READERS[place] == LATE and not lies:
        shown = ""  # not yet, or never, because an error was raised
    if end and not count:
        color, mark, verdict = GRAY, "", "sends the request again"
    elif whole and (end or reached >= stream.total):
        color, mark, verdict = GREEN, WHOLE, "✓ honest: the whole answer"
        shown = "".join(stream.texts)
    elif not end:
        color, mark, verdict = GRAY, "▌", "reading"
    elif lies:
        color, mark, verdict = RED, "✂", f"✗ lies · {report}"
    else:
        color, mark, verdict = GREEN, "✂", f"✓ honest · {report}"
    # In a reversed column, the browser keeps the end of a growing text in view.
    screen = (
        f"display:flex;flex-direction:column-reverse;height:7.5em;overflow:auto;padding:6px;"
        f"border:1px solid {GRAY};white-space:pre-wrap"
    )
    return (
        f'<div style="border-left:4px solid {color};padding-left:8px"><b>{escape(READERS[place])}'
        f'</b><div style="{screen}" role="region" tabindex="0" '
        f'aria-label="what the user of one that {escape(READERS[place])} sees">'
        f'<div style="margin-bottom:auto">{escape(shown)}{mark}</div></div>{escape(verdict)}</div>'
    )


def _wire(
    stream: PlayedStream, reached: float, cut: float | None, *, is_cut: bool
) -> str:
    """Draw the deltas on their way from the model to the readers and, below them, all arrivals on a
    time axis.
    """
    arrivals, end = stream.timing.arrivals, stream.total
    dashes, color, you = (
        ("4 5", RED, "✂ you") if is_cut else ("none", GRAY, "you")
    )
    parts = f"""<text x="54" y="26" text-anchor="end">model</text>
<text x="838" y="26">readers</text>
<path d="M{LEFT} {WIRE}H{RIGHT}" stroke="{GRAY}" stroke-width="2" stroke-dasharray="{dashes}"/>
<rect x="486" y="6" width="30" height="32" fill="none" stroke="{color}" stroke-width="2"/>
<text x="501" y="54" text-anchor="middle">{you}</text>
<path d="M0 {TRACK}H{WIDTH}" stroke="{GRAY}"/>"""
    for arrival in arrivals:
        x = PROXY + (reached - arrival) * UNITS_A_SECOND
        color, height = (BLUE, 12) if arrival <= reached else (GRAY, 5)
        if LEFT <= x < RIGHT:
            parts += rect(x - 4, WIRE - 7, 8, 14, f'fill="{color}" rx="2"')
        at = arrival / end * (WIDTH - 3)
        parts += rect(at, TRACK - height, 3, height, f'fill="{color}"')
    if cut is not None:
        at = cut / end * (WIDTH - 4)
        parts += rect(at, TRACK - 18, 4, 22, f'fill="{RED}"')
    alt = (
        f"{stream.arrived(reached)} of {len(arrivals)} deltas have passed you on their way to the "
        f"readers.{' You have cut the wire.' if is_cut else ''}"
    )
    return svg(alt, WIDTH, HEIGHT, parts, font=13)


class StreamPlayer(Lab):
    """The lab: play, pause, choose the speed, move along the stream, and cut the wire.

    texts   the deltas of a stream from ``stream_text()`` that has been read: ``texts =
            list(stream)``
    timing  ``stream.timing``
    at      the player's initial position, in seconds since the request

    Raises ValueError if texts and timing do not match, or are empty.
    """

    title = "The stream player"

    def __init__(
        self, texts: Sequence[str], timing: Timing, at: float = 0.0
    ) -> None:
        self.stream = PlayedStream(tuple(texts), timing)
        self.cut: float | None = None
        end = math.ceil(self.stream.total * 1000 / STEP) * STEP
        self.play, position = player(
            round(at * 1000),
            end,
            TICK,
            "Play the stream",
            step=STEP,
            description="Position (ms)",
        )
        self.play.step = TICK
        look = {"style": NATURAL, "layout": {"width": "max-content"}}
        self.speed = menu("Speed", list(SPEEDS.items()), 1.0, **look)
        kind = menu("A cut means", ENDS, ENDS[0], **look)
        self.button = widgets.ToggleButton(
            description="Cut here", tooltip="Cut the stream at this position"
        )
        self.speed.observe(self._set_speed, "value")
        self.button.observe(self._cut_or_mend, "value")
        super().__init__(
            widgets.HBox([self.play, position]),
            row(self.speed, self.button, kind),
            position=position,
            kind=kind,
        )

    def _set_speed(self, change: Any) -> None:
        self.play.step = round(TICK * change["new"])

    def _cut_or_mend(self, change: Any) -> None:
        with self.lock:
            self.cut = self.position.value / 1000 if change["new"] else None
            self.button.description = (
                "Undo the cut" if change["new"] else "Cut here"
            )
            self.play.playing = False
            self.draw()

    def picture(self) -> str:
        return frame(
            self.stream, self.position.value / 1000, self.cut, self.kind.value
        )
