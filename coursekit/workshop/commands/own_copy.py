"""A learner's own copy of the course, where coursekit was installed from its wheel: ``pip
install``, no repository.
"""

from __future__ import annotations

from pathlib import Path

from ...course import DATA
from ...foundation.files import write_atomically
from .. import CommandError

COURSE = DATA / "course"  # put there by the wheel (.ci/notebooks_in_wheel.py)
FOLDER = "coursekit-course"
FIRST = Path("notebooks", "00_start_here.ipynb")


def own_copy(here: Path, course: Path = COURSE) -> Path:
    """The folder with the learner's notebooks: ``here``, where they are in it, else
    ``here``/coursekit-course.

    What of the ``course`` is missing there is copied; a file that is there is never touched. Prints
    a line when anything was copied. Raises CommandError where there is no course to copy, or no way
    to write it.
    """
    if not (course / FIRST).is_file():
        raise CommandError(
            "coursekit is installed here without the course's notebooks. "
            "Get the course's repository (git clone), and run `make lab` in its folder."
        )
    root = here if (here / FIRST).is_file() else here / FOLDER
    missing = [
        path
        for path in _files(course)
        if not (root / path.relative_to(course)).exists()
    ]
    try:
        for path in missing:
            target = root / path.relative_to(course)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(
            f"The notebooks cannot be copied to {root}: {error.strerror}. Run coursekit lab in a "
            "folder of yours."
        ) from error
    if missing:
        count = f"{len(missing)} files of the course were copied to {root}."
        print(
            count,
            "They are yours: no later start changes them; delete one to have it anew.",
            flush=True,
        )
    return root


def _files(course: Path) -> list[Path]:
    return sorted(path for path in course.rglob("*") if path.is_file())
