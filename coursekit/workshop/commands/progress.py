"""``coursekit progress``: the map of the course in a terminal."""

from __future__ import annotations

from ... import progress as kept
from ...checks.course_map import CourseMap
from .. import CommandError


def progress(*, reset: bool = False) -> int:
    """Print which exercises are done; with ``reset``, ask first and then forget them."""
    path = kept.place()
    print(CourseMap())
    if path is None:
        print(f"Progress is switched off ({kept.SETTING}=off).")
        return 0
    print(f"Saved in {path}")
    if kept.is_damaged():
        print(
            "That file cannot be read. When you pass the next exercise, it is renamed and a new "
            "one is created."
        )
    return _reset() if reset else 0


def _reset() -> int:
    try:
        if input(
            "Forget your progress? Your notebooks are not changed. [y/N] "
        ).strip().lower() not in {"y", "yes"}:
            print("Nothing was changed.")
            return 0
    except EOFError:
        print("\nNothing was changed: this needs your answer at the keyboard.")
        return 1
    try:
        gone = kept.reset()
    except OSError as error:
        raise CommandError(f"The file could not be deleted: {error}") from error
    print("There was nothing to forget." if gone is None else "Forgotten.")
    return 0
