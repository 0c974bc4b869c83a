"""HTML and SVG for labs, receipts, and reports: tables, drawings, and legends. Text is escaped."""

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
    """HTML or SVG that is already safe, such as a drawing in a cell. Any other text is escaped."""

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
    """Return a table that scrolls sideways if it is wider than the page.

    rows       each with as many cells as there are ``heads``
    columns    the CSS for each column
    named      the column that names a row: a screen reader announces it with each other cell
    caption    above the table
    style      CSS for the table
    row_style  the CSS for each row, in order; rows without an entry have none
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
    # A caption is as wide as its table, but its text is only as wide as the visible part.
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
    # Browsers make a header cell bold; this one has the same weight as its row.
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
    """Return a drawing with ``parts`` (SVG) that uses the available width; screen readers announce
    ``alt``.

    width, height  in the drawing's own units
    font           the text's size, in the same units; text has the page's color
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
    """Return a drawing that uses the available width and is readable at every width: its shapes
    stretch, but its words and marks keep their size. Screen readers announce ``alt``.

    height       in pixels, at every width
    shapes       SVG; x goes from 0 to 100, y is in pixels
    marks        SVG from ``mark()``, and from ``text`` and ``rect`` with the unit "%"; y is in
                 pixels
    left, right  pixels to the left and right of the shapes, for words outside them
    """
    return (
        f'<svg role="img" aria-label="{escape(alt)}" height="{height:g}" fill="currentColor" '
        f'style="width:calc(100% - {left + right}px);max-width:900px;margin:0 {right}px 0 {left}px;'
        f'overflow:visible;font:11px sans-serif"><svg viewBox="0 0 100 {height:g}" '
        f'preserveAspectRatio="none" width="100%" height="{height:g}">{shapes}</svg>{marks}</svg>'
    )


def mark(x: float, y: float, path: str) -> str:
    """Return a path around a point in a ``stretched`` drawing; x is a percentage."""
    return (
        f'<svg x="{x:.2f}%" y="{y:.1f}" width="1" height="1" overflow="visible">'
        f'<path d="{path}"/></svg>'
    )


def text(
    x: float, y: float, words: str, anchor: str = "start", unit: str = ""
) -> str:
    """Return words at a point in a drawing; ``anchor`` is "start", "middle", or "end".

    unit  the unit of x; "%" for a ``mark`` in a ``stretched`` drawing
    """
    return f'<text x="{x:.1f}{unit}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def rect(
    x: float, y: float, width: float, height: float, look: str, unit: str = ""
) -> str:
    """Return a rectangle in a drawing; ``look`` contains its attributes, such as ``fill="none"``.

    unit  the unit of x and width; "%" for a ``mark`` in a ``stretched`` drawing
    """
    return (
        f'<rect x="{x:.1f}{unit}" y="{y:.1f}" width="{width:.1f}{unit}" height="{height:.1f}" '
        f"{look}/>"
    )


def legend(keys: Mapping[str, str]) -> str:
    """Return a legend for the colors and patterns in a drawing: label -> CSS for its square."""
    shown = "".join(
        f'<span style="display:inline-block;margin-right:16px"><span style="{SQUARE};{css}"></span>'
        f"{escape(label)}</span>"
        for label, css in keys.items()
    )
    return f'<div style="line-height:1.6">{shown}</div>'


def round_numbers(most: float, count: int = 5) -> list[float]:
    """Return numbers from 0 to at most ``most`` (above 0) for a scale, in steps of 1, 2, or 5 times
    a power of ten. There are about ``count`` numbers, and never more than twice as many.
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
