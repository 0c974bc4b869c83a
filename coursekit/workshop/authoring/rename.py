"""``coursekit record --rename``: give recordings the names that requests are found by today.

A name follows from the request's canonical form (``offline.canonical``). Where its rules
have changed, older recordings keep their old names, and are no longer found.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ...course import recording_folders
from ...offline.recordings import DamagedRecording, name_of, read
from ...settings import settings
from .. import CommandError
from .recorded_changes import answered

# the second answer to a request, and those after it
NUMBERED = re.compile(r"(.+-[0-9a-f]{16})\.(\d+)")


def rename(folder: str = "") -> int:
    """Rename the recordings in a folder and those below it; return 1 where one cannot be read, else
    0.

    folder  "" for the one in COURSEKIT_RECORDINGS, or else the course's own

    Recordings of requests that are equal now become first and second answer; one that answers just
    as another is deleted.
    """
    chosen = folder or settings().get("COURSEKIT_RECORDINGS")
    if chosen and not Path(chosen).is_dir():
        raise CommandError(
            f"there is no folder {chosen}. Give the one that holds your recordings."
        )
    roots = [Path(chosen)] if chosen else recording_folders()
    lines = [
        line
        for root in roots
        for place in sorted({path.parent for path in root.rglob("*.json")})
        for line in renamed(place)
    ]
    print(
        "\n".join(lines)
        or "All recordings have the names by which they are found."
    )
    return int(any(line.startswith("unread") for line in lines))


def misnamed(paths: list[Path]) -> list[Path]:
    """Those of these recordings that no request finds. Raises DamagedRecording."""
    return [
        path
        for path in paths
        if _name_and_number(path)[0] != name_of(read(path)[0])
    ]


def renamed(folder: Path) -> Iterator[str]:
    """Rename the recordings in one folder, and yield a line for each that is not where it was."""
    groups: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            groups.setdefault(name_of(read(path)[0]), []).append(path)
        except DamagedRecording as damage:
            yield f"unread   {damage}"
    for name, paths in groups.items():
        if all(_name_and_number(path)[0] == name for path in paths):
            continue
        kept: list[tuple[str, Path]] = []  # each with its old name
        for path in sorted(
            paths,
            key=lambda path: (
                _name_and_number(path)[0] != name,
                *_name_and_number(path),
            ),
        ):
            old = _name_and_number(path)[0]
            twin = next(
                (
                    other
                    for was, other in kept
                    if was != old and answered(other) == answered(path)
                ),
                None,
            )
            if twin is not None:
                path.unlink()
                yield f"deleted  {path.name}: {twin.name} has the same answer to an equal request"
                continue
            target = folder / (
                f"{name}.{len(kept) + 1}.json" if kept else f"{name}.json"
            )
            if path != target:
                # nothing is there: those that had the name already are in their places
                os.rename(path, target)
                yield f"renamed  {path.name} -> {target.name}"
            kept.append((old, target))


def _name_and_number(path: Path) -> tuple[str, int]:
    found = NUMBERED.fullmatch(path.stem)
    return (found[1], int(found[2])) if found else (path.stem, 1)
