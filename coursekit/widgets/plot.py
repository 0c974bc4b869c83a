"""An SVG drawing with two axes that start at 0, for values that labs plot over turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..foundation.markup import round_numbers, text
from ..foundation.palette import GRAY


@dataclass(frozen=True, slots=True)
class Plot:
    """The frame of a drawing, in the drawing's own units, and its scales.

    width, height             the drawing's size
    left, right, top, bottom  the drawing's margins
    last, most                the values at the right end and the top of the frame, above 0
    """

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    last: float
    most: float

    def x(self, value: float) -> float:
        """Return the position of a value on the horizontal axis."""
        frame = self.width - self.left - self.right
        return self.left + value / self.last * frame

    def y(self, value: float) -> float:
        """Return the position of a value on the vertical axis."""
        floor = self.height - self.bottom
        return floor - value / self.most * (floor - self.top)

    def line(
        self,
        points: Iterable[tuple[float, float]],
        color: str,
        width: int = 3,
        dashes: str = "none",
    ) -> str:
        """Draw a line through points (values on both axes)."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        return (
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{width}" '
            f'stroke-dasharray="{dashes}"/>'
        )

    def levels(self, written: Callable[[float], str]) -> str:
        """Draw thin lines at round values on the vertical axis, each with its number on the
        left.
        """
        parts = ""
        for value in round_numbers(self.most):
            y = self.y(value)
            parts += (
                f'<line x1="{self.left}" x2="{self.width - self.right}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="{GRAY}" stroke-width="{0.3 if value else 1}"/>'
            )
            parts += text(self.left - 6, y + 4, written(value), "end")
        return parts

    def below(self, numbers: Iterable[int], name: str, shift: float = 0) -> str:
        """Write numbers below the horizontal axis, and what they count.

        shift  the offset from a number to its position on the axis
        """
        floor = self.height - self.bottom
        parts = text(self.x(self.last / 2), self.height - 4, name, "middle")
        for number in numbers:
            parts += text(
                self.x(number + shift), floor + 15, str(number), "middle"
            )
        return parts
