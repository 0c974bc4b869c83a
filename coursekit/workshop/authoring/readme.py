"""The part of README.md that follows from the course itself: its chapters, labs and exercises,
counted.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from ...checks.course_map import exercises_of
from ...course import Lesson, lessons
from ...foundation.files import write_if_changed
from ...offline.rules.form import rules
from ...offline.rules.refusals import kinds
from .. import CommandError

WIDTH = 96  # characters of a message in the table of refusals
LAB = re.compile(r"^#+ Lab: (.+)$", re.MULTILINE)


def refresh_readme(root: Path) -> bool:
    """Write the course into the README of the repository at ``root``, and the refusals into that of
    the offline API. Returns whether one of them changed.

    Raises CommandError if a README has no place for its part.
    """
    changed = refresh_part(root / "README.md", "the course", course(root))
    offline = root / "coursekit" / "offline" / "README.md"
    if offline.exists():
        changed |= refresh_part(offline, "the refusals", refusals())
    return changed


def refresh_part(path: Path, name: str, part: str) -> bool:
    """Write a part of a document between its two comments. Returns whether it changed.

    Raises CommandError if a comment is missing.
    """
    start = f"<!-- {name}: written by coursekit refresh -->\n"
    end = f"<!-- end of {name} -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise CommandError(
            f"{path.name} has lost the two comments between which {name} is written."
        )
    return write_if_changed(path, f"{before}{start}{part}{end}{after}")


def course(root: Path) -> str:
    """The chapters as a table, after a sentence that counts them; Markdown, its links from
    ``root``.
    """
    every = lessons()
    labs = [_labs(root / "notebooks" / f"{each.stem}.ipynb") for each in every]
    exercises = [len(exercises_of(each.stem)) for each in every]
    hours = sum(each.minutes for each in every) / 60
    counted = (
        f"{len(every)} chapters, {sum(map(len, labs))} labs, {sum(exercises)} checked exercises, "
        f"about {hours:.0f} hours without the exercises."
    )
    return "\n".join(
        [
            counted,
            "",
            "| no. | chapter | you will be able to | labs | exercises |",
            "| --- | --- | --- | --- | --- |",
            *map(_row, every, labs, exercises),
            "",
        ]
    )


def refusals() -> str:
    """What the offline API refuses, and where each rule was seen: two Markdown tables."""
    rows = [
        "| kind | in the API's words | code | seen | before that |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, kind in kinds().items():
        message = textwrap.shorten(kind["message"], WIDTH, placeholder=" …")
        message = message.replace("|", "\\|")
        code = kind.get("code", "")
        rows.append(
            f"| {name} | {message} | {code} | {_seen(kind)} | {_before(kind)} |"
        )
    rows += ["", "| rule of | seen |", "| --- | --- |"]
    for name, rule in {**rules()["parameter"], **rules()}.items():
        if name != "parameter":
            rows.append(f"| {name} | {_seen(rule)} |")
    return "\n".join([*rows, ""])


def _seen(rule: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{source} ({day})" for source, day in rule["seen"].items()
    )


def _before(kind: Mapping[str, Any]) -> str:
    return "; ".join(
        f"until {when}: {what}" for when, what in kind.get("until", {}).items()
    )


def _row(lesson: Lesson, labs: list[str], count: int) -> str:
    chapter = f"[{lesson.title}](notebooks/{lesson.stem}.ipynb)"
    exercises = f"[{count}](exercises/{lesson.stem}.ipynb)" if count else ""
    promise = lesson.promise[0].lower() + lesson.promise[1:].removesuffix(".")
    return f"| {lesson.number:02} | {chapter} | {promise} | {', '.join(labs)} | {exercises} |"


def _labs(path: Path) -> list[str]:
    """A chapter's labs, by the names in their headings; none if the chapter does not exist yet."""
    if not path.exists():
        return []
    cells = nbformat.read(path, as_version=4).cells
    prose = (cell.source for cell in cells if cell.cell_type == "markdown")
    found = LAB.findall("\n".join(prose))
    return [name.removeprefix("the ") for name in found]
