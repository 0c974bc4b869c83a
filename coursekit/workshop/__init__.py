"""For those who run and write the course: the command line and what its commands do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..course import lesson, repository


class CommandError(RuntimeError):
    """A command cannot go on; its text is for the person who typed it: what happened, why, what to
    do next.
    """


def repository_or_error() -> Path:
    """The folder of the course's repository. Raises CommandError if coursekit was installed
    without it.
    """
    root = repository()
    if root is None:
        raise CommandError(
            "coursekit is installed here without the course's repository, which this command "
            "works on. Get it "
            "(git clone), and run `make lab` in its folder. To open the course as a learner: "
            "coursekit lab."
        )
    return root


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks in a folder, except those from JupyterLab's + that still have its name."""
    return sorted(path for path in folder.glob("*.ipynb") if not unnamed(path))


def unnamed(path: Path) -> bool:
    """Whether this is a scratch notebook with the name that JupyterLab gave it: not part of the
    course.
    """
    return path.suffix == ".ipynb" and path.stem.startswith("Untitled")


def all_notebooks(root: Path) -> list[Path]:
    """Every notebook with stored outputs: the chapters, then the solutions."""
    return notebooks_in(root / "notebooks") + notebooks_in(root / "solutions")


def notebooks_of(root: Path, names: Sequence[str]) -> list[Path]:
    """The notebooks of these lessons, or of all if none is named. Raises UnknownLesson, and
    CommandError if there are no notebooks.
    """
    stems = [lesson(name).stem for name in names]
    every = all_notebooks(root)
    if not every:
        raise CommandError(f"There are no notebooks in {root / 'notebooks'}.")
    for stem in stems:
        if stem not in {path.stem for path in every}:
            raise CommandError(f"There is no notebooks/{stem}.ipynb yet.")
    return [path for path in every if not stems or path.stem in stems]


def agrees(question: str) -> bool:
    """Ask the person at the keyboard, and return whether they said yes. Raises CommandError if
    there is no keyboard.
    """
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError as error:
        raise CommandError(
            "nothing was changed: this needs your answer at the keyboard."
        ) from error
    return answer.strip().lower() in {"y", "yes"}
