"""The scores of the attempts on this machine, in a small file next to the progress file, never in
the repository.

The file is called capstone.json and is in the same folder as the file of ``coursekit.progress``
(COURSEKIT_PROGRESS); with "off", nothing is saved.

Taught in 09 §4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from ... import progress
from ...foundation.markup import NAME, NUMBER, table
from .attempt import ScoredRun
from .scoring import AXES

# how many attempts are kept (the best ones), and the maximum length of a name
MOST, LONGEST = 50, 60


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt: its name, its API's seed, and the points for each axis."""

    name: str
    seed: int
    points: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.points.values())

    @property
    def shown(self) -> list[str]:
        """The points for each axis, as text."""
        return [f"{self.points[axis]:.1f}" for axis in AXES]


class Scoreboard:
    """Attempts, the best first, displayed as a table.

    rows   the attempts, in any order; of two with the same name and seed, the better one counts
    notes  what else the learner should know
    """

    def __init__(self, rows: Iterable[Row], notes: Iterable[str] = ()) -> None:
        best: dict[tuple[str, int], Row] = {}
        for row in rows:
            other = best.get((row.name, row.seed))
            if other is None or row.total > other.total:
                best[row.name, row.seed] = row
        self.rows = sorted(
            best.values(), key=lambda row: (-row.total, row.name, row.seed)
        )[:MOST]
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        lines = [
            f"{'attempt':24}{'seed':>5}{'total':>8}"
            + "".join(f"{axis:>19}" for axis in AXES)
        ]
        for row in self.rows:
            points = "".join(f"{text:>19}" for text in row.shown)
            lines.append(f"{row.name:24}{row.seed:>5}{row.total:>8.1f}{points}")
        return "\n".join([*lines, *self.notes])

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> dict[str, str]:
        rows = [
            [row.name, str(row.seed), f"{row.total:.1f}", *row.shown]
            for row in self.rows
        ]
        heads = ["attempt", "seed", "total", *AXES]
        shown = table(heads, rows, [NAME, *[NUMBER] * (len(heads) - 1)])
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        html = f'<div class="coursekit-scoreboard">{shown}{notes}</div>'
        return {"text/html": html, "text/plain": repr(self)}


def keep(name: str, score: ScoredRun) -> Scoreboard:
    """Save a score under a name, and show all of them. If it cannot be saved, the board says why.

    name  the attempt's name, 1 to 60 characters. Raises ValueError for another length, TypeError
          for anything that is not a score.
    """
    if not isinstance(score, ScoredRun):
        raise TypeError(
            "keep() takes the score that attempt() returns, but got"
            f" {type(score).__name__}."
        )
    # half a character (a lone surrogate) cannot be shown
    shown = str(name).encode("utf-8", "replace").decode()
    name = " ".join(shown.split())
    if not 1 <= len(name) <= LONGEST:
        raise ValueError(
            f"A name of {len(name)} characters cannot be saved. Choose one of 1 to"
            f" {LONGEST}."
        )
    row = Row(
        name,
        score.seed,
        {axis: round(value, 3) for axis, value in score.points.items()},
    )
    path = place()
    if path is None:
        return Scoreboard([row])
    rows: list[Row] = []

    def change(held: dict[str, Any]) -> bool:
        rows.extend(Scoreboard([*_rows(held), row]).rows)
        held["scores"] = [asdict(each) for each in rows]
        return True

    try:
        notes = progress.SavedFile(path, _parsed).update(change)
    except OSError as error:
        return Scoreboard([row], [f"The score could not be saved: {error}"])
    return Scoreboard(rows, notes)


def place() -> Path | None:
    """Return the file's path; None if nothing is saved."""
    beside = progress.place()
    return None if beside is None else beside.with_name("capstone.json")


def saved() -> Scoreboard:
    """Return all saved scores; none if the file is missing or damaged."""
    path = place()
    return Scoreboard(
        []
        if path is None
        else _rows(progress.SavedFile(path, _parsed).read()[0])
    )


def _rows(held: dict[str, Any]) -> list[Row]:
    rows = []
    for row in held["scores"]:
        points = {axis: float(row["points"][axis]) for axis in AXES}
        rows.append(Row(str(row["name"]), int(row["seed"]), points))
    return rows


def _parsed(saved: dict[str, Any]) -> dict[str, Any]:
    held = {"scores": saved.get("scores", [])}
    _rows(held)  # raises for a damaged file
    return held
