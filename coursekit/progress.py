"""What a learner has done: passed checks and quiz questions, in a small file of this machine, never
in the repository.

COURSEKIT_PROGRESS   its path; "off": nothing is read or written (so in tests); not set: the user's
                     data folder
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .classroom import share
from .foundation.files import write_atomically
from .foundation.platform import Locked, file_lock
from .settings import settings, user_file

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "COURSEKIT_PROGRESS"
WAIT = 5.0  # seconds for another notebook that is writing right now
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)

T = TypeVar("T")

_failed: dict[
    str, int
] = {}  # failed checks in a row of this kernel, by chapter/exercise


class CannotSave(OSError):
    """The file cannot be written; the message says where and why."""


class SavedFile(Generic[T]):
    """A small JSON file that several notebooks may change at once: no change is lost, and a damaged
    file is set aside.

    path   of the file; its folder may not exist yet
    parse  its JSON -> the value; ``dump``: the value -> its JSON
    empty  makes the value of a file that is missing or damaged
    """

    def __init__(
        self,
        path: Path,
        parse: Callable[[Any], T],
        dump: Callable[[T], Any],
        empty: Callable[[], T],
    ) -> None:
        self.path, self.parse, self.dump, self.empty = path, parse, dump, empty

    def read(self) -> tuple[T, bool]:
        """The value, and whether the file is damaged."""
        try:
            return self.parse(json.loads(self.path.read_text(encoding="utf-8"))), False
        except FileNotFoundError:
            return self.empty(), False
        except DAMAGE:
            return self.empty(), True

    def update(self, change: Callable[[T], T | None]) -> tuple[T, list[str]]:
        """Change the value and save it: its new state, and what the user should know.

        change  gets the value; returns the one to save, or None to leave the file unchanged

        Raises OSError if it cannot be saved.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        notes = []
        try:
            with file_lock(self.path.with_name(self.path.name + ".lock"), WAIT):
                value, damaged = self.read()
                if damaged:
                    aside = self.path.with_name(self.path.name + ".damaged")
                    os.replace(self.path, aside)
                    notes.append(
                        f"{self.path.name} could not be read. It is now {aside}, and a"
                        " new one was started."
                    )
                changed = change(value)
                if changed is not None:
                    write_atomically(
                        self.path, json.dumps(self.dump(changed), indent=2) + "\n"
                    )
        except Locked as error:
            raise CannotSave(
                f"{self.path} has been locked by another program for over {WAIT:g} s."
            ) from error
        return value if changed is None else changed, notes


@dataclass
class Progress:
    """What was done, by chapter.

    passed   the names of exercises, in the order in which they were passed
    quizzes  the numbers of quiz questions (from 1) that were answered right
    """

    passed: dict[str, list[str]] = field(default_factory=dict)
    quizzes: dict[str, list[int]] = field(default_factory=dict)


def place(env: Mapping[str, str] | None = None) -> Path | None:
    """Where progress is saved; None where that is switched off."""
    return user_file("progress.json", (settings() if env is None else env).get(SETTING))


def read() -> Progress:
    """Everything that was done; nothing if the file is missing, damaged or switched off."""
    path = place()
    return Progress() if path is None else _file(path).read()[0]


def is_damaged() -> bool:
    """Whether there is a file that cannot be read."""
    path = place()
    return path is not None and _file(path).read()[1]


def passed_now(chapter: str, exercise: str) -> list[str]:
    """Remember that an exercise was passed. Returns what the learner should know, if anything;
    never raises.
    """
    if place() is not None and _is_solution():
        return ["Not counted: this notebook is the worked solution."]
    try:
        notes = _add("passed", chapter, exercise)
    except OSError as error:
        return [f"Your answer is right, but progress could not be saved: {error}"]
    _failed.pop(f"{chapter}/{exercise}", None)
    passed = {stem: len(names) for stem, names in read().passed.items()}
    share(
        passed, failed={f"{chapter}/{exercise}": 0}
    )  # with the teacher of a class, if the learner shares
    return notes


def failed_now(chapter: str, exercise: str) -> None:
    """A check was not passed: a learner's teacher sees how often in a row, if the learner shares
    that.
    """
    failed = _failed[f"{chapter}/{exercise}"] = (
        _failed.get(f"{chapter}/{exercise}", 0) + 1
    )
    share(failed={f"{chapter}/{exercise}": failed})


def answered_now(chapter: str, question: int) -> list[str]:
    """Remember that a quiz question (from 1) was answered right; as ``passed_now``."""
    try:
        return [] if _is_solution() else _add("quizzes", chapter, question)
    except OSError as error:
        return [f"The score could not be saved: {error}"]


def reset() -> Path | None:
    """Delete the file. Returns its path, None if there was none. Raises OSError."""
    path = place()
    if path is None or not path.exists():
        return None
    path.unlink()
    return path


def _is_solution() -> bool:
    return (
        Path(os.environ.get("JPY_SESSION_NAME", "")).parent.name == "solutions"
    )  # the server's name for a notebook


def _add(what: str, chapter: str, item: str | int) -> list[str]:
    path = place()
    if path is None:
        return []

    def change(progress: Progress) -> Progress | None:
        done = getattr(progress, what).setdefault(chapter, [])
        if item in done:
            return None
        done.append(item)
        return progress

    return _file(path).update(change)[1]


def _file(path: Path) -> SavedFile[Progress]:
    return SavedFile(path, _parsed, asdict, Progress)


def _parsed(saved: Any) -> Progress:
    passed = {
        str(chapter): [str(name) for name in names]
        for chapter, names in saved["passed"].items()
    }
    quizzes = {
        str(chapter): [int(number) for number in numbers]
        for chapter, numbers in saved.get("quizzes", {}).items()
    }
    return Progress(passed, quizzes)
