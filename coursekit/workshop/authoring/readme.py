"""The part of README.md that follows from the course itself: its chapters, labs and exercises,
counted.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import nbformat

from ...checks.course_map import exercises_of
from ...course import DATA, Lesson, lessons
from ...foundation.files import write_atomically
from .. import CommandError

START, END = (
    "<!-- the course: written by coursekit refresh -->\n",
    "<!-- end of the course -->",
)
PART = re.compile(f"(?<={START}).*?(?={END})", re.DOTALL)
LAB = re.compile(r"^#+ Lab: (.+)$", re.MULTILINE)


def refresh_readme(root: Path) -> bool:
    """Write the course into the README of the repository at ``root``; whether it changed.

    Raises CommandError where the README has no place for it.
    """
    path = root / "README.md"
    text = path.read_text(encoding="utf-8")
    if not PART.search(text):
        raise CommandError(
            f"{path.name} has lost the two comments between which the course's chapters stand."
        )
    wanted = PART.sub(lambda _: course(root), text)
    if wanted != text:
        write_atomically(path, wanted)
    return wanted != text


def course(root: Path) -> str:
    """The chapters as a table, after a sentence that counts them; Markdown, its links from
    ``root``.
    """
    labs = {
        lesson.stem: _labs(root / "notebooks" / f"{lesson.stem}.ipynb")
        for lesson in lessons()
    }
    hours = sum(lesson.minutes for lesson in lessons()) / 60
    count = (
        f"{len(lessons())} chapters, {sum(map(len, labs.values()))} labs, "
        f"{sum(len(exercises_of(lesson.stem)) for lesson in lessons())} checked exercises, "
        f"about {hours:.0f} hours without them."
    )
    head = [
        "| no. | chapter | afterwards you can | labs | exercises |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join(
        [
            count,
            "",
            *head,
            *(_row(lesson, labs[lesson.stem], root) for lesson in lessons()),
            "",
        ]
    )


def refusal_kinds() -> str:
    """What the offline API refuses, kind by kind, with where and when it was seen; Markdown."""
    kinds = tomllib.loads((DATA / "refusal_sources.toml").read_text(encoding="utf-8"))[
        "kind"
    ]
    head = [
        "| kind | where the rule stands | seen | before that |",
        "| --- | --- | --- | --- |",
    ]
    rows = (
        f"| {kind['kind']} | {kind['rules']} | "
        f"{'; '.join(f'{source} ({day})' for source, day in kind['seen'])} "
        f"| {kind.get('was', '')} |"
        for kind in kinds
    )
    return "\n".join([*head, *rows, ""])


def _row(lesson: Lesson, labs: list[str], root: Path) -> str:
    chapter = f"[{lesson.title}](notebooks/{lesson.stem}.ipynb)"
    number = len(exercises_of(lesson.stem))
    exercises = f"[{number}](exercises/{lesson.stem}.ipynb)" if number else ""
    promise = lesson.promise[0].lower() + lesson.promise[1:].removesuffix(".")
    return f"| {lesson.number:02} | {chapter} | {promise} | {', '.join(labs)} | {exercises} |"


def _labs(path: Path) -> list[str]:
    """What the headings of a chapter's labs name; of a chapter that is not written yet, nothing."""
    if not path.exists():
        return []
    prose = [
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    ]
    return [name.removeprefix("the ") for text in prose for name in LAB.findall(text)]
