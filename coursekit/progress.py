"""A learner's progress: passed checks and quiz questions, in a small file on this machine, never in
the repository.

COURSEKIT_PROGRESS   the file's path; "off": nothing is read or written (as in tests); not set: the
                     user's data folder

Taught in 00, "Your map".
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .classroom import share
from .foundation.files import DAMAGED_JSON, write_atomically
from .foundation.platform import Locked, file_lock
from .settings import settings, user_file

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "COURSEKIT_PROGRESS"
WAIT = 5.0  # seconds to wait for another notebook that is writing

# how many checks failed in a row in this kernel, by chapter/exercise
_failed: Counter[str] = Counter()


class CannotSave(OSError):
    """The file cannot be written; the message says where and why."""


class SavedFile:
    """A small JSON file that several notebooks can change at once. No change is lost, and a damaged
    file is set aside.

    path   the file's path; its folder may not exist yet
    parse  checks the file's content, a dict, and returns it; {} stands for an empty file
    """

    def __init__(
        self, path: Path, parse: Callable[[Any], dict[str, Any]]
    ) -> None:
        self.path, self.parse = path, parse

    def read(self) -> tuple[dict[str, Any], bool]:
        """Return the file's content, and whether the file is damaged."""
        try:
            return self.parse(
                json.loads(self.path.read_text(encoding="utf-8"))
            ), False
        except FileNotFoundError:
            return self.parse({}), False
        except DAMAGED_JSON:
            return self.parse({}), True

    def update(self, change: Callable[[dict[str, Any]], bool]) -> list[str]:
        """Change the file's content. Returns what the user should know.

        change  a function that changes the dict and returns whether to save it

        Raises OSError if it cannot be saved.
        """
        path, notes = self.path, []
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file_lock(path.with_name(path.name + ".lock"), WAIT):
                content, is_damaged = self.read()
                if is_damaged:
                    aside = path.replace(path.with_name(path.name + ".damaged"))
                    notes.append(
                        f"{path.name} could not be read. It was renamed to {aside}, and a "
                        "new file was started."
                    )
                if change(content):
                    write_atomically(path, json.dumps(content, indent=2) + "\n")
        except Locked as error:
            raise CannotSave(
                f"{path} has been locked by another program for over {WAIT:g} s."
            ) from error
        return notes


def place(env: Mapping[str, str] | None = None) -> Path | None:
    """Return the path of the progress file; None if saving is switched off."""
    return user_file(
        "progress.json", (settings() if env is None else env).get(SETTING)
    )


def read() -> dict[str, Any]:
    """Return everything that was done, by chapter; nothing if the file is missing or damaged, or
    saving is switched off.

    "passed"   the names of exercises, in the order in which they were passed
    "quizzes"  the numbers of the quiz questions (from 1) that were answered correctly
    """
    file = _file()
    return file.read()[0] if file else _parsed({})


def is_damaged() -> bool:
    """Return whether the file exists but cannot be read."""
    file = _file()
    return file is not None and file.read()[1]


def passed_now(chapter: str, exercise: str) -> list[str]:
    """Record that an exercise was passed. Returns what the learner should know, if anything; never
    raises.
    """
    if place() is not None and _is_solution():
        return ["Not counted: this notebook is the worked solution."]
    try:
        notes = _add("passed", chapter, exercise)
    except OSError as error:
        return [
            f"Your answer is right, but your progress could not be saved: {error}"
        ]
    _failed.pop(f"{chapter}/{exercise}", None)
    passed = {stem: len(names) for stem, names in read()["passed"].items()}
    # with the class's teacher, if the learner shares progress
    share(passed, failed={f"{chapter}/{exercise}": 0})
    return notes


def failed_now(chapter: str, exercise: str) -> None:
    """Record that a check failed. If the learner shares progress, the teacher sees how often it has
    failed in a row.
    """
    place = f"{chapter}/{exercise}"
    _failed[place] += 1
    share(failed={place: _failed[place]})


def answered_now(chapter: str, question: int) -> list[str]:
    """Record that a quiz question (from 1) was answered correctly; otherwise like
    ``passed_now``.
    """
    try:
        return [] if _is_solution() else _add("quizzes", chapter, question)
    except OSError as error:
        return [f"The score could not be saved: {error}"]


def reset() -> Path | None:
    """Delete the file. Returns its path, or None if there was no file. Raises OSError."""
    path = place()
    if path is None or not path.exists():
        return None
    path.unlink()
    return path


def _is_solution() -> bool:
    notebook = Path(os.environ.get("JPY_SESSION_NAME", ""))  # Jupyter's
    return notebook.parent.name == "solutions"


def _add(what: str, chapter: str, item: str | int) -> list[str]:
    def change(saved: dict[str, Any]) -> bool:
        items = saved[what].setdefault(chapter, [])
        is_new = item not in items
        if is_new:
            items.append(item)
        return is_new

    file = _file()
    return file.update(change) if file else []


def _file() -> SavedFile | None:
    path = place()
    return None if path is None else SavedFile(path, _parsed)


def _parsed(saved: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for what, kind in (("passed", str), ("quizzes", int)):
        parsed[what] = {
            str(chapter): list(map(kind, items))
            for chapter, items in saved.get(what, {}).items()
        }
    return parsed
