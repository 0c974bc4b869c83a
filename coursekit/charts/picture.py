"""One home for the look of every figure, and for its alternative text.

Figures are made without pyplot, so nothing has to be closed and no global style is touched. They
are white, and in a dark notebook dark (see DARK).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from PIL import Image  # matplotlib writes its own images with it

from ..foundation.palette import BLUE, GRAY, GREEN, INK, ORANGE, PALE, PURPLE
from ..pricing import dollars

PIXELS_PER_INCH = 100
WIDTH = 8.0  # inches, of every figure
# points; at this width a notebook shows 9 of them as 12.5 pixels
TITLE, LABEL, TEXT, SMALL = (
    11,
    9.5,
    9,
    8.5,
)
# of a bill
PARTS = {
    "input": BLUE,
    "cached": GREEN,
    "output": ORANGE,
    "reasoning": PURPLE,
}
HATCHES = {"input": "", "cached": "...", "output": "", "reasoning": "////"}
CSS_CLASS = "coursekit-chart dark-light"  # "dark-light": the site's theme leaves its filter to us
# An image cannot follow the reader's theme, so in JupyterLab's, VS Code's and the site's dark one
# the browser turns its lightness around; colors stay themselves.
DARK = (
    '<style>:is([data-jp-theme-light="false"], [data-theme="dark"], .vscode-dark) '
    ".coursekit-chart{filter:invert(0.93) hue-rotate(180deg)}</style>"
)
LEGEND = {"frameon": False, "fontsize": TEXT}


class Picture:
    """A finished figure with its alternative text; shown by a notebook as an image, by a terminal
    as the text.

    figure  the matplotlib Figure, for tests, and for saving it
    alt     one or two sentences that say what the picture shows
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure, self.alt = figure, alt

    def png(self) -> bytes:
        """The figure as PNG, the same bytes each time: no date, no path.

        In 64 colors, which is ample for lines and flat areas, and makes a notebook less than half
        as large.
        """
        drawn, small = io.BytesIO(), io.BytesIO()
        self.figure.savefig(drawn, format="png", dpi=2 * PIXELS_PER_INCH)
        Image.open(drawn).convert("RGB").quantize(64).save(
            small, format="png", optimize=True
        )
        return small.getvalue()

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> dict[str, str]:
        data = base64.b64encode(self.png()).decode()
        width = round(self.figure.get_figwidth() * PIXELS_PER_INCH)
        shape = f'alt="{html.escape(self.alt)}" width="{width}" style="max-width:100%"'
        image = f'<img class="{CSS_CLASS}" {shape} src="data:image/png;base64,{data}">{DARK}'
        return {"text/html": image, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def figure(
    width: float = WIDTH,
    height: float = 3.6,
    *,
    title: str = "",
    x: str = "",
    y: str = "",
) -> tuple[Figure, Axes]:
    """An empty figure (inches) and its axes in the course's style: title to the left, thin frame,
    no clutter.
    """
    made = canvas(height, width=width)
    axes = made.add_subplot()
    style(axes, title=title, x=x, y=y)
    return made, axes


def canvas(height: float, *, width: float = WIDTH, title: str = "") -> Figure:
    """A white figure (inches) for several panels, with one title over all of them."""
    made = Figure(
        figsize=(width, height),
        layout="constrained",
        facecolor="white",
        dpi=PIXELS_PER_INCH,
    )
    if title:
        made.suptitle(
            title,
            x=0.01,
            ha="left",
            fontsize=TITLE,
            color=INK,
            parse_math=False,
        )
    return made


def style(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """The course's style for one set of axes."""
    axes.set_title(title, loc="left", fontsize=TITLE, color=INK, pad=10)
    axes.set_xlabel(x, fontsize=LABEL, color=INK)
    axes.set_ylabel(y, fontsize=LABEL, color=INK)
    axes.tick_params(labelsize=TEXT, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def rows_of(axes: Axes, names: Sequence[str]) -> None:
    """A row for each name, the first one on top; values run to the right."""
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    grid_along_x(axes)


def note(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    right: float = 4,
    **look: Any,
) -> None:
    """Words next to a place, ``right`` points away from it."""
    look = {"va": "center", "fontsize": TEXT, "color": INK, **look}
    axes.annotate(
        words, at, xytext=(right, 0), textcoords="offset points", **look
    )


def in_dollars(axis: Axis) -> None:
    """Write an axis's numbers as US dollars."""
    axis.set_major_formatter(lambda value, _: dollars(Decimal(f"{value:.6f}")))


def stacked_rows(
    axes: Axes, parts: Mapping[str, tuple[str, Sequence[Any]]]
) -> list[float]:
    """Bars that run to the right, end to end, in the look of ``PARTS``: name of the part -> its
    label in the legend, and its width in each row. Returns where each row ends.
    """
    ends = [0.0] * len(next(iter(parts.values()))[1])
    for part, (label, values) in parts.items():
        widths = [float(value) for value in values]
        axes.barh(
            range(len(widths)),
            widths,
            left=ends,
            height=0.62,
            label=label,
            **part_look(part),
        )
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    return ends


def part_look(part: str) -> dict[str, Any]:
    """Color and pattern of a part of the bill."""
    look = {"color": PARTS[part], "hatch": HATCHES[part]}
    return {**look, "edgecolor": "white", "linewidth": 0}


def grid_along_x(axes: Axes) -> None:
    """Grid lines for values that run to the right, as in a bar for each row, instead of those that
    run up.
    """
    axes.grid(visible=False)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
