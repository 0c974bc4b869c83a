"""The course's lessons as facts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from coursekit import course


def test_lessons_stand_in_order_and_are_told_apart() -> None:
    """Numbers rise, stems are file names, and every entry states its promise in one sentence."""
    numbers = [lesson.number for lesson in course.lessons()]
    assert numbers == sorted(set(numbers))
    for lesson in course.lessons():
        assert (
            lesson.stem
            == f"{lesson.number:02}_" + lesson.stem.partition("_")[2]
        )
        assert lesson.promise.endswith(".")
        assert lesson.promise.count(". ") == 0
        assert 5 <= lesson.minutes <= 120


@pytest.mark.parametrize(
    "name",
    [
        "01_basics",
        "notebooks/01_basics.ipynb",
        "01",
        "1",
        "basics",
        "01_BASICS",
    ],
)
def test_a_lesson_is_found_by_any_of_its_names(name: str) -> None:
    """A stem, a file, a number, and a word can name the same lesson."""
    assert course.lesson(name).stem == "01_basics"


@pytest.mark.parametrize("name", ["", "99", "../secret", "_", "01_basic"])
def test_an_unknown_lesson_is_refused_with_the_list(name: str) -> None:
    """For anything that is not a lesson, the error lists the lessons."""
    with pytest.raises(
        course.UnknownLesson, match="The lessons: 00_start_here, 01_basics"
    ):
        course.lesson(name)


def test_recordings_are_searched_in_course_order() -> None:
    """Each lesson has its own folder of recordings, in the order of the lessons."""
    assert [folder.name for folder in course.recording_folders()] == [
        lesson.stem for lesson in course.lessons()
    ]


def test_a_fact_module_is_cheap() -> None:
    """Importing the course's facts imports nothing but the standard library."""
    code = (
        "import sys; import coursekit.course; print({'openai', 'httpx2', 'numpy', 'dotenv'} & "
        "set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        == "set()\n"
    )
