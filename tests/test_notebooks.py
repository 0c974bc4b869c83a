"""The course's notebooks comply with its norms. (nbval checks that their outputs are right.)"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coursekit import course
from coursekit.checks.course_map import exercises_of
from coursekit.course import Lesson
from coursekit.workshop import all_notebooks, notebooks_in
from support.notebook_norms import NORMS, Norm, Notebook

ROOT = Path(__file__).parents[1]
PATHS = all_notebooks(ROOT)


def test_every_lesson_has_its_notebook_and_every_notebook_its_lesson() -> None:
    """notebooks/ and data/course.toml have the same lessons, and each solution belongs to a
    lesson.
    """
    stems = {lesson.stem for lesson in course.lessons()}
    assert {path.stem for path in notebooks_in(ROOT / "notebooks")} == stems
    assert {path.stem for path in notebooks_in(ROOT / "solutions")} <= stems


def test_every_recording_belongs_to_a_lesson() -> None:
    """Every folder of recordings and every replies file belongs to a lesson that exists."""
    stems = {lesson.stem for lesson in course.lessons()}
    assert {
        path.name
        for path in (course.DATA / "recordings").glob("*")
        if path.name != ".gitkeep"
    } <= stems
    assert {
        path.stem for path in (course.DATA / "replies").glob("*.toml")
    } <= stems


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: norm.__name__)
@pytest.mark.parametrize(
    "path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_a_notebook_keeps_the_norm(path: Path, norm: Norm) -> None:
    """The notebook complies with the norm; see the norm's docstring."""
    broken = list(norm(Notebook(path, course.lesson(path.stem).title)))
    assert not broken, f"{norm.__doc__}\n" + "\n".join(broken)


FRAME = (
    "**You will be able to**",
    "**Needs**",
    "**Predict.**",
    "**Explain.**",
    "## What people get wrong",
    "## Key points",
)


@pytest.mark.parametrize(
    "lesson", course.lessons(), ids=lambda lesson: lesson.stem
)
def test_a_chapter_has_its_frame(lesson: Lesson) -> None:
    """A chapter states its objectives, prerequisites, and duration. It has predictions and
    explanations, and ends with misconceptions, key points, its exercises, and the next chapter.
    """
    path = ROOT / "notebooks" / f"{lesson.stem}.ipynb"
    prose = Notebook(path, lesson.title).prose
    missing = [part for part in FRAME if part not in prose]
    if f"**{lesson.minutes} minutes**" not in prose:
        missing.append(f"**{lesson.minutes} minutes**, as in course.toml")
    if (
        ROOT / "solutions" / path.name
    ).exists() and f"../exercises/{path.name}" not in prose:
        missing.append("a link to its exercises")
    missing += [
        f"its last line: {link}"
        for link in next_links(lesson)
        if link not in " ".join(prose.split())
    ]
    assert not missing, f"{lesson.stem} lacks " + ", ".join(missing)


def next_links(lesson: Lesson) -> list[str]:
    """Each chapter except the last one ends with a link to the next one."""
    return [
        f"**Next:** [{other.number:02} {other.title}]({other.stem}.ipynb)"
        for other in course.lessons()
        if other.number == lesson.number + 1
    ]


NUMBERS = [
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]
EXERCISES = re.compile(
    r"\*\*Exercises:\*\* \[(\w+) functions( and a class)? to write, and a quiz\]"
)


@pytest.mark.parametrize(
    "lesson", course.lessons(), ids=lambda lesson: lesson.stem
)
def test_a_chapter_counts_its_exercises(lesson: Lesson) -> None:
    """The link to the exercises gives the number of functions to write."""
    count = len(exercises_of(lesson.stem))
    path = ROOT / "notebooks" / f"{lesson.stem}.ipynb"
    said = EXERCISES.search(" ".join(Notebook(path, "").prose.split()))
    if said is None:
        assert count == 0, (
            "end with: **Exercises:** [five functions to write, and a quiz](...)"
        )
    else:
        assert NUMBERS.index(said[1]) + bool(said[2]) == count, (
            f"{lesson.stem} has {count} exercises; its last cell says {said[1]}"
        )
