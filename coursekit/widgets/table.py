"""A table as every lab shows it: HTML whose columns have heads, and whose rows are named by one of their cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

NUMBER = "text-align:right;padding:1px 10px;font-variant-numeric:tabular-nums"
NAME = "text-align:left;padding:1px 10px 1px 0"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], looks: Sequence[str]) -> str:
    """Heads, and rows of as many cells, each with the CSS of its column in ``looks``; all text is escaped.

    The first cell names its row: a screen reader says it with each of the others.
    """
    top = "".join(
        f'<th scope="col" style="{look}">{escape(head)}</th>' for look, head in zip(looks, heads, strict=True)
    )
    body = "".join(f"<tr>{row(cells, looks)}</tr>" for cells in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def row(cells: Sequence[str], looks: Sequence[str]) -> str:
    """The cells of one row, without the row itself. Its weight is the row's: browsers make a head bold."""
    name, *others = (escape(cell) for cell in cells)
    first, *styles = looks
    rest = "".join(f'<td style="{look}">{cell}</td>' for look, cell in zip(styles, others, strict=True))
    return f'<th scope="row" style="{first};font-weight:inherit">{name}</th>{rest}'
