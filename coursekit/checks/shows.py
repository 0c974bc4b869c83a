"""A verdict and a hint in words, as text and as HTML; a sign and a word tell the outcome, color
only repeats it.
"""

from __future__ import annotations

from html import escape

from ..foundation.palette import BLUE, MUTED, RIGHT, WRONG
from .result import Verdict

WORDS = {
    "passed": ("✓", "passed"),
    "not yet": ("…", "not yet"),
    "wrong": ("✗", "not right yet"),
    "error": ("✗", "your code raised an error"),
    "endless": ("✗", "does not end"),
    "not awaited": ("✗", "an await is missing"),
    "not a function": ("✗", "no function"),
    "old": ("✗", "the newest version of your cell did not run"),
}
COLORS = {"✓": RIGHT, "…": MUTED, "✗": WRONG}
BOX = (
    "border-left:4px solid {color};padding:4px 12px;margin:4px 0;color:#222;background:#FAFAFA;"
    "line-height:1.5;max-width:60em"
)
NAME = (
    "text-align:left;vertical-align:top;padding:1px 14px 1px "
    "0;font-weight:normal;color:#555;background:#FAFAFA"
)
VALUE = "text-align:left;vertical-align:top;padding:1px 0;background:#FAFAFA"
CODE = (
    "padding:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    "background:none;color:#222;font-size:13px"
)


def head(verdict: Verdict) -> str:
    """The line that tells the outcome."""
    sign, word = WORDS[verdict.outcome]
    count = ""
    if verdict.passed:
        count = f" ({verdict.cases} of {verdict.cases} cases)"
    elif verdict.given:
        count = f" (case {verdict.right + 1} of {verdict.cases})"
    return f"{sign} {verdict.exercise}: {word}{count}"


def rows(verdict: Verdict) -> list[tuple[str, str]]:
    """What is told of the case that did not pass: (name, text)."""
    named = {
        "given": verdict.given,
        "expected": verdict.expected,
        "came": verdict.came,
        "your line": verdict.where,
    }
    return [(name, text) for name, text in named.items() if text]


def sentences(verdict: Verdict) -> list[str]:
    return [text for text in (verdict.why, verdict.advice, *verdict.notes) if text]


def verdict_text(verdict: Verdict) -> str:
    """A verdict as plain text, of one line or more."""
    told = [f"  {name:9} {text}" for name, text in rows(verdict)]
    return "\n".join(
        [head(verdict), *told, *(f"  {sentence}" for sentence in sentences(verdict))]
    )


def verdict_html(verdict: Verdict) -> str:
    """The same as HTML; everything that came from outside is escaped."""
    sign = WORDS[verdict.outcome][0]
    table = "".join(
        f'<tr><th scope="row" style="{NAME}">{name}</th><td style="{VALUE}"><code '
        f'style="{CODE}">{escape(text)}'
        "</code></td></tr>"
        for name, text in rows(verdict)
    )
    table = f'<table style="margin:2px 0">{table}</table>' if table else ""
    below = "".join(
        f'<div style="white-space:pre-wrap">{escape(text)}</div>'
        for text in sentences(verdict)
    )
    color = COLORS[sign]
    title = f'<b style="color:{color}">{escape(head(verdict))}</b>'
    return (
        '<div class="coursekit-verdict" role="status" '
        f'style="{BOX.format(color=color)}">{title}{table}{below}</div>'
    )


class Hint:
    """One of an exercise's hints; shows itself."""

    def __init__(self, exercise: str, number: int, of: int, text: str) -> None:
        self.text = f"Hint {number} of {of} for {exercise}: {text}"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        style = BOX.format(color=BLUE) + ";white-space:pre-wrap"
        return {
            "text/html": f'<div class="coursekit-hint" style="{style}">{escape(self.text)}</div>',
            "text/plain": self.text,
        }
