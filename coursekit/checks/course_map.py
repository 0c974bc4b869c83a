"""The map of the course: which exercises there are, and which of them are done."""

from __future__ import annotations

from html import escape
from importlib import import_module
from importlib.util import find_spec

from ..course import Lesson, lessons
from . import progress
from .exercise import Exercise
from .progress import Passed

DONE, OPEN = "✓", "○"
CELL = "text-align:left;padding:5px 12px 5px 0;vertical-align:top"


def exercises_of(stem: str) -> list[Exercise]:
    """The exercises of a chapter, in order; none where it has no checks."""
    module = f"{__package__}.{stem.partition('_')[2]}"
    if find_spec(module) is None:
        return []
    return [
        value
        for value in vars(import_module(module)).values()
        if isinstance(value, Exercise)
    ]


class CourseMap:
    """One line a chapter: a sign for each exercise, done or open, and how many are done. Shows
    itself.
    """

    def __init__(self, passed: Passed | None = None) -> None:
        known = progress.passed() if passed is None else passed
        self.rows = [
            (
                chapter,
                [
                    (each.name, each.name in known.get(chapter.stem, []))
                    for each in found
                ],
            )
            for chapter in lessons()
            if (found := exercises_of(chapter.stem))
        ]

    @property
    def summary(self) -> str:
        """How much is done, in a sentence."""
        done = sum(is_done for _, found in self.rows for _, is_done in found)
        of = sum(len(found) for _, found in self.rows)
        return f"{done} of {of} exercises are done."

    def __repr__(self) -> str:
        lines = [
            f"{_title(chapter):32} {_count(found):>6}  {_signs(found)}"
            for chapter, found in self.rows
        ]
        return "\n".join([*lines, self.summary])

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        rows = "".join(_row(chapter, found) for chapter, found in self.rows)
        head = "".join(
            f'<th scope="col" style="{CELL}">{name}</th>'
            for name in ("Exercises", "Done", "Which")
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        html = (
            f'<div class="coursekit-map">{table}<p>{DONE} done · {OPEN} open. '
            f"{self.summary}</p></div>"
        )
        return {"text/html": html, "text/plain": repr(self)}


def _row(chapter: Lesson, found: list[tuple[str, bool]]) -> str:
    title = f'<a href="../exercises/{chapter.stem}.ipynb">{escape(_title(chapter))}</a>'
    each = " ".join(
        f'<span style="white-space:nowrap;margin-right:1em">{DONE if done else OPEN} '
        f"{escape(name)}</span>"
        for name, done in found
    )
    cells = "".join(f'<td style="{CELL}">{text}</td>' for text in (_count(found), each))
    return f'<tr><th scope="row" style="{CELL};white-space:nowrap">{title}</th>{cells}</tr>'


def _title(chapter: Lesson) -> str:
    return f"{chapter.number:02} {chapter.title}"


def _count(found: list[tuple[str, bool]]) -> str:
    return f"{sum(done for _, done in found)} of {len(found)}"


def _signs(found: list[tuple[str, bool]]) -> str:
    return "  ".join(f"{DONE if done else OPEN} {name}" for name, done in found)
