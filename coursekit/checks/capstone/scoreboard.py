"""The scores of this machine's attempts: a small file beside that of the progress, never in the
repository.

It lies where ``coursekit.progress`` has its own (COURSEKIT_PROGRESS), as capstone.json; with "off"
nothing is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from ... import progress
from .attempt import CELL, NUMBER, Score
from .scoring import AXES

MOST, LONGEST = 50, 60  # attempts, the best ones; characters of a name


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
        )[:MOST]
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
    """Save a score under a name, and show all of them. If it cannot be saved, the board says why.

    name  of the attempt, 1 to 60 characters. Raises ValueError for another length, TypeError for
          anything that is not a score.
    """
    if not isinstance(score, Score):
        raise TypeError(
            "keep() takes the score that attempt() returns, and this is a"
            f" {type(score).__name__}."
        )
    shown = (
        str(name).encode("utf-8", "replace").decode()
    )  # half a character cannot be shown
    name = " ".join(shown.split())
    if not 1 <= len(name) <= LONGEST:
        raise ValueError(
            f"A name of {len(name)} characters cannot be saved. Choose one of 1 to"
            f" {LONGEST}."
        )
    points = {axis: round(value, 3) for axis, value in score.points.items()}
    row, path = Row(name, score.seed, points), place()
    if path is None:
        return Scoreboard([row])
    try:
        rows, notes = _file(path).update(lambda rows: Scoreboard([*rows, row]).rows)
    except OSError as error:
        return Scoreboard([row], [f"The score could not be saved: {error}"])
    return Scoreboard(rows, notes)


def place() -> Path | None:
    """The file; None where nothing is saved."""
    beside = progress.place()
    return None if beside is None else beside.with_name("capstone.json")


def kept() -> Scoreboard:
    """All scores that were saved; none if the file is missing or damaged."""
    path = place()
    return Scoreboard([] if path is None else _file(path).read()[0])


def _file(path: Path) -> progress.SavedFile[list[Row]]:
    return progress.SavedFile(path, _parsed, _dumped, list)


def _parsed(saved: Any) -> list[Row]:
    return [
        Row(
            str(row["name"]),
            int(row["seed"]),
            {axis: float(row["points"][axis]) for axis in AXES},
        )
        for row in saved["scores"]
    ]


def _dumped(rows: list[Row]) -> Any:
    return {"scores": [asdict(row) for row in rows]}


def _numbers(row: Row) -> list[str]:
    return [
        str(row.seed),
        f"<b>{row.total:.1f}</b>",
        *(f"{row.points[axis]:.1f}" for axis in AXES),
    ]
