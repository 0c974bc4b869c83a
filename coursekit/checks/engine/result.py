"""What a check found, and how it is shown, as text and as HTML. A sign and a word express the
outcome, and color only repeats it.

Everything from a learner's code is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from ...foundation.palette import BLUE, MUTED, RIGHT, WRONG

Status = Literal[
    "passed",
    "not yet",
    "wrong",
    "error",
    "endless",
    "not awaited",
    "not a function",
    "old",
]
WORDS: dict[Status, str] = {
    "passed": "✓ {name}: passed",
    "not yet": "… {name}: not yet",
    "wrong": "✗ {name}: not right yet",
    "error": "✗ {name}: your code raised an error",
    "endless": "✗ {name}: never returned",
    "not awaited": "✗ {name}: an await is missing",
    "not a function": "✗ {name}: not a function",
    "old": "✗ {name}: the newest version of your cell did not run",
}
COLORS = {"✓": RIGHT, "…": MUTED, "✗": WRONG}
BOX = (
    "border-left:4px solid {color};padding:4px 12px;margin:4px"
    " 0;color:#222;background:#FAFAFA;line-height:1.5;max-width:60em"
)
CELL = "text-align:left;vertical-align:top;padding:1px 14px 1px 0;background:#FAFAFA"
CODE = (
    "padding:0;white-space:pre-wrap;overflow-wrap:anywhere;background:none;color:#222;"
    "font-size:13px"
)


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. A notebook displays it as a card; elsewhere, it is text.

    exercise  the exercise's name
    status    "passed"; "not yet" (the stub is still there); "wrong" (a value or an error that was
              not expected); "error" (the learner's code raised an error); "endless" (not done
              within the time limit, or waiting for something that never happens); "not awaited" (a
              coroutine was never awaited); "not a function" (the check's argument); "old" (the
              newest cell has a syntax error)
    right     how many cases passed before the one that failed, of ``cases``
    call, expected, got   the case that failed, as text; "" if there is none
    line      the learner's line that raised an error, as text; "" if there is none
    why       what to think about; ``advice``: where to get a hint
    notes     more sentences, for example about progress
    """

    exercise: str
    status: Status
    cases: int = 0
    right: int = 0
    call: str = ""
    expected: str = ""
    got: str = ""
    line: str = ""
    why: str = ""
    advice: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    def __bool__(self) -> bool:
        return self.passed

    @property
    def head(self) -> str:
        """Return the line with the outcome."""
        count = f" (case {self.right + 1} of {self.cases})" if self.call else ""
        if self.passed:
            count = f" ({self.cases} of {self.cases} cases)"
        return WORDS[self.status].format(name=self.exercise) + count

    @property
    def rows(self) -> list[tuple[str, str]]:
        """Return the rows for the case that failed: (name, text)."""
        named = {
            "call": self.call,
            "expected": self.expected,
            "got": self.got,
            "your line": self.line,
        }
        return [(name, text) for name, text in named.items() if text]

    @property
    def sentences(self) -> list[str]:
        return [text for text in (self.why, self.advice, *self.notes) if text]

    def __repr__(self) -> str:
        rows = [f"  {name:9} {text}" for name, text in self.rows]
        return "\n".join(
            [
                self.head,
                *rows,
                *(f"  {sentence}" for sentence in self.sentences),
            ]
        )

    def _ipython_display_(self) -> None:
        # Displayed, not returned: nbgrader would take a cell's result for a number of points.
        from IPython.display import display

        data: dict[str, Any] = {
            "text/html": result_html(self),
            "text/plain": repr(self),
        }
        display(data, raw=True)  # type: ignore[no-untyped-call]


def result_html(result: CheckResult) -> str:
    """Return the result as a card."""
    rows = "".join(
        f'<tr><th scope="row" style="{CELL};font-weight:normal;color:#555">{name}</th>'
        f'<td style="{CELL}"><code style="{CODE}">{escape(text)}</code></td></tr>'
        for name, text in result.rows
    )
    table = f'<table style="margin:2px 0">{rows}</table>' if rows else ""
    below = "".join(
        f'<div style="white-space:pre-wrap">{escape(text)}</div>'
        for text in result.sentences
    )
    color = COLORS[result.head[0]]
    title = f'<b style="color:{color}">{escape(result.head)}</b>'
    box = BOX.format(color=color)
    return (
        '<div class="coursekit-result" role="status"'
        f' style="{box}">{title}{table}{below}</div>'
    )


class NotPassed(AssertionError):
    """Raised in nbgrader, where a cell that raises an error counts as failed; elsewhere, the result
    is shown. There is no traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


class Hint:
    """One of an exercise's hints, which a notebook displays."""

    def __init__(self, exercise: str, number: int, of: int, text: str) -> None:
        self.text = f"Hint {number} of {of} for {exercise}: {text}"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        style = BOX.format(color=BLUE) + ";white-space:pre-wrap"
        html = f'<div class="coursekit-hint" style="{style}">{escape(self.text)}</div>'
        return {"text/html": html, "text/plain": self.text}
