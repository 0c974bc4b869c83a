"""Chart for chapter 09: solutions side by side, on the rubric's five axes. Taught in 09 §3."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes

from ..foundation.palette import BLUE, INK, PALE
from .picture import LABEL, Picture, canvas, styled

MOST_ROWS = 8


@styled
def axes_of(
    scores: Mapping[str, Mapping[str, float]], *, full: float = 20.0
) -> Picture:
    """Draw a column for each axis, with a bar and its value for each solution.

    scores  name of the solution -> axis -> points. All 1 to 8 solutions have the same axes; the
            first is on top
    full    the maximum points for an axis

    Raises ValueError for no solutions or too many, and for solutions with different axes.
    """
    kinds = {tuple(points) for points in scores.values()}
    if not 1 <= len(scores) <= MOST_ROWS or len(kinds) != 1:
        raise ValueError(
            f"Give 1 to {MOST_ROWS} solutions with the same axes; got {len(scores)} with "
            f"{len(kinds)} different sets of axes."
        )
    (kind,) = kinds
    names = [
        f"{name}\n{sum(points.values()):.1f}" for name, points in scores.items()
    ]
    made = canvas(1.0 + 0.55 * len(scores))
    columns = made.subplots(1, len(kind), sharey=True, squeeze=False)[0]
    for column, axis in zip(columns, kind, strict=True):
        values = [points[axis] for points in scores.values()]
        _column(column, axis, values, full)
    columns[0].set_yticks(range(len(names)), names)
    columns[0].set_ylim(len(names) - 0.4, -0.6)  # the first on top
    made.supxlabel(f"points, at most {full:g} on each axis", fontsize=LABEL)
    said = " ".join(map(_in_words, scores, scores.values()))
    return Picture(made, f"Points by axis. {said}")


def _column(axes: Axes, axis: str, values: list[float], full: float) -> None:
    axes.set_title(axis, fontsize=LABEL, pad=6)
    rows = range(len(values))
    axes.barh(
        rows,
        [full] * len(values),
        height=0.62,
        color="white",
        edgecolor=PALE,
        linewidth=0.8,
    )
    axes.barh(rows, values, height=0.62, color=BLUE)
    for row, value in zip(rows, values, strict=True):
        shift, side, color = 0.6, "left", INK
        if value > 0.45 * full:  # room inside the bar
            shift, side, color = -0.6, "right", "white"
        axes.text(
            value + shift,
            row,
            f"{value:.1f}",
            va="center",
            ha=side,
            color=color,
        )
    axes.set_xlim(0, full * 1.02)
    axes.set_xticks([0, full / 2, full])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _in_words(name: str, points: Mapping[str, float]) -> str:
    each = ", ".join(f"{axis} {value:.1f}" for axis, value in points.items())
    return f"{name}: {sum(points.values()):.1f} in total ({each})."
