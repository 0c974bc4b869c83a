"""``coursekit record --rename``: give recordings the names under which requests find them today.

A name follows from the request's canonical form (``offline.canonical``). After its rules have
changed, older recordings keep their old names and are no longer found.
"""

from __future__ import annotations

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
    """Rename the recordings in a folder and those below it; return 1 if one cannot be read, else 0.

    folder  "" for the one in COURSEKIT_RECORDINGS, or else the course's own

    Recordings of requests that are now equal become the first and second answer; one with the same
    answer as another is deleted.
    """
    chosen = folder or settings().get("COURSEKIT_RECORDINGS")
    if chosen and not Path(chosen).is_dir():
        raise CommandError(
            f"there is no folder {chosen}. Give the one that holds your recordings."
        )
    roots = [Path(chosen)] if chosen else recording_folders()
    lines = [line for root in roots for line in renamed(root)]
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


def renamed(root: Path) -> Iterator[str]:
    """Rename the recordings in a folder and those below it, and yield a line for each one that
    moved.
    """
    groups: dict[Path, list[Path]] = {}
    for path in sorted(root.rglob("*.json")):
        try:
            wanted = path.parent / name_of(read(path)[0])
        except DamagedRecording as damage:
            yield f"unread   {damage}"
        else:
            groups.setdefault(wanted, []).append(path)
    for wanted, paths in groups.items():
        yield from _regrouped(wanted.name, paths)


def _regrouped(name: str, paths: list[Path]) -> Iterator[str]:
    """Number recordings of equal requests, those first that have the name already."""

    def order(path: Path) -> tuple[bool, str, int]:
        old, number = _name_and_number(path)
        return old != name, old, number

    paths = sorted(paths, key=order)
    if all(_name_and_number(path)[0] == name for path in paths):
        return
    placed: list[tuple[str, Path]] = []  # each with its old name
    for path in paths:
        old = _name_and_number(path)[0]
        twins = [
            other
            for was, other in placed
            if was != old and answered(other) == answered(path)
        ]
        if twins:
            path.unlink()
            yield f"deleted  {path.name}: {twins[0].name} has the same answer to an equal request"
            continue
        number = f".{len(placed) + 1}" if placed else ""
        target = path.with_name(f"{name}{number}.json")
        if path != target:
            # nothing is there: those that had the name already are in their places
            path.rename(target)
            yield f"renamed  {path.name} -> {target.name}"
        placed.append((old, target))


def _name_and_number(path: Path) -> tuple[str, int]:
    found = NUMBERED.fullmatch(path.stem)
    return (found[1], int(found[2])) if found else (path.stem, 1)
