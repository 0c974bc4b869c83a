"""Lab of chapter 04: play a stream again from its arrival times, and cut it where you like.

The cut shows what each kind of reader is told. The tests hold ``TOLD`` to what the SDK and
coursekit really do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from ..foundation.palette import BLUE, GRAY, RED
from ..streaming import Timing
from .lab import Lab
from .table import NAME, table

SPEEDS = {"0.2×": 0.2, "0.5×": 0.5, "1×": 1.0, "2×": 2.0}
TICK = 50  # ms between two steps of the player in the browser
STEP = 10  # ms, of the position
NATURAL = {"description_width": "initial"}
WIDE = {"width": "100%"}
NARROW = {"width": "max-content"}
READERS = (
    "joins the deltas",
    "uses .stream() and get_final_completion()",
    "joins the deltas, then checks finish_reason",
    "uses stream_text()",
)
# How a cut looks on the wire -> what each of READERS is told, in their order.
TOLD = {
    "closed in good order": (
        "nothing; takes the text for whole",
        "nothing; gets a completion, finish_reason None",
        "finish_reason None; knows it is not whole",
        "IncompleteStream; ended is 'cut'",
    ),
    "connection breaks": (
        "APIConnectionError",
        "APIConnectionError",
        "APIConnectionError",
        "APIConnectionError; ended is 'interrupted'",
    ),
    "error event": ("APIError", "APIError", "APIError", "APIError; ended is 'error'"),
}
ENDS = tuple(TOLD)


@dataclass(frozen=True)
class PlayedStream:
    """A stream that has been read to its end.

    texts   its deltas, in order
    timing  their arrivals and the total, in seconds since the request
    """

    texts: Sequence[str]
    timing: Timing

    def __post_init__(self) -> None:
        if (
            not self.texts
            or len(self.texts) != len(self.timing.arrivals)
            or self.timing.total is None
        ):
            raise ValueError(
                f"{len(self.texts)} texts and {len(self.timing.arrivals)} arrival times make no "
                "stream to play. "
                "Read one to its end: texts = list(stream), then StreamPlayer(texts, "
                "stream.timing)."
            )

    @property
    def total(self) -> float:
        return self.timing.total or 0.0

    def arrived(self, at: float) -> int:
        """How many deltas have come ``at`` seconds after the request."""
        return sum(arrival <= at for arrival in self.timing.arrivals)


def frame(
    stream: PlayedStream, at: float, cut: float | None = None, end: str = ENDS[0]
) -> str:
    """What is on the screen ``at`` seconds after the request, as HTML; a pure function.

    cut  seconds after the request at which the stream was cut; None: it is not. ``end`` is one of
         ENDS.
    """
    reached = min(at, stream.total if cut is None else cut)
    count = stream.arrived(reached)
    text = escape("".join(stream.texts[:count]))
    if cut is not None and at >= cut:
        status, mark = _after_cut(stream, cut, end), "✂"
    elif reached >= stream.total:
        status, mark = (
            "<p><b>Complete:</b> the last chunks brought the finish_reason and the usage.</p>",
            "■",
        )
    else:
        status, mark = (
            f"<p>{'Receiving.' if count else 'Waiting for the first token.'}</p>",
            "▌",
        )
    return (
        f'<div style="line-height: 1.5">{_track(stream, reached, cut)}'
        f"<p><b>{reached:.2f} s</b> of {stream.total:.2f} s · {count} of {len(stream.texts)} "
        "deltas</p>"
        f'<p style="min-height: 6em; padding: 8px; border: 1px solid {GRAY}; white-space: '
        f'pre-wrap">{text}{mark}</p>'
        f"{status}</div>"
    )


def _after_cut(stream: PlayedStream, cut: float, end: str) -> str:
    count = stream.arrived(cut)
    if count == len(stream.texts):
        return (
            "<p><b>Cut too late:</b> all of the text, and the finish_reason, had come. Every "
            "reader is right.</p>"
        )
    if not count:
        return (
            "<p><b>Cut before the first token.</b> A connection that fails before the answer "
            "begins is tried again by "
            "the SDK (chapter 06). Move on until text arrives, and cut there.</p>"
        )
    characters = len("".join(stream.texts[:count]))
    caption = f"Cut at {cut:.2f} s, {end}: {characters} characters had come, no finish_reason."
    return table(
        ("Code that …", "is told"),
        zip(READERS, TOLD[end], strict=True),
        [NAME, NAME],
        caption=caption,
    )


def _track(stream: PlayedStream, reached: float, cut: float | None) -> str:
    """The arrivals as strokes on a line from 0 to the total; those still to come are short."""
    scale = 1000 / stream.total

    def stroke(at: float, height: int, color: str, width: int) -> str:
        x = f"{at * scale:.0f}"
        return (
            f'<line x1="{x}" x2="{x}" y1="{36 - height}" y2="36" stroke="{color}" '
            f'stroke-width="{width}"/>'
        )

    strokes = [
        stroke(at, 24, BLUE, 3) if at <= reached else stroke(at, 8, GRAY, 2)
        for at in stream.timing.arrivals
    ]
    axis = f'<line x1="0" x2="1000" y1="37" y2="37" stroke="{GRAY}" stroke-width="1"/>'
    ends = [stroke(cut, 36, RED, 6)] if cut is not None else []
    return (
        '<svg role="img" aria-label="arrivals of the deltas on a time axis" viewBox="-6 0 1012 '
        '38" width="100%" '
        f'height="38" preserveAspectRatio="none">{axis}{"".join(strokes + ends)}</svg>'
    )


class StreamPlayer(Lab):
    """The lab: play, pause, choose the speed, move along the stream, and cut it.

    texts   the deltas of a stream that has been read: ``texts = list(stream)`` of ``stream_text()``
    timing  ``stream.timing``
    at      where the player stands first, in seconds since the request

    Where no widget can be shown (on the web, in print), the output is the first frame. Raises
    ValueError when texts and timing do not belong together, or nothing came.
    """

    title = "The stream player"

    def __init__(self, texts: Sequence[str], timing: Timing, at: float = 0.0) -> None:
        self.stream = PlayedStream(tuple(texts), timing)
        self.cut: float | None = None
        end = math.ceil(self.stream.total * 1000 / STEP) * STEP
        self.play = widgets.Play(
            round(at * 1000),
            min=0,
            max=end,
            step=TICK,
            interval=TICK,
            tooltip="Play the stream",
            show_repeat=False,
        )
        self.position = widgets.IntSlider(
            round(at * 1000),
            min=0,
            max=end,
            step=STEP,
            description="Position (ms)",
            style=NATURAL,
            layout=WIDE,
        )
        self.speed = widgets.Dropdown(
            options=SPEEDS, value=1.0, description="Speed", style=NATURAL, layout=NARROW
        )
        self.kind = widgets.Dropdown(
            options=ENDS, description="A cut means", style=NATURAL, layout=NARROW
        )
        self.button = widgets.ToggleButton(
            description="Cut here", tooltip="Cut the stream at this position"
        )
        widgets.jslink(
            (self.play, "value"), (self.position, "value")
        )  # in the browser: smooth while the kernel works
        self.speed.observe(self._set_speed, "value")
        self.button.observe(self._cut_or_mend, "value")
        moving = widgets.HBox([self.play, self.position])
        choosing = widgets.HBox(
            [self.speed, self.button, self.kind], layout={"flex_flow": "row wrap"}
        )
        super().__init__([moving, choosing], [self.position, self.kind])

    def _set_speed(self, change: Any) -> None:
        self.play.step = round(TICK * change["new"])

    def _cut_or_mend(self, change: Any) -> None:
        with self.lock:
            self.cut = self.position.value / 1000 if change["new"] else None
            self.button.description = "Undo the cut" if change["new"] else "Cut here"
            self.play.playing = False
            self.draw()

    def picture(self) -> str:
        return frame(self.stream, self.position.value / 1000, self.cut, self.kind.value)
