"""The HTML and SVG of labs, receipts and reports: a table, a drawing, a legend. Text is escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

# The CSS of a table's columns.
NAME = "text-align:left;padding:1px 8px 1px 0"
SHORT = f"{NAME};white-space:nowrap"
NUMBER = "text-align:right;padding:1px 6px;font-variant-numeric:tabular-nums;white-space:nowrap"
SQUARE = "display:inline-block;width:12px;height:12px;margin:0 4px 0 0;vertical-align:-1px"


class Markup(str):
    """HTML or SVG that is safe already, such as a drawing in a cell. Any other text is escaped."""

    __slots__ = ()


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    columns: Sequence[str],
    *,
    named: int = 0,
    caption: str = "",
    style: str = "",
    row_style: Sequence[str] = (),
) -> str:
    """A table that scrolls sideways where it is wider than the page.

    rows       of as many cells as there are ``heads``
    columns    the CSS of each column
    named      the column that names a row: a screen reader says it with each of the others
    caption    above the table
    style      the table's CSS
    row_style  the CSS of each row, in order; rows without an entry have none
    """
    styles = [*row_style]
    head = "".join(
        f'<th scope="col" style="{column}">{_cell(text)}</th>'
        for text, column in zip(heads, columns, strict=True)
    )
    body = ""
    for number, cells in enumerate(rows):
        css = styles[number] if number < len(styles) else ""
        body += f"<tr{_style(css)}>{_row(cells, columns, named)}</tr>"
    # A caption is as wide as its table; its text only as wide as what is seen of it.
    box, above = "contain:inline-size", ""
    if caption:
        box = "container-type:inline-size"
        above = (
            '<caption style="text-align:left"><span style="display:inline-block;max-width:100cqw">'
            f"{_cell(caption)}</span></caption>"
        )
    return (
        f'<div style="overflow-x:auto;{box}"><table style="line-height:1.5;{style}">'
        f"{above}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(cells: Sequence[str], columns: Sequence[str], named: int) -> str:
    shown = [
        f'<td style="{css}">{_cell(text)}</td>'
        for text, css in zip(cells, columns, strict=True)
    ]
    # Browsers make a head bold; this one has the weight of its row.
    css = f"{columns[named]};font-weight:inherit"
    shown[named] = f'<th scope="row" style="{css}">{_cell(cells[named])}</th>'
    return "".join(shown)


def _cell(text: str) -> str:
    return text if isinstance(text, Markup) else escape(text)


def _style(css: str) -> str:
    return f' style="{css}"' if css else ""


def svg(
    alt: str, width: float, height: float, parts: str, *, font: int = 11
) -> str:
    """A drawing of ``parts`` (SVG), as wide as there is room; screen readers say ``alt``.

    width, height  in the drawing's own units
    font           size of its text, in the same units; text has the page's color
    """
    return (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {width:g} {height:g}" '
        f'width="100%" style="max-width:900px;font:{font}px sans-serif" fill="currentColor">'
        f"{parts}</svg>"
    )


def stretched(
    alt: str,
    height: float,
    shapes: str,
    marks: str,
    *,
    left: int = 0,
    right: int = 0,
) -> str:
    """A drawing as wide as there is room, and readable at every width: its shapes stretch, its
    words and marks keep their size. Screen readers say ``alt``.

    height       in pixels, at every width
    shapes       SVG; x goes from 0 to 100, y is in pixels
    marks        SVG of ``mark()``, and ``text`` and ``rect`` with the unit "%"; y is in pixels
    left, right  pixels left and right of the shapes, for words that are outside
    """
    return (
        f'<svg role="img" aria-label="{escape(alt)}" height="{height:g}" fill="currentColor" '
        f'style="width:calc(100% - {left + right}px);max-width:900px;margin:0 {right}px 0 {left}px;'
        f'overflow:visible;font:11px sans-serif"><svg viewBox="0 0 100 {height:g}" '
        f'preserveAspectRatio="none" width="100%" height="{height:g}">{shapes}</svg>{marks}</svg>'
    )


def mark(x: float, y: float, path: str) -> str:
    """A path around a place in a ``stretched`` drawing; x is a percentage."""
    return (
        f'<svg x="{x:.2f}%" y="{y:.1f}" width="1" height="1" overflow="visible">'
        f'<path d="{path}"/></svg>'
    )


def text(
    x: float, y: float, words: str, anchor: str = "start", unit: str = ""
) -> str:
    """Words at a place in a drawing; ``anchor`` is "start", "middle" or "end".

    unit  of x; "%" for a ``mark`` in a ``stretched`` drawing
    """
    return f'<text x="{x:.1f}{unit}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def rect(
    x: float, y: float, width: float, height: float, look: str, unit: str = ""
) -> str:
    """A rectangle in a drawing; ``look`` are its attributes, such as ``fill="none"``.

    unit  of x and width; "%" for a ``mark`` in a ``stretched`` drawing
    """
    return (
        f'<rect x="{x:.1f}{unit}" y="{y:.1f}" width="{width:.1f}{unit}" height="{height:.1f}" '
        f"{look}/>"
    )


def legend(keys: Mapping[str, str]) -> str:
    """What the colors and patterns of a drawing mean: label -> CSS of its square."""
    shown = "".join(
        f'<span style="display:inline-block;margin-right:16px"><span style="{SQUARE};{css}"></span>'
        f"{escape(label)}</span>"
        for label, css in keys.items()
    )
    return f'<div style="line-height:1.6">{shown}</div>'


def round_numbers(most: float, count: int = 5) -> list[float]:
    """From 0 to at most ``most`` (above 0), in steps of 1, 2 or 5 with zeros: for a scale of about
    ``count`` numbers, never more than twice as many.
    """
    power = 10.0 ** math.floor(math.log10(most / count))
    step = next(
        step
        for step in (power, 2 * power, 5 * power, 10 * power)
        if most / step < 1.6 * count
    )
    return [
        round(number * step, 12)
        for number in range(int(most / step + 1e-9) + 1)
    ]
