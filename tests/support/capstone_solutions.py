"""The solutions that chapter 09 shows, as its own cells define them, and a way to score them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from coursekit.checks.capstone import ScoredRun, attempt

CHAPTER = Path(__file__).parents[2] / "notebooks" / "09_capstone.ipynb"
DEFINITIONS = (
    "connect",
    "naive-define",
    "request-define",
    "ask-define",
    "good-define",
    "reference-define",
)


@cache
def chapter() -> dict[str, Any]:
    """The names that the chapter's cells define: naive, good, in_lanes, and what these need."""
    cells = {
        cell.id: cell.source
        for cell in nbformat.read(CHAPTER, as_version=4).cells
    }
    names: dict[str, Any] = {}
    for name in DEFINITIONS:
        exec(cells[name], names)
    names["reference"] = names["in_lanes"](["gpt-4o-mini", "gpt-6-luna"])
    return names


@cache
def scored(name: str, seed: int) -> ScoredRun:
    """The score of one of them, run once."""
    return attempt(chapter()[name], seed=seed)
