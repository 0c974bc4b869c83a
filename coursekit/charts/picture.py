"""One home for the look of every figure, and for its alternative text.

Figures are made without pyplot, so nothing has to be closed and no global style is touched. Colors are those of
Okabe and Ito (2008), which the common kinds of color blindness can tell apart; a chart never tells by color alone.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image  # matplotlib writes its own images with it

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
INK, GRAY, PALE = "#222222", "#767676", "#DDDDDD"
PIXELS_PER_INCH = 100


class Picture:
    """A finished figure with its alternative text; shown by a notebook as an image, by a terminal as the text.

    figure  the matplotlib Figure, for tests and for whoever wants to save it
    alt     one or two sentences that tell what the picture shows
    """

    def __init__(self, figure: Figure, alt: str) -> None:
        self.figure, self.alt = figure, alt

    def png(self) -> bytes:
        """The figure as PNG, the same bytes each time: no date, no path.

        In 64 colors, which is ample for lines and flat areas, and makes a notebook less than half as large.
        """
        drawn, small = io.BytesIO(), io.BytesIO()
        self.figure.savefig(drawn, format="png", dpi=2 * PIXELS_PER_INCH)
        Image.open(drawn).convert("RGB").quantize(64).save(small, format="png", optimize=True)
        return small.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        data = base64.b64encode(self.png()).decode()
        width = round(self.figure.get_figwidth() * PIXELS_PER_INCH)
        shape = f'alt="{html.escape(self.alt)}" width="{width}" style="max-width:100%"'
        image = f'<img {shape} src="data:image/png;base64,{data}">'
        return {"text/html": image, "text/plain": self.alt}

    def __repr__(self) -> str:
        return self.alt


def figure(
    width: float = 8.0, height: float = 3.6, *, title: str = "", x: str = "", y: str = ""
) -> tuple[Figure, Axes]:
    """An empty figure (inches) and its axes in the course's style: title to the left, thin frame, no clutter."""
    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    axes = made.add_subplot()
    style(axes, title=title, x=x, y=y)
    return made, axes


def style(axes: Axes, *, title: str = "", x: str = "", y: str = "") -> None:
    """The course's style for one set of axes."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
    axes.set_xlabel(x, fontsize=9.5, color=INK)
    axes.set_ylabel(y, fontsize=9.5, color=INK)
    axes.tick_params(labelsize=9, colors=INK, length=3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
