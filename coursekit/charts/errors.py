"""Chapter 06: what many clients' retries do to a server. Taught in 06 §7."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ..foundation.palette import BLUE, INK, ORANGE
from ..retrying.storm import Storm
from .picture import LABEL, LEGEND, TEXT, Picture, canvas, style


def arrivals(storms: Mapping[str, Storm], *, until: int = 40) -> Picture:
    """Calls in each second, served and refused, one row of bars for each storm, and the server's
    capacity as a line.

    storms  name of the strategy -> its Storm; all of one capacity
    until   seconds shown; what happens later is said in words

    Raises ValueError for no storm, and for storms of different capacities.
    """
    capacities = {storm.capacity for storm in storms.values()}
    if len(capacities) != 1:
        raise ValueError(
            f"One picture shows storms of a single capacity, and these have {sorted(capacities)}."
        )
    made = canvas(0.8 + 1.55 * len(storms))
    rows = made.subplots(
        len(storms), 1, sharex=True, sharey=True, squeeze=False
    )[:, 0]
    for axes, (name, storm) in zip(rows, storms.items(), strict=True):
        _row(axes, name, storm, until)
    rows[-1].set_xlabel(
        "seconds since all clients called for the first time",
        fontsize=LABEL,
        color=INK,
    )
    rows[-1].set_xlim(-0.3, until)
    rows[0].legend(loc="upper right", ncols=3, **LEGEND)
    return Picture(
        made,
        " ".join(
            [
                "Calls in each second, by strategy.",
                *map(_in_words, storms, storms.values()),
            ]
        ),
    )


def _row(axes: Axes, name: str, storm: Storm, until: int) -> None:
    seconds = storm.per_second()
    style(axes, title=f"{name}: {_sums(storm)}", y="calls")
    at, served = (
        [second + 0.5 for second in seconds],
        [served for served, _ in seconds.values()],
    )
    axes.bar(at, served, width=0.9, color=BLUE, label="served")
    over = {
        second + 0.5: counts for second, counts in seconds.items() if counts[1]
    }
    axes.bar(
        list(over),
        [refused for _, refused in over.values()],
        bottom=[served for served, _ in over.values()],
        width=0.9,
        facecolor="white",
        edgecolor=ORANGE,
        hatch="/////",
        linewidth=0.8,
        label="refused",
    )
    axes.axhline(
        storm.capacity,
        color=INK,
        linewidth=1.2,
        linestyle="--",
        label=f"capacity, {storm.capacity}/s",
    )
    later = [second for second in seconds if second >= until]
    if later:
        *first, last = map(str, later)
        when = f"{', '.join(first)} and {last}" if first else last
        axes.text(
            until - 0.3,
            0.42,
            f"more at {when} s →",
            transform=axes.get_xaxis_transform(),
            ha="right",
            fontsize=TEXT,
            color=INK,
            backgroundcolor="white",
        )


def _sums(storm: Storm) -> str:
    done = (
        "some gave up"
        if storm.done is None
        else f"all served after {storm.done:.0f} s"
    )
    return f"{storm.calls:,} calls, {done}"


def _in_words(name: str, storm: Storm) -> str:
    most = max(
        served + refused for served, refused in storm.per_second().values()
    )
    return f"{name}: {_sums(storm)}, at most {most} in one second."
