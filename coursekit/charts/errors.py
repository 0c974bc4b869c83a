"""Chart for chapter 06: what many clients' retries do to a server. Taught in 06 §7."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ..foundation.palette import BLUE, INK, ORANGE
from ..retrying.storm import Storm
from .picture import Picture, canvas, styled


@styled
def arrivals(storms: Mapping[str, Storm], *, until: int = 40) -> Picture:
    """Draw the calls in each second, served and refused, with a row of bars for each storm and the
    server's capacity as a line.

    storms  name of the strategy -> its Storm; all have the same capacity
    until   the number of seconds shown; later events are described in words

    Raises ValueError for no storm, and for storms with different capacities.
    """
    capacities = {storm.capacity for storm in storms.values()}
    if len(capacities) != 1:
        raise ValueError(
            f"All storms in one picture need the same capacity; got {sorted(capacities)}."
        )
    made = canvas(0.8 + 1.55 * len(storms))
    rows = made.subplots(
        len(storms), 1, sharex=True, sharey=True, squeeze=False
    )[:, 0]
    for axes, (name, storm) in zip(rows, storms.items(), strict=True):
        _row(axes, name, storm, until)
    rows[-1].set_xlabel("seconds since all clients called for the first time")
    rows[-1].set_xlim(-0.3, until)
    rows[0].legend(loc="upper right", ncols=3)
    said = " ".join(map(_in_words, storms, storms.values()))
    return Picture(made, f"Calls in each second, by strategy. {said}")


def _row(axes: Axes, name: str, storm: Storm, until: int) -> None:
    seconds = storm.per_second()
    axes.set(title=f"{name}: {_sums(storm)}", ylabel="calls")
    served = {at + 0.5: count for at, (count, _) in seconds.items()}
    refused = {at + 0.5: count for at, (_, count) in seconds.items() if count}
    axes.bar(
        list(served),
        list(served.values()),
        width=0.9,
        color=BLUE,
        label="served",
    )
    axes.bar(
        list(refused),
        list(refused.values()),
        bottom=[served[at] for at in refused],
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
            backgroundcolor="white",
        )


def _sums(storm: Storm) -> str:
    done = "some gave up"
    if storm.done is not None:
        done = f"all served after {storm.done:.0f} s"
    return f"{storm.calls:,} calls, {done}"


def _in_words(name: str, storm: Storm) -> str:
    most = max(map(sum, storm.per_second().values()))
    return f"{name}: {_sums(storm)}, at most {most} in one second."
