"""A teacher uses nbgrader on the unchanged exercises: generate_assignment, autograde, and
generate_feedback.

Needs the extra nbgrader (its JupyterLab extension is why it is not part of the extra test):
``python -m pip install -e '.[nbgrader,test]'`` in an environment of its own, then ``pytest -m
nbgrader``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from coursekit.checks import course_map
from coursekit.workshop.authoring.exercises import STUB

ROOT = Path(__file__).parents[1]
STEMS = sorted(path.stem for path in ROOT.glob("solutions/*.ipynb"))

pytestmark = [
    pytest.mark.nbgrader,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        find_spec("nbgrader") is None,
        reason="nbgrader is not here (it is the extra nbgrader)",
    ),
]


def nbgrader(course: Path, command: str, stem: str) -> None:
    # its settings, kernels, and history: not those of the machine's owner
    home = course / "home"
    environment = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home),
        "JUPYTER_DATA_DIR": str(home),
        "IPYTHONDIR": str(home),
        # nbgrader calls alembic by name
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ["PATH"]]
        ),
    }
    arguments = [
        sys.executable,
        "-m",
        "nbgrader",
        command,
        stem,
        f"--course={course}",
        "--log-level=WARN",
    ]
    ran = subprocess.run(
        arguments,
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def submit(
    course: Path, student: str, stem: str, answers: dict[str, str]
) -> None:
    """Hand in the released notebook with these answers: grade_id -> a cell's text."""
    notebook = nbformat.read(course / "release" / stem / f"{stem}.ipynb", 4)
    for cell in notebook.cells:
        cell.source = answers.get(
            cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell.source
        )
    folder = course / "submitted" / student / stem
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


def sources(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells]


@pytest.fixture(scope="module", params=STEMS)
def graded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A course with one chapter: Ada hands in the solutions, Bo hands in the stubs, and Cy hands in
    the first solution and a broken second one.
    """
    stem, course = request.param, tmp_path_factory.mktemp("course")
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.root = {str(course)!r}\nc.CourseDirectory.db_url = "
        f"'sqlite:///{course / 'gradebook.db'}'\n"
    )
    (course / "home").mkdir()
    (course / "source" / stem).mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / f"{stem}.ipynb", course / "source" / stem)
    nbgrader(course, "generate_assignment", stem)
    solution = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", 4)
    solved = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in solution.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    first, second, *_ = solved
    submit(course, "ada", stem, solved)
    submit(course, "bo", stem, {})
    submit(
        course,
        "cy",
        stem,
        {first: solved[first], second: f"def {second}(:  # a syntax error"},
    )
    nbgrader(course, "autograde", stem)
    nbgrader(course, "generate_feedback", stem)
    return stem, course


def scores(course: Path, stem: str, student: str) -> dict[str, float]:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(stem, stem, student).grades
        return {grade.name: grade.score for grade in grades}


def test_the_release_is_the_exercise(graded: tuple[str, Path]) -> None:
    """From a solution, generate_assignment makes the notebook that is in exercises/, cell by
    cell.
    """
    stem, course = graded
    released = nbformat.read(course / "release" / stem / f"{stem}.ipynb", 4)
    assert sources(released) == sources(
        nbformat.read(ROOT / "exercises" / f"{stem}.ipynb", 4)
    )
    assert any(STUB[0] in source for source in sources(released))


def test_autograde_gives_each_answer_its_points(
    graded: tuple[str, Path],
) -> None:
    """Solutions get all points, which are the stars, and stubs get none. A right answer gets
    its points, whatever else is broken.
    """
    stem, course = graded
    stars = {
        f"check-{each.name}": float(each.stars)
        for each in course_map.exercises_of(stem)
    }
    assert scores(course, stem, "ada") == stars
    assert scores(course, stem, "bo") == dict.fromkeys(stars, 0.0)
    first = next(iter(stars))
    assert scores(course, stem, "cy") == {
        name: points if name == first else 0.0 for name, points in stars.items()
    }


def test_feedback_tells_what_the_check_said(graded: tuple[str, Path]) -> None:
    """The feedback for a stub has the check's own words, and no traceback through this package."""
    stem, course = graded
    page = (course / "feedback" / "bo" / stem / f"{stem}.html").read_text(
        encoding="utf-8"
    )
    assert "not yet" in page
    assert "coursekit/checks" not in page
