"""Exercises are derived from solutions: how cells change, what is refused, and that the exercises
run.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from coursekit.checks import course_map
from coursekit.course import lessons
from coursekit.workshop import CommandError, notebooks_in
from coursekit.workshop.authoring import exercises
from coursekit.workshop.authoring.refresh import KERNEL
from coursekit.workshop.commands import command_line

ROOT = Path(__file__).parents[1]
EXERCISES = notebooks_in(ROOT / "exercises")

SOLUTION = '''def half(number):
    """Half of a number."""
    ### BEGIN SOLUTION
    return number / 2  # so it is
    ### END SOLUTION'''
STUB = '''def half(number):
    """Half of a number."""
    # YOUR CODE HERE
    raise NotImplementedError()'''
CHECK = "check.half(half)"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without an exercises folder, whose chapter 01 has one two-star exercise,
    half.
    """
    half = SimpleNamespace(name="half", stars=2, chapter="01_basics")
    monkeypatch.setattr(
        exercises.course_map, "exercises_of", lambda stem: [half]
    )
    monkeypatch.setattr(exercises, "repository_or_error", lambda: tmp_path)
    (tmp_path / "solutions").mkdir()
    return tmp_path


def write(course: Path, *sources: Any, stem: str = "01_basics") -> Path:
    cells = [
        v4.new_code_cell(source) if isinstance(source, str) else source
        for source in sources
    ]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    path = course / "solutions" / f"{stem}.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), path)
    return path


def test_a_solution_becomes_a_stub(course: Path) -> None:
    """nbgrader's stub replaces the solution, outputs are removed, and docstrings, IDs, and text
    stay, whether the solution is refreshed before or after.
    """
    check = v4.new_code_cell(
        CHECK,
        outputs=[v4.new_output("stream", text="passed")],
        execution_count=2,
    )
    write(course, v4.new_markdown_cell("# Half"), SOLUTION, check)
    assert command_line.main(["exercises"]) == 0
    made = nbformat.read(course / "exercises" / "01_basics.ipynb", 4)
    assert [cell.source for cell in made.cells] == ["# Half", STUB, CHECK]
    assert [cell.id for cell in made.cells] == ["cell-0", "cell-1", "cell-2"]
    assert made.cells[2].outputs == []
    assert made.cells[2].execution_count is None
    assert made.metadata == {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
    }, "as refresh will store them"
    kept = nbformat.read(course / "solutions" / "01_basics.ipynb", 4)
    assert kept.cells[2].outputs[0].text == "passed"


def test_nbgrader_s_metadata_follow_from_the_cells(course: Path) -> None:
    """A solution cell is marked as one to write, a check as graded with as many points as stars,
    and no other cell is marked.
    """
    write(course, "import math", SOLUTION, CHECK)
    exercises.exercises()
    for folder in ("solutions", "exercises"):
        cells = nbformat.read(course / folder / "01_basics.ipynb", 4).cells
        plain, solution, check = (
            cell.metadata.get("nbgrader") for cell in cells
        )
        assert plain is None
        assert (
            solution["grade_id"],
            solution["solution"],
            solution["grade"],
        ) == (
            "half",
            True,
            False,
        )
        assert (check["grade_id"], check["points"], check["locked"]) == (
            "check-half",
            2,
            True,
        )


def test_hidden_tests_are_hidden(course: Path) -> None:
    """The part between the markers for hidden tests is removed from the exercise, without a
    replacement.
    """
    write(
        course,
        SOLUTION,
        f"{CHECK}\n### BEGIN HIDDEN TESTS\nassert half(3) == 1.5\n### END HIDDEN TESTS",
    )
    exercises.exercises()
    assert (
        nbformat.read(course / "exercises" / "01_basics.ipynb", 4)
        .cells[1]
        .source
        == CHECK
    )


