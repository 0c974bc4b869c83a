"""Which checks a learner has passed: a small file of this machine, never in the repository.

COURSEKIT_PROGRESS   its path; "off": nothing is read or written (so in tests); not set: the user's
                     data folder
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..classroom import share
from ..foundation.files import write_atomically
from ..settings import settings, user_file

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTING = "COURSEKIT_PROGRESS"
WAIT = 5.0  # seconds for another notebook that writes just now

_failed: dict[
    str, int
] = {}  # failed checks in a row of this kernel, by chapter/exercise

Passed = dict[str, list[str]]  # by chapter, in the order in which they were passed


class CannotSave(OSError):
    """The file cannot be written; the message says where and why."""


def place(env: Mapping[str, str] | None = None) -> Path | None:
    """Where progress is kept; None where it is switched off."""
    return user_file("progress.json", (settings() if env is None else env).get(SETTING))


def passed() -> Passed:
    """All that was passed, by chapter; nothing where the file is missing, damaged or switched
    off.
    """
    path = place()
    return {} if path is None else _read(path)[0]


def is_damaged() -> bool:
    """Whether there is a file that cannot be read."""
    path = place()
    return path is not None and _read(path)[1]


def note(chapter: str, exercise: str) -> list[str]:
    """Keep that an exercise was passed. Returns what the learner should know, if anything; never
    raises.
    """
    path = place()
    if path is None:
        return []
    if (
        Path(os.environ.get("JPY_SESSION_NAME", "")).parent.name == "solutions"
    ):  # the server's name for the notebook
        return ["Not counted: this notebook is the worked solution."]
    try:
        told = _add(path, chapter, exercise)
    except OSError as error:
        return [f"Your answer is right, but progress could not be saved: {error}"]
    _failed.pop(f"{chapter}/{exercise}", None)
    # With the teacher of a class, if the learner shares:
    share(
        {stem: len(names) for stem, names in passed().items()},
        failed={f"{chapter}/{exercise}": 0},
    )
    return told


def note_failed(chapter: str, exercise: str) -> None:
    """A check was not passed: a learner's teacher sees how often in a row, if the learner shares
    that.
    """
    failed = _failed[f"{chapter}/{exercise}"] = (
        _failed.get(f"{chapter}/{exercise}", 0) + 1
    )
    share(failed={f"{chapter}/{exercise}": failed})


def reset() -> Path | None:
    """Delete the file. Returns its path, None when there was none. Raises OSError."""
    path = place()
    if path is None or not path.exists():
        return None
    path.unlink()
    return path


def _add(path: Path, chapter: str, exercise: str) -> list[str]:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    told = []
    try:
        with FileLock(
            path.with_name(path.name + ".lock"), timeout=WAIT
        ):  # two notebooks at once: none is lost
            known, damaged = _read(path)
            if damaged:
                aside = path.with_name(path.name + ".damaged")
                os.replace(path, aside)
                told.append(
                    f"The file of your progress could not be read. It was kept as {aside}; a new "
                    "one begins."
                )
            if exercise not in known.get(chapter, []):
                known.setdefault(chapter, []).append(exercise)
                write_atomically(path, json.dumps({"passed": known}, indent=2) + "\n")
    except Timeout as error:
        raise CannotSave(
            f"{path} is locked by another program for more than {WAIT:g} s."
        ) from error
    return told


def _read(path: Path) -> tuple[Passed, bool]:
    """What was passed, and whether the file is damaged."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["passed"]
        return {
            str(chapter): [str(name) for name in names]
            for chapter, names in known.items()
        }, False
    except FileNotFoundError:
        return {}, False
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return {}, True
