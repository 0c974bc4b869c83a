"""The map of the course: which exercises there are, which of them are done, and the scores of the
quizzes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from html import escape
from importlib import import_module
from importlib.util import find_spec

from .. import progress
from ..course import DATA, Lesson, lessons
from ..foundation.markup import NAME, SHORT, Markup, table
from ..progress import Progress
from .engine import Exercise

DONE, OPEN = "✓", "○"
COLUMNS = (f"{NAME};min-width:8em", SHORT, SHORT, NAME)


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


def questions_in(stem: str) -> int:
    """How many questions the quiz of a chapter has; 0 where it has none."""
    path = DATA / "quizzes" / f"{stem}.toml"
    return (
        len(tomllib.loads(path.read_text(encoding="utf-8"))["question"])
        if path.is_file()
        else 0
    )


@dataclass(frozen=True)
class Row:
    """A chapter: each exercise with whether it is done, and how many of its quiz questions are."""

    chapter: Lesson
    exercises: dict[str, bool]
    answered: int
    questions: int

    @property
    def title(self) -> str:
        return f"{self.chapter.number:02} {self.chapter.title}"

    @property
    def count(self) -> str:
        return f"{sum(self.exercises.values())} of {len(self.exercises)}"

    @property
    def quiz(self) -> str:
        return f"{self.answered} of {self.questions}"

    @property
    def signs(self) -> list[str]:
        return [
            f"{DONE if done else OPEN} {name}" for name, done in self.exercises.items()
        ]


class CourseMap:
    """One line per chapter: a sign for each exercise, done or open, and the score of its quiz.
    Shows itself.
    """

    def __init__(self, done: Progress | None = None) -> None:
        done = progress.read() if done is None else done
        self.rows = []
        for chapter in lessons():
            names = [exercise.name for exercise in exercises_of(chapter.stem)]
            if names:
                passed, answered = (
                    done.passed.get(chapter.stem, []),
                    done.quizzes.get(chapter.stem, []),
                )
                exercises = {name: name in passed for name in names}
                self.rows.append(
                    Row(chapter, exercises, len(answered), questions_in(chapter.stem))
                )

    @property
    def summary(self) -> str:
        """How much is done, in a sentence."""
        done = sum(sum(row.exercises.values()) for row in self.rows)
        return (
            f"{done} of {sum(len(row.exercises) for row in self.rows)} exercises done."
        )

    def __repr__(self) -> str:
        lines = [
            f"{row.title:32} {row.count:>6}  quiz {row.quiz:>6}  {'  '.join(row.signs)}"
            for row in self.rows
        ]
        return "\n".join([*lines, self.summary])

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        heads = ("Exercises", "Done", "Quiz", "Which")
        shown = table(heads, map(_cells, self.rows), COLUMNS)
        key = f"<p>{DONE} done · {OPEN} open. {self.summary}</p>"
        html = f'<div class="coursekit-map">{shown}{key}</div>'
        return {"text/html": html, "text/plain": repr(self)}


def _cells(row: Row) -> tuple[str, str, str, str]:
    link = f'<a href="../exercises/{row.chapter.stem}.ipynb">{escape(row.title)}</a>'
    # a line breaks between names, never in one
    style = "display:inline-block;white-space:nowrap;margin-right:1em"
    signs = "".join(
        f'<span style="{style}">{escape(sign)}</span> ' for sign in row.signs
    )
    return Markup(link), row.count, row.quiz, Markup(signs)
