"""The scores of this machine's attempts: a small file beside that of the progress, never in the
repository.

It lies where ``checks.progress`` keeps its own (COURSEKIT_PROGRESS), as capstone.json; with "off"
nothing is kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from ...foundation.files import write_atomically
from .. import progress
from .attempt import CELL, NUMBER, Score
from .scoring import AXES

KEPT, LONGEST = 50, 60  # attempts, the best ones; characters of a name


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt: its name, the seed of its API, and the points of each axis."""

    name: str
    seed: int
    points: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.points.values())


class Scoreboard:
    """Attempts, the best first; shows itself as a table.

    rows   in any order; of two with the same name and seed the better one counts
    notes  what the learner should know besides
    """

    def __init__(self, rows: Iterable[Row], notes: Iterable[str] = ()) -> None:
        best: dict[tuple[str, int], Row] = {}
        for row in rows:
            known = best.get((row.name, row.seed))
            if known is None or row.total > known.total:
                best[row.name, row.seed] = row
        self.rows = sorted(
            best.values(), key=lambda row: (-row.total, row.name, row.seed)
        )[:KEPT]
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        head = f"{'attempt':24}{'seed':>5}{'total':>8}" + "".join(
            f"{axis:>19}" for axis in AXES
        )
        lines = [
            f"{row.name:24}{row.seed:>5}{row.total:>8.1f}"
            + "".join(f"{row.points[axis]:>19.1f}" for axis in AXES)
            for row in self.rows
        ]
        return "\n".join([head, *lines, *self.notes])

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> dict[str, str]:
        head = "".join(
            f'<th scope="col" style="{NUMBER}">{axis}</th>'
            for axis in ("seed", "total", *AXES)
        )
        body = "".join(
            f'<tr><th scope="row" style="{CELL}">{escape(row.name)}</th>'
            + "".join(f'<td style="{NUMBER}">{text}</td>' for text in _numbers(row))
            + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        table = (
            '<table><thead><tr><th scope="col" '
            f'style="{CELL}">attempt</th>{head}</tr></thead><tbody>{body}</tbody>'
        )
        scrolls = (
            'style="overflow-x:auto" role="region" tabindex="0" aria-label="scoreboard"'
        )
        html = (
            f'<div class="coursekit-scoreboard" {scrolls}>{table}</table>{notes}</div>'
        )
        return {"text/html": html, "text/plain": repr(self)}


def keep(name: str, score: Score) -> Scoreboard:
    """Keep a score under a name, and show all that are kept. Where none can be kept, the board says
    why.

    name  of the attempt, 1 to 60 characters. Raises ValueError for another length, TypeError for
          what is no score.
    """
    if not isinstance(score, Score):
        raise TypeError(
            f"keep() takes the score that attempt() returns, and this is a {type(score).__name__}."
        )
    name = " ".join(
        str(name).encode("utf-8", "replace").decode().split()
    )  # half a character cannot be shown
    if not 1 <= len(name) <= LONGEST:
        raise ValueError(
            f"A name of {len(name)} characters cannot be kept. Choose one of 1 to {LONGEST}."
        )
    row = Row(
        name,
        score.seed,
        {axis: round(value, 3) for axis, value in score.points.items()},
    )
    path = place()
    if path is None:
        return Scoreboard([row])
    try:
        return _add(path, row)
    except OSError as error:
        return Scoreboard([row], [f"The score could not be kept: {error}"])


def place() -> Path | None:
    """The file; None where nothing is kept."""
    beside = progress.place()
    return None if beside is None else beside.with_name("capstone.json")


def kept() -> Scoreboard:
    """All scores that are kept; none where the file is missing or damaged."""
    path = place()
    return Scoreboard([] if path is None else _read(path)[0])


def _add(path: Path, row: Row) -> Scoreboard:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(path.name + ".lock"), timeout=progress.WAIT):
            rows, damaged = _read(path)
            notes = []
            if damaged:
                aside = path.with_name(path.name + ".damaged")
                os.replace(path, aside)
                notes.append(
                    f"The file of scores could not be read. It was kept as {aside}; a new one "
                    "begins."
                )
            board = Scoreboard([*rows, row], notes)
            write_atomically(
                path,
                json.dumps({"scores": [asdict(one) for one in board.rows]}, indent=2)
                + "\n",
            )
            return board
    except Timeout as error:
        raise OSError(
            f"{path} is locked by another program for more than {progress.WAIT:g} s."
        ) from error


def _read(path: Path) -> tuple[list[Row], bool]:
    """The rows, and whether the file is damaged."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["scores"]
        return [
            Row(
                str(one["name"]),
                int(one["seed"]),
                {axis: float(one["points"][axis]) for axis in AXES},
            )
            for one in told
        ], False
    except FileNotFoundError:
        return [], False
    except (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return [], True


def _numbers(row: Row) -> list[str]:
    return [
        str(row.seed),
        f"<b>{row.total:.1f}</b>",
        *(f"{row.points[axis]:.1f}" for axis in AXES),
    ]
