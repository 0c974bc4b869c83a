"""A table as every lab shows it: HTML whose columns have heads, and whose rows are named by one of
their cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

NUMBER = "text-align:right;padding:1px 10px;font-variant-numeric:tabular-nums"
NAME = "text-align:left;padding:1px 10px 1px 0"


class Html(str):
    """What is markup already: a drawing in a cell. Any other text is escaped."""

    __slots__ = ()


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    looks: Sequence[str],
    *,
    named: int = 0,
    caption: str = "",
    style: str = "",
    row_style: Sequence[str] = (),
) -> str:
    """Heads, and rows of as many cells, each with the CSS of its column in ``looks``; text is
    escaped.

    named      the column that names a row: a screen reader says it with each of the others
    caption    above the table
    style      the table's CSS
    row_style  each row's CSS, in the order of the rows; fewer: the others have none. A row's weight
               is its name's, too
    """
    top = "".join(
        f'<th scope="col" style="{look}">{escape(head)}</th>'
        for look, head in zip(looks, heads, strict=True)
    )
    styles = iter(row_style)
    body = "".join(
        f"<tr{_style(next(styles, ''))}>{_row(cells, looks, named)}</tr>"
        for cells in rows
    )
    said = (
        f'<caption style="text-align:left">{escape(caption)}</caption>'
        if caption
        else ""
    )
    return f"<table{_style(style)}>{said}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _row(cells: Sequence[str], looks: Sequence[str], named: int) -> str:
    shown = []
    for column, (cell, look) in enumerate(zip(cells, looks, strict=True)):
        text = cell if isinstance(cell, Html) else escape(cell)
        if column == named:  # browsers make a head bold
            shown.append(
                f'<th scope="row" style="{look};font-weight:inherit">{text}</th>'
            )
        else:
            shown.append(f'<td style="{look}">{text}</td>')
    return "".join(shown)


def _style(css: str) -> str:
    return f' style="{css}"' if css else ""
