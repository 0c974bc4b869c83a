"""Drawings as every lab makes them: SVG with an alternative text, in units of its own, as wide as
there is room.
"""

from __future__ import annotations

from html import escape


def svg(alt: str, width: float, height: float, parts: str, *, font: int = 11) -> str:
    """A picture of ``parts`` (SVG), which screen readers say as ``alt``.

    width, height  in the drawing's own units
    font           size of its text, in the same units; text has the page's color
    """
    return (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width} {height:g}" width="100%" '
        f'style="max-width:900px;font:{font}px sans-serif" fill="currentColor">{parts}</svg>'
    )


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """Words at a place, escaped; ``anchor`` is "start", "middle" or "end"."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
    )
