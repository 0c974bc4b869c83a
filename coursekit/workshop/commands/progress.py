"""``coursekit progress``: the map of the course in a terminal."""

from __future__ import annotations

from ... import progress as saved
from ...checks.course_map import CourseMap
from .. import CommandError, agrees


def progress(*, reset: bool = False) -> int:
    """Print which exercises are done; with ``reset``, ask first and then forget them."""
    path = saved.place()
    print(CourseMap())
    if path is None:
        print(f"Progress is switched off ({saved.SETTING}=off).")
        return 0
    print(f"Saved in {path}")
    if saved.is_damaged():
        print(
            "That file cannot be read. When you pass the next exercise, it is renamed and a new "
            "one is created."
        )
    return _reset() if reset else 0


def _reset() -> int:
    if not agrees("Forget your progress? Your notebooks are not changed."):
        print("Nothing was changed.")
        return 0
    try:
        path = saved.reset()
    except OSError as error:
        raise CommandError(f"The file could not be deleted: {error}") from error
    print("Forgotten." if path else "There was nothing to forget.")
    return 0
