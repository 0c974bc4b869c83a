"""What a check found, as plain data; ``shows`` has the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal[
    "passed",
    "not yet",
    "wrong",
    "error",
    "endless",
    "not awaited",
    "not a function",
    "old",
]


@dataclass(frozen=True)
class Verdict:
    """The result of one check. It shows itself in a notebook, and as text elsewhere.

    exercise  its name
    outcome   "passed"; "not yet" (the stub is still there); "wrong" (another value, or another
              error, than expected); "error" (the learner's code raised); "endless" (no end within
              the time limit); "not awaited" (a coroutine was left); "not a function" (what was
              handed to the check); "old" (the newest cell has a syntax error)
    right     how many cases passed before the one that is told, of ``cases``
    given, expected, came   the case that did not pass, as text; "" where there is none
    where     the learner's line that raised, as text; "" where there is none
    why       what to think about; ``advice`` where to get a hint
    notes     further sentences, such as on progress
    """

    exercise: str
    outcome: Outcome
    cases: int = 0
    right: int = 0
    given: str = ""
    expected: str = ""
    came: str = ""
    where: str = ""
    why: str = ""
    advice: str = ""
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        from .shows import verdict_text

        return verdict_text(self)

    def _ipython_display_(self) -> None:
        # Displayed, not returned: nbgrader would take a cell's result for a number of points.
        from IPython.display import display

        from .shows import verdict_html

        data: dict[str, Any] = {
            "text/html": verdict_html(self),
            "text/plain": repr(self),
        }
        display(data, raw=True)  # type: ignore[no-untyped-call]


class NotPassed(AssertionError):
    """Raised instead of shown where nbgrader grades or validates: a failed cell is how it counts.
    Without traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()
