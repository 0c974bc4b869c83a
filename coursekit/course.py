"""The course's lessons and the locations of their files, from data/course.toml.

Taught in 00, "The course".
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .settings import user_folder

DATA = Path(__file__).parent / "data"
OWN = "COURSEKIT_OWN_RECORDINGS"


@dataclass(frozen=True, slots=True)
class Lesson:
    """One chapter. ``stem`` is the name of all its files; ``promise`` says in one sentence what you
    can do afterwards; ``minutes`` is how long it takes.
    """

    stem: str
    title: str
    promise: str
    minutes: int

    @property
    def number(self) -> int:
        return int(self.stem.partition("_")[0])


class UnknownLesson(LookupError):
    """The name does not match any lesson in the course; the message lists the lessons."""


@cache
def lessons() -> tuple[Lesson, ...]:
    """Return all lessons in course order."""
    text = (DATA / "course.toml").read_text(encoding="utf-8")
    found = [Lesson(**entry) for entry in tomllib.loads(text)["lesson"]]
    return tuple(sorted(found, key=lambda lesson: lesson.number))


def lesson(name: str) -> Lesson:
    """Return a lesson by its stem, its file, its number, or the rest of its stem.

    "01_basics", "notebooks/01_basics.ipynb", "01", "1", and "basics" name the same lesson. Raises
    UnknownLesson.
    """
    wanted = Path(name).name.removesuffix(".ipynb").lower()
    for each in lessons():
        number, _, words = each.stem.partition("_")
        if wanted in {each.stem, number, str(each.number), words}:
            return each
    listed = ", ".join(each.stem for each in lessons())
    raise UnknownLesson(
        f"{name!r} is not a lesson in this course. The lessons: {listed}."
    )


def recordings_of(stem: str) -> Path:
    """Return the folder for a lesson's recordings; it may not exist yet."""
    return DATA / "recordings" / stem


def recording_folders() -> list[Path]:
    """Return the folders for all lessons' recordings, in course order."""
    return [recordings_of(each.stem) for each in lessons()]


def own_recordings(env: Mapping[str, str]) -> Path:
    """Return the folder for your own recordings; it may not exist yet.

    env  the settings; COURSEKIT_OWN_RECORDINGS can name another folder, or be "off", so that replay
         does not search it
    """
    named = env.get(OWN, "")
    if named in ("", "off"):
        return user_folder() / "recordings"
    return Path(named).expanduser()


def replies_of(stem: str) -> Path:
    """Return the file with the replies that the lesson's author wrote (for ``coursekit record
    --written``); it may not exist.
    """
    return DATA / "replies" / f"{stem}.toml"


def repository() -> Path | None:
    """Return the folder that contains the course's notebooks if coursekit runs from its repository,
    or else None.
    """
    root = Path(__file__).parents[1]
    is_whole = (root / "pyproject.toml").is_file() and (
        root / "notebooks"
    ).is_dir()
    return root if is_whole else None
