"""The look of all figures, and their alternative text.

Figures are made without pyplot, so nothing has to be closed, and in ``STYLE``, which applies only
while a figure is made and drawn. They are white, but dark in a dark notebook (see DARK).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import add
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from PIL import Image  # matplotlib writes its own images with it

from ..foundation.palette import BLUE, GRAY, GREEN, INK, ORANGE, PALE, PURPLE
from ..pricing import dollars

PIXELS_PER_INCH = 100
WIDTH = 8.0  # inches, the width of every figure
# points; at this width, a notebook shows 9 points as 12.5 pixels
LABEL, SMALL = 9.5, 8.5
# a title on the left, a thin frame, no clutter
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRAY,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.labelsize": LABEL,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.titlesize": 11,
    "font.size": 9,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.labelcolor": "black",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 9,
    "xtick.major.size": 3,
    "ytick.color": INK,
    "ytick.labelsize": 9,
    "ytick.major.size": 3,
}
styled = rc_context(STYLE)  # a decorator
# of a bill
PARTS = {
    "input": BLUE,
    "cached": GREEN,
    "output": ORANGE,
    "reasoning": PURPLE,
}
HATCHES = {"input": "", "cached": "...", "output": "", "reasoning": "////"}
CSS_CLASS = "coursekit-chart dark-light"  # "dark-light": the site's theme leaves its filter to us
# An image cannot follow the reader's theme, so in the dark themes of JupyterLab, VS Code, and the
# site, the browser inverts its lightness and keeps its hues.
DARK = (
    '<style>:is([data-jp-theme-light="false"], [data-theme="dark"], .vscode-dark) '
    ".coursekit-chart{filter:invert(0.93) hue-rotate(180deg)}</style>"
)
ABOVE: dict[str, Any] = {
    "loc": "lower right",
    "bbox_to_anchor": (1, 1),
}  # of a legend


class Picture:
    """A finished figure with its alternative text. A notebook shows the image, and a terminal shows
    the text.

    figure  the matplotlib Figure, for tests, and for saving it
    alt     one or two sentences that say what the picture shows
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure, self.alt = figure, alt

    @styled
    def png(self) -> bytes:
        """Return the figure as a PNG. It has neither a date nor a path, so the bytes are always the
        same.

        It has 64 colors, which are ample for lines and flat areas and make a notebook less than
        half as large.
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
    height: float, *, width: float = WIDTH, **labels: str
) -> tuple[Figure, Axes]:
    """Return an empty figure (size in inches) and its axes; ``labels`` are title, xlabel, and
    ylabel.
    """
    made = canvas(height, width=width)
    return made, made.add_subplot(**labels)


def canvas(height: float, *, width: float = WIDTH, title: str = "") -> Figure:
    """Return a figure (size in inches) for several panels, with one title above all of them."""
    made = Figure((width, height))
    made.suptitle(title, x=0.01, ha="left", parse_math=False)
    return made


def rows_of(axes: Axes, names: Sequence[str]) -> None:
    """Prepare axes with a row for each name, the first on top; values run to the right."""
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    grid_along_x(axes)


def note(
    axes: Axes,
    words: str,
    at: tuple[float, float],
    right: float = 4,
    up: float = 0,
    **look: Any,
) -> None:
    """Write words near a place, ``right`` points to the right of it and ``up`` points above it."""
    axes.annotate(
        words,
        at,
        xytext=(right, up),
        textcoords="offset points",
        **{"va": "center"} | look,
    )


def in_dollars(axis: Axis) -> None:
    """Format an axis's numbers as US dollars."""
    axis.set_major_formatter(lambda value, _: dollars(Decimal(str(value))))


def stacked_rows(
    axes: Axes, parts: Mapping[str, tuple[str, Sequence[Any]]]
) -> list[float]:
    """Draw bars that run to the right, end to end, in the look of ``PARTS``: name of the part ->
    its label in the legend, and its width in each row. Returns where each row ends.
    """
    ends = [0.0] * len(next(iter(parts.values()))[1])
    for part, (label, values) in parts.items():
        widths = [float(value) for value in values]
        look = part_look(part)
        rows = range(len(widths))
        axes.barh(rows, widths, left=ends, height=0.62, label=label, **look)
        ends = [*map(add, ends, widths)]
    return ends


def part_look(part: str) -> dict[str, Any]:
    """Return the color and pattern for a part of the bill."""
    return {
        "color": PARTS[part],
        "hatch": HATCHES[part],
        "edgecolor": "white",
        "linewidth": 0,
    }


def grid_along_x(axes: Axes) -> None:
    """Draw grid lines for values that run to the right, as in horizontal bars, instead of for
    values that run up.
    """
    axes.grid(visible=False)
    axes.grid(axis="x")