def test_a_second_time_changes_nothing_and_drift_is_found(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deriving exercises twice gives the same bytes. After that, coursekit check reports nothing,
    except a file that was changed by hand.
    """
    path = write(course, SOLUTION, CHECK)
    exercises.exercises()
    derived = course / "exercises" / "01_basics.ipynb"
    before = path.read_bytes(), derived.read_bytes()
    capsys.readouterr()
    assert command_line.main(["exercises"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (path.read_bytes(), derived.read_bytes()) == before
    assert command_line.main(["check"]) == 0
    derived.write_text(derived.read_text().replace("YOUR CODE", "MY CODE"))
    assert command_line.main(["check"]) == 1
    assert capsys.readouterr().out == (
        "exercises/01_basics.ipynb does not match solutions/. Run: coursekit exercises\n"
    )
    path.unlink()
    assert command_line.main(["check"]) == 1
    exercises.exercises()
    assert not derived.exists()


ANSWERED = STUB.replace("# YOUR CODE HERE", "return number / 2").replace(
    "    raise NotImplementedError()", ""
)


@pytest.mark.parametrize("work", ["answered", "a new cell"])
def test_a_learner_s_work_is_never_overwritten(
    course: Path, work: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A notebook in exercises/ with answers or new cells stays unchanged; a notebook that was only
    run is derived again.
    """
    write(course, SOLUTION, CHECK)
    exercises.exercises()
    path = course / "exercises" / "01_basics.ipynb"
    as_derived = path.read_bytes()
    notebook = nbformat.read(path, 4)
    notebook.cells[1].outputs = [v4.new_output("stream", text="not yet")]
    nbformat.write(notebook, path)
    assert command_line.main(["exercises"]) == 0
    assert path.read_bytes() == as_derived

    if work == "answered":
        notebook.cells[0].source = ANSWERED
    else:
        notebook.cells.append(v4.new_code_cell("my own", id="mine"))
    nbformat.write(notebook, path)
    before = path.read_bytes()
    capsys.readouterr()
    assert command_line.main(["exercises"]) == 1
    assert (
        "exercises/01_basics.ipynb contains somebody's work ("
        in capsys.readouterr().err
    )
    assert path.read_bytes() == before


BEGIN, END = "    ### BEGIN SOLUTION", "    ### END SOLUTION"
WRONG = {
    "no end": (
        [f"def half(n):\n    'Half.'\n{BEGIN}\n    return n", CHECK],
        "BEGIN SOLUTION without its END",
    ),
    "no begin": (
        [f"def half(n):\n    'Half.'\n    return n\n{END}", CHECK],
        "END SOLUTION without its BEGIN",
    ),
    "nested": (
        [
            f"def half(n):\n    'Half.'\n{BEGIN}\n{BEGIN}\n    return n\n{END}",
            CHECK,
        ],
        "is inside SOLUTION",
    ),
    "mixed": (
        [
            f"def half(n):\n    'Half.'\n{BEGIN}\n    1\n    ### END HIDDEN TESTS",
            CHECK,
        ],
        "END HIDDEN TESTS without",
    ),
    "misspelled": (
        [
            "def half(n):\n    'Half.'\n    # BEGIN SOLUTION\n    return n",
            CHECK,
        ],
        "write the marker on a line of its own",
    ),
    "no function": (
        ["### BEGIN SOLUTION\nhalf = 3\n### END SOLUTION", CHECK],
        "one function or class",
    ),
    "two functions": (
        [f"{SOLUTION}\n\n\n{SOLUTION.replace('half', 'third')}", CHECK],
        "one function or class",
    ),
    "no docstring": (
        [f"def half(n):\n{BEGIN}\n    return n\n{END}", CHECK],
        "needs a docstring",
    ),
    "no Python": (
        [f"def half(n:\n    'Half.'\n{BEGIN}\n    return n\n{END}", CHECK],
        "is not Python",
    ),
    "no check": ([SOLUTION], "half is a solution without a check"),
    "no exercise": (
        [SOLUTION, CHECK, "check.third(half)"],
        "check.third is a check without an exercise",
    ),
    "check first": (
        [CHECK, SOLUTION],
        "check.half is a check without an exercise",
    ),
    "check twice": ([SOLUTION, CHECK, CHECK], "half is checked a second time"),
    "written twice": (
        [SOLUTION, SOLUTION, CHECK],
        "half is to be written a second time",
    ),
    "two checks": (
        [SOLUTION, f"{CHECK}\ncheck.other(half)"],
        "two checks in one cell",
    ),
    "nothing": (["1 + 1"], "have exercises that are missing here: half"),
    "stray tests": (
        ["### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS", SOLUTION, CHECK],
        "outside of a check's cell",
    ),
    "in text": (
        [v4.new_markdown_cell(f"{BEGIN}\nx\n{END}"), SOLUTION, CHECK],
        "is in a text cell",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_derived_is_refused(
    course: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unpaired markers, solutions without checks, and checks without exercises are named, and
    nothing is written.
    """
    cells, said = WRONG[case]
    path = write(course, *cells)
    before = path.read_bytes()
    assert command_line.main(["exercises"]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "solutions/01_basics.ipynb" in error
    if case != "nothing":
        assert re.search(r", cell cell-\d", error)
    assert path.read_bytes() == before
    assert not (course / "exercises").exists()


LINES = st.sampled_from(
    [
        "x = 1",
        "    y = 2",
        "    ### BEGIN SOLUTION",
        "    ### END SOLUTION",
        "### BEGIN HIDDEN TESTS",
        "### END HIDDEN TESTS",
    ]
)


@given(st.lists(LINES, max_size=8))
def test_markers_pair_or_are_refused(lines: list[str]) -> None:
    """Whatever the order of the markers, the stub contains no marker and no line that was between
    markers, or there is an error.
    """
    try:
        stub = exercises._stub("\n".join(lines), "here")
    except CommandError:
        return
    regions = sum("BEGIN" in line for line in lines)
    assert regions == sum("END" in line for line in lines)
    assert "###" not in stub
    assert stub.count("NotImplementedError") == sum(
        "BEGIN SOLUTION" in line for line in lines
    )


# The course's own


def test_exercises_follow_from_solutions() -> None:
    """coursekit check: exercises/ is what coursekit exercises makes from solutions/."""
    assert exercises._changed(ROOT) == {}, "run: make exercises"


def test_every_chapter_with_checks_has_its_notebook() -> None:
    """A chapter whose module in coursekit/checks has exercises has a solution and an exercise
    notebook.
    """
    with_checks = {
        lesson.stem
        for lesson in lessons()
        if course_map.exercises_of(lesson.stem)
    }
    assert (
        with_checks
        == {path.stem for path in EXERCISES}
        == {path.stem for path in notebooks_in(ROOT / "solutions")}
    )
