"""Checks in a kernel, and what can go wrong there: syntax errors, deleted cells, restarts, and two
notebooks at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from coursekit.checks.course_map import exercises_of
from coursekit.workshop.authoring.execution import execute
from coursekit.workshop.commands.environment import offline_environment

ROOT = Path(__file__).parents[2]
IMPORT = "from coursekit.checks import basics as check"
FAILS = {"tags": ["raises-exception"]}
WRONG = (
    "def reply_text(reply):\n    print('looking')\n    return "
    "reply.choices[0].message.content.strip()"
)
RIGHT = """def reply_text(reply):
    message = reply.choices[0].message if reply.choices else None
    return (message.refusal or message.content or "") if message else \"\""""
BROKEN = "def reply_text(reply:\n    return 1"
CHECK = "check.reply_text(reply_text)"

Run = Callable[..., list[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of notebooks in tests, with this test's own progress file."""
    return {
        **offline_environment(),
        "COURSEKIT_PROGRESS": str(tmp_path / "progress.json"),
    }


@pytest.fixture
def shown(
    write_notebook: Callable[..., Path], environment: dict[str, str]
) -> Run:
    """shown(cell, ...) -> what each cell shows, in a new kernel."""

    def run(*cells: Any) -> list[str]:
        return [
            _text(cell)
            for cell in execute(
                write_notebook(*cells, name="exercises/x.ipynb"), environment
            ).cells
        ]

    return run


def _text(cell: Any) -> str:
    parts = [
        o.get("text")
        or o.get("evalue")
        or o.get("data", {}).get("text/plain", "")
        for o in cell.outputs
    ]
    return "\n".join(parts)


def failing(source: str) -> Any:
    return v4.new_code_cell(source, metadata=FAILS)


def test_an_error_is_shown_with_its_line_and_prints_are_seen(
    shown: Run,
) -> None:
    """In a kernel, a learner's line is shown with its number in the cell and its text, and what the
    code prints is visible.
    """
    verdict = shown(IMPORT, WRONG, CHECK)[2]
    assert verdict.count("looking\n") == 2
    assert "✗ reply_text: your code raised an error (case 2 of " in verdict
    assert (
        "your line 3: return reply.choices[0].message.content.strip()"
        in verdict
    )
    assert (
        "got       AttributeError: 'NoneType' object has no attribute 'strip'"
        in verdict
    )


def test_a_syntax_error_in_a_newer_version_is_told(shown: Run) -> None:
    """After a syntax error, Python still has the old function. The check says so instead of judging
    it.
    """
    cells = shown(IMPORT, RIGHT, CHECK, failing(BROKEN), CHECK, RIGHT, CHECK)
    assert "✓ reply_text: passed" in cells[2]
    assert (
        "✗ reply_text: the newest version of your cell did not run" in cells[4]
    )
    assert "SyntaxError in line 1" in cells[4]
    assert "✓ reply_text: passed" in cells[6]


def test_a_notebook_with_a_syntax_error_keeps_its_other_checks(
    shown: Run,
) -> None:
    """A function that was never defined gives a NameError, as the notebook says, and the next
    exercise works.
    """
    cells = shown(IMPORT, failing(BROKEN), failing(CHECK), RIGHT, CHECK)
    assert cells[2] == "name 'reply_text' is not defined"
    assert "✓ reply_text: passed" in cells[4]
    said = (
        nbformat.read(ROOT / "exercises" / "01_basics.ipynb", 4).cells[0].source
    )
    assert "If a check says `NameError`" in said


def test_async_code_is_checked_in_a_kernel_with_a_loop_of_its_own(
    shown: Run,
) -> None:
    """The kernel's event loop is already running, but a check of async code works anyway."""
    made = """from coursekit.checks.engine import Exercise, call

def double():
    yield call(2, expects=4)

double = Exercise(double, chapter="01_basics", stars=1, hints="abc", awaits=True)"""
    answer = (
        "import asyncio\n\nasync def twice(number):\n    await asyncio.sleep(60)\n   "
        " return 2 * number"
    )
    assert (
        "✓ double: passed (1 of 1 cases)"
        in shown(made, answer, "double(twice)")[2]
    )
    assert (
        "an await is missing"
        in shown(
            made,
            answer,
            "async def once(n):\n    twice(n)\n    return 4",
            "double(once)",
        )[3]
    )


def test_an_endless_loop_leaves_the_kernel_alive(shown: Run) -> None:
    """An endless loop that prints is stopped, its flood of output is cut, and the next cells
    run.
    """
    endless = "def reply_text(reply):\n    while True:\n        print('again')"
    cells = shown(
        IMPORT, "check.reply_text.seconds = 0.5", endless, CHECK, RIGHT, CHECK
    )
    assert "✗ reply_text: never returned (case 1 of " in cells[3]
    assert "not shown" in cells[3]
    assert len(cells[3]) < 6000
    assert "✓ reply_text: passed" in cells[5]


def test_a_deleted_check_cell_loses_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A notebook still runs if a check's cell is deleted, and every pass names the exercises that
    are still open.
    """
    notebook = nbformat.read(ROOT / "solutions" / "01_basics.ipynb", 4)
    graded = [
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    ]
    notebook.cells.remove(graded[1])
    path = tmp_path / "exercises" / "01_basics.ipynb"
    path.parent.mkdir()
    nbformat.write(notebook, path)
    ran = execute(path, environment)
    last = _text(
        [
            cell
            for cell in ran.cells
            if cell.metadata.get("nbgrader", {}).get("grade")
        ][-1]
    )
    count = len(exercises_of("01_basics"))
    assert (
        f"{count - 1} of {count} exercises in this chapter are done. Open: prompt_tokens."
        in last
    )


def test_a_restart_half_way_keeps_what_was_passed(shown: Run) -> None:
    """A new kernel knows which checks were passed in an earlier one."""
    count = len(exercises_of("01_basics"))
    assert f"1 of {count}" in shown(IMPORT, RIGHT, CHECK)[2]
    show = "from coursekit.checks.course_map import CourseMap\nCourseMap()"
    assert "✓ reply_text  ○ prompt_tokens" in shown(show)[0]
