"""The course map: the exercises, which of them are done, and the quiz scores.

Taught in 00, "Your map".
"""

from __future__ import annotations

import tomllib
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .. import progress
from ..course import DATA, Lesson, lessons
from ..foundation.markup import NAME, SHORT, Markup, table
from .engine import Exercise

DONE, OPEN = "✓", "○"
COLUMNS = (f"{NAME};min-width:8em", SHORT, SHORT, NAME)


def exercises_of(stem: str) -> list[Exercise]:
    """Return the exercises in a chapter, in order; none if it does not have checks."""
    module = f"{__package__}.{stem.partition('_')[2]}"
    if find_spec(module) is None:
        return []
    return [
        value
        for value in vars(import_module(module)).values()
        if isinstance(value, Exercise)
    ]


def questions_in(stem: str) -> int:
    """Return how many questions a chapter's quiz has; 0 if there is no quiz."""
    path = DATA / "quizzes" / f"{stem}.toml"
    return (
        len(tomllib.loads(path.read_text(encoding="utf-8"))["question"])
        if path.is_file()
        else 0
    )


def places() -> frozenset[str]:
    """Return every exercise and quiz question, as "01_basics/reply_text" and "01_basics/1"."""
    stems = [lesson.stem for lesson in lessons()]
    exercises = {
        f"{stem}/{exercise.name}"
        for stem in stems
        for exercise in exercises_of(stem)
    }
    questions = {
        f"{stem}/{number}"
        for stem in stems
        for number in range(1, questions_in(stem) + 1)
    }
    return frozenset(exercises | questions)


class CourseMap:
    """One line per chapter: a sign for each exercise, done or open, and the quiz score.

    done  what ``progress.read()`` returns; None: the progress saved on this machine
    """

    def __init__(self, done: dict[str, Any] | None = None) -> None:
        done = progress.read() if done is None else done
        self.rows, self.passed, self.exercises = [], 0, 0
        for chapter in lessons():
            names = [exercise.name for exercise in exercises_of(chapter.stem)]
            if not names:
                continue
            passed = set(names) & set(done["passed"].get(chapter.stem, []))
            signs = [
                f"{DONE if name in passed else OPEN} {name}" for name in names
            ]
            answered = len(done["quizzes"].get(chapter.stem, []))
            quiz = f"{answered} of {questions_in(chapter.stem)}"
            self.rows.append(
                (chapter, f"{len(passed)} of {len(names)}", quiz, signs)
            )
            self.passed += len(passed)
            self.exercises += len(names)

    @property
    def summary(self) -> str:
        """The progress in one sentence."""
        return f"{self.passed} of {self.exercises} exercises done."

    def __repr__(self) -> str:
        lines = [
            f"{_title(chapter):32} {count:>6}  quiz {quiz:>6}  {'  '.join(signs)}"
            for chapter, count, quiz, signs in self.rows
        ]
        return "\n".join([*lines, self.summary])

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        rows = [
            (_link(chapter), count, quiz, Markup(" ".join(map(_sign, signs))))
            for chapter, count, quiz, signs in self.rows
        ]
        shown = table(("Exercises", "Done", "Quiz", "Which"), rows, COLUMNS)
        below = f"<p>{DONE} done · {OPEN} open. {self.summary}</p>"
        html = f'<div class="coursekit-map">{shown}{below}</div>'
        return {"text/html": html, "text/plain": repr(self)}


def _title(chapter: Lesson) -> str:
    return f"{chapter.number:02} {chapter.title}"


def _link(chapter: Lesson) -> Markup:
    address = f"../exercises/{chapter.stem}.ipynb"
    return Markup(f'<a href="{address}">{escape(_title(chapter))}</a>')


def _sign(sign: str) -> str:
    style = "display:inline-block;white-space:nowrap;margin-right:1em"  # no break in a name
    return f'<span style="{style}">{escape(sign)}</span>'
