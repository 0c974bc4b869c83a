"""Every exercise is checked with many answers: the solution, the stub, and the table's right and
wrong ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from answer_table import Answer, table

from coursekit.checks import course_map
from coursekit.checks.engine.exercise import Exercise
from coursekit.course import lesson
from coursekit.workshop import notebooks_in
from coursekit.workshop.authoring.exercises import derived

SOLUTIONS = notebooks_in(Path(__file__).parents[2] / "solutions")
EXERCISES = [
    (path, each)
    for path in SOLUTIONS
    for each in course_map.exercises_of(path.stem)
]
every_exercise = pytest.mark.parametrize(
    ("path", "exercise"),
    EXERCISES,
    ids=[f"{each.chapter}-{each.name}" for _, each in EXERCISES],
)


def written(notebook: Any, exercise: Exercise) -> Any:
    """What a notebook's cell for this exercise defines after the preceding cells, except checks,
    have run.
    """
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        graded = cell.metadata.get("nbgrader", {})
        if (
            cell.cell_type == "code"
            and not graded.get("grade")
            and "Quiz(" not in cell.source
        ):
            exec(cell.source, names)
        if graded.get("grade_id") == exercise.name:
            return names[exercise.name]
    raise AssertionError(
        f"{exercise.name} has no cell in the solutions of its chapter: write one, then run "
        "make exercises"
    )


@every_exercise
def test_the_solution_passes(path: Path, exercise: Exercise) -> None:
    """An exercise's worked solution passes its check."""
    verdict = exercise.result(written(nbformat.read(path, 4), exercise))
    assert verdict.status == "passed", verdict


@every_exercise
def test_the_stub_is_not_yet(path: Path, exercise: Exercise) -> None:
    """The stub that a learner starts from is "not yet": neither right nor wrong."""
    verdict = exercise.result(
        written(derived(nbformat.read(path, 4)), exercise)
    )
    assert verdict.status == "not yet", verdict


# an endless answer uses its entire time limit
ANSWERS = [
    pytest.param(
        answer,
        marks=[pytest.mark.slow] if answer.outcome == "endless" else [],
        id=str(answer),
    )
    for answer in table()
]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_gets_its_verdict(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer gets the verdict that the table gives, in the table's words."""
    exercises = {
        each.name: each
        for each in course_map.exercises_of(lesson(answer.chapter).stem)
    }
    exercise = exercises[answer.exercise]
    if answer.outcome == "endless":  # the limit can be short
        monkeypatch.setattr(exercise, "seconds", 0.5)
    verdict = exercise.result(answer.function)
    assert verdict.status == answer.outcome, verdict
    assert answer.says in repr(verdict)


@every_exercise
def test_the_table_has_enough_answers(path: Path, exercise: Exercise) -> None:
    """Each exercise is tested with at least two right answers in addition to the solution, and with
    three wrong ones.
    """
    outcomes = [
        a.outcome
        for a in table()
        if (lesson(a.chapter).stem, a.exercise) == (path.stem, exercise.name)
    ]
    right = outcomes.count("passed")
    assert right >= 2 and len(outcomes) - right >= 3, (
        f"tests/checks/answers_to_{exercise.chapter.partition('_')[2]}.py has {right} right and "
        f"{len(outcomes) - right} wrong answers to {exercise.name}: write two and three"
    )


@every_exercise
def test_an_exercise_has_stars_hints_and_cases(
    path: Path, exercise: Exercise
) -> None:
    """An exercise has 1 to 4 stars, a docstring, three different hints, and at least four cases,
    which are the same every time.
    """
    assert exercise.stars in range(1, 5)
    assert exercise.__doc__
    assert len(set(exercise.hints)) == 3
    first, again = exercise.cases(), exercise.cases()
    assert len(first) >= 4, f"{exercise.name} needs four cases or more"
    assert [case.text for case in first] == [case.text for case in again]
