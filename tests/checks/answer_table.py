"""The table of answers to exercises: how answers are added to it and read from it.

An answer is a function with any name. A decorator in answers_to_CHAPTER.py, next to this file, adds
it to the table::

    @right("reply_text")
    def with_one_expression(reply): ...

    @wrong("reply_text", "error", says="NoneType")
    def straight_through(reply): ...
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Answer:
    """``says`` are words that the verdict must contain; ``outcome`` is as in
    coursekit.checks.engine.result.
    """

    chapter: str
    exercise: str
    function: Any
    outcome: str
    says: str = ""

    def __str__(self) -> str:
        return f"{self.chapter}-{self.exercise}-{self.function.__name__}-{self.outcome.replace(' ', '_')}"


TABLE: list[Answer] = []


def right(exercise: str) -> Callable[[Any], Any]:
    """Add a right answer."""
    return _enter(exercise, "passed", "")


def wrong(
    exercise: str, outcome: str = "wrong", *, says: str = ""
) -> Callable[[Any], Any]:
    """Add a wrong answer, with the outcome that the check must find and words that its verdict must
    contain.
    """
    return _enter(exercise, outcome, says)


def _enter(exercise: str, outcome: str, says: str) -> Callable[[Any], Any]:
    def enter(function: Any) -> Any:
        chapter = function.__module__.removeprefix("answers_to_")
        TABLE.append(Answer(chapter, exercise, function, outcome, says))
        return function

    return enter


def table() -> list[Answer]:
    """All answers from all chapters."""
    for path in sorted(HERE.glob("answers_to_*.py")):
        importlib.import_module(path.stem)
    return TABLE
