"""Chart for chapter 04: when a reply's text arrives. Taught in 04 §7."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.artist import Artist
from matplotlib.axes import Axes

from ..foundation.palette import BLUE, GRAY, INK, ORANGE
from ..streaming import Timing
from .picture import ABOVE, Picture, figure, note, rows_of, styled

BRACKET = {
    "mutation_scale": 10,
    "arrowstyle": "|-|,widthA=0.25,widthB=0.25",
    "shrinkA": 0,
    "shrinkB": 0,
    "linewidth": 1.2,
}


@styled
def timeline(
    lanes: Mapping[str, Timing], *, title: str = "When the text arrives"
) -> Picture:
    """Draw when text arrived on a time axis, with a lane for each reply, from the top down.

    lanes  name of the reply -> its Timing in seconds since the request; each must have arrivals and
           a total. A reply that was not streamed is one arrival at its end: ``Timing([seconds],
           seconds)``.
    title  the heading

    In each lane, a bracket above measures the time to first token, and one below measures the
    total. Raises ValueError for a lane without arrivals or a total: the stream has not been read,
    or had no text.
    """
    for name, timing in lanes.items():
        if not timing.arrivals or timing.total is None:
            raise ValueError(
                f"{name!r} has no timing to draw. Read the stream to its end first."
            )
    made, axes = figure(
        0.9 + 1.2 * len(lanes),
        title=title,
        xlabel="seconds since the request was sent",
    )
    drawn = [_lane(axes, y, timing) for y, timing in enumerate(lanes.values())]
    rows_of(axes, list(lanes))
    axes.set_ylim(len(lanes) - 0.4, -0.6)  # room for the brackets
    axes.set_xlim(left=0)
    axes.margins(x=0.04)
    axes.spines["left"].set_visible(False)
    axes.legend(handles=drawn[0], ncols=2, **ABOVE)
    said = " ".join(map(_in_words, lanes, lanes.values()))
    return Picture(made, f"Timeline, {title}. {said}")


def _lane(axes: Axes, y: int, timing: Timing) -> list[Artist]:
    """Draw one reply; return what the legend explains."""
    first, total = timing.arrivals[0], timing.total or 0.0
    (wait,) = axes.barh(
        y,
        first,
        height=0.26,
        facecolor="white",
        edgecolor=GRAY,
        linewidth=0.8,
        hatch="////",
    )
    (marks,) = axes.plot(
        timing.arrivals,
        [y] * len(timing.arrivals),
        linestyle="",
        marker="|",
        markersize=17,
        markeredgewidth=1.3,
        color=BLUE,
        label="text arrives",
    )
    words = "first token and total"
    if first < total:
        words = f"first token {first:.2f} s"
        _bracket(axes, y - 0.24, first, words, ORANGE, below=False)
        words = "total"
    _bracket(axes, y + 0.24, total, f"{words} {total:.2f} s", INK, below=True)
    wait.set_label("waiting")
    return [wait, marks]


def _bracket(
    axes: Axes, y: float, end: float, text: str, color: str, *, below: bool
) -> None:
    axes.annotate(
        "", xy=(0, y), xytext=(end, y), arrowprops={**BRACKET, "color": color}
    )
    up, va = (-4, "top") if below else (4, "bottom")
    note(axes, text, (0, y), up=up, va=va)


def _in_words(name: str, timing: Timing) -> str:
    pieces = len(timing.arrivals)
    how = "in one piece"
    if pieces > 1:
        how = f"in {pieces} pieces starting at {timing.arrivals[0]:.2f} s"
    return f"{name}: text {how}, complete at {timing.total:.2f} s."
