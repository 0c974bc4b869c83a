"""``coursekit exercises`` derives exercises/ from solutions/; ``coursekit check`` reports where
they differ.

A solution notebook has nbgrader's markers. A function (or class) to be written has its own cell,
with a docstring that says what to write, and the answer between ### BEGIN SOLUTION and ### END
SOLUTION. A later cell calls ``check.NAME(NAME)``. The nbgrader metadata follow from this, so they
are not written by hand; a check's points are the stars of its exercise. The stub is nbgrader's own,
so that a teacher's generate_assignment makes the same notebooks.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from ...checks import course_map
from ...course import lesson
from ...foundation.files import write_atomically
from .. import CommandError, notebooks_in, repository_or_error
from .refresh import RUN_BY, text_of

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
MARK = re.compile(
    r"^(?P<indent>[ \t]*)###\s*(?P<edge>BEGIN|END) (?P<kind>SOLUTION|HIDDEN TESTS)\s*$",
    re.MULTILINE,
)
CHECK = re.compile(r"^check\.(\w+)\(", re.MULTILINE)
LIKE_A_MARK = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TESTS)\b")


def exercises(names: Sequence[str] = ()) -> int:
    """Write what has changed in the metadata of solutions/ and in exercises/, for the named lessons
    or for all.

    Nothing is written if one of them has an error.
    """
    changed = _changed(
        repository_or_error(), [lesson(name).stem for name in names]
    )
    for path, text in changed.items():
        is_exercise = path.parent.name == "exercises"
        if is_exercise and (work := _somebody_s_work(path, text)):
            raise CommandError(
                f"exercises/{path.name} contains somebody's work ({work}), which would be "
                "overwritten. Save it under another name, or delete it if it is not needed; then "
                "run this again."
            )
    for path, text in changed.items():
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, text)
        print(
            f"{path.parent.name}/{path.name}  {'deleted' if text is None else 'written'}"
        )
    if not changed:
        print("exercises/ already matches solutions/: nothing to do.")
    return 0


def check() -> int:
    """Print what ``exercises`` would change. Returns 1 if it would change anything."""
    changed = _changed(repository_or_error())
    for path in changed:
        print(
            f"{path.parent.name}/{path.name} does not match solutions/. Run: coursekit "
            "exercises"
        )
    return 1 if changed else 0


def _changed(root: Path, stems: Sequence[str] = ()) -> dict[Path, str | None]:
    """The files that have to change, with their new text, or None for an exercise without a
    solution. No stem: all lessons.
    """
    wanted: dict[Path, str | None] = dict.fromkeys(
        notebooks_in(root / "exercises")
    )
    for path in notebooks_in(root / "solutions"):
        if not stems or path.stem in stems:
            solution = marked(nbformat.read(path, as_version=4), path.stem)
            exercise = derived(solution, f"solutions/{path.name}")
            wanted[path] = text_of(solution)
            wanted[root / "exercises" / path.name] = text_of(exercise)
    return {
        path: text
        for path, text in wanted.items()
        if (not stems or path.stem in stems)
        and (text is None or _on_disk(path) != text)
    }


def marked(solution: Any, stem: str) -> Any:
    """A solution notebook with nbgrader's metadata, derived from its cells. Raises CommandError,
    naming the cell.
    """
    expected = {
        exercise.name: exercise for exercise in course_map.exercises_of(stem)
    }
    notebook, where = copy.deepcopy(solution), f"solutions/{stem}.ipynb"
    written: dict[str, str] = {}
    checked: set[str] = set()
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
        place = f"{where}, cell {cell.id}"
        stub = _stub(cell.source, place)
        kinds = {mark["kind"] for mark in MARK.finditer(cell.source)}
        checks = set(CHECK.findall(cell.source))
        if cell.cell_type != "code":
            if kinds:
                raise CommandError(
                    f"{place}: a solution is in a text cell. Move it to a code cell, as a comment."
                )
        elif "SOLUTION" in kinds:
            name = _name_to_write(stub, place)
            if name in written:
                raise CommandError(
                    f"{place}: {name} is to be written a second time."
                )
            written[name] = place
            cell.metadata["nbgrader"] = _metadata(name)
        elif len(checks) > 1:
            raise CommandError(
                f"{place}: two checks in one cell. Give each a cell of its own."
            )
        elif checks:
            (name,) = checks
            if name not in expected or name not in written:
                lacking = (
                    "cell before it that asks for it"
                    if name in expected
                    else f"exercise in the checks of {stem}"
                )
                raise CommandError(
                    f"{place}: check.{name} is a check without an exercise: there is no {lacking}."
                )
            if name in checked:
                raise CommandError(f"{place}: {name} is checked a second time.")
            checked.add(name)
            cell.metadata["nbgrader"] = _metadata(
                f"check-{name}", expected[name].stars
            )
        elif kinds:
            raise CommandError(
                f"{place}: hidden tests are outside of a check's cell, where nbgrader looks for "
                "them."
            )
    for name, place in written.items():
        if name not in checked:
            raise CommandError(
                f"{place}: {name} is a solution without a check. Add a cell: check.{name}({name})"
            )
    if missing := [name for name in expected if name not in checked]:
        raise CommandError(
            f"{where}: the checks of {stem} have exercises that are missing here: "
            f"{', '.join(missing)}."
        )
    return notebook


def derived(solution: Any, where: str = "") -> Any:
    """The exercise notebook of a solution: stubs instead of solutions, no hidden tests, no outputs;
    the ids stay.
    """
    notebook = copy.deepcopy(solution)
    notebook.metadata |= RUN_BY  # as refresh will store it
    for cell in notebook.cells:
        cell.source = _stub(cell.source, f"{where}, cell {cell.id}")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _stub(source: str, place: str) -> str:
    """A cell's text as the learner gets it. Raises CommandError for unpaired markers."""
    stub: list[str] = []
    inside = ""
    for number, line in enumerate(source.split("\n"), start=1):
        here = f"{place}, line {number}"
        mark = MARK.match(line)
        if mark is None:
            if LIKE_A_MARK.search(line):
                raise CommandError(
                    f"{here}: write the marker on a line of its own, like this: "
                    "### BEGIN SOLUTION"
                )
            if not inside:
                stub.append(line)
            continue
        begins, kind = mark["edge"] == "BEGIN", mark["kind"]
        if begins and inside:
            raise CommandError(
                f"{here}: BEGIN {kind} is inside {inside}. End that one first."
            )
        if not begins and inside != kind:
            raise CommandError(f"{here}: END {kind} without its BEGIN.")
        if begins and kind == "SOLUTION":
            stub += [mark["indent"] + line for line in STUB]
        inside = kind if begins else ""
    if inside:
        raise CommandError(f"{place}: BEGIN {inside} without its END.")
    return "\n".join(stub)


def _name_to_write(stub: str, place: str) -> str:
    """The one function or class that a stub asks for. Raises CommandError if the stub asks for
    anything else.
    """
    try:
        statements = ast.parse(stub).body
    except SyntaxError as error:
        raise CommandError(
            f"{place}: without its solution it is not Python: {error.msg}, line {error.lineno}."
        ) from None
    unwritten = [
        statement
        for statement in statements
        if "NotImplementedError" in ast.unparse(statement)
    ]
    match unwritten:
        case [
            ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() as node
        ]:
            pass
        case _:
            raise CommandError(
                f"{place}: a cell must ask for one function or class, with the solution inside it."
            )
    if not ast.get_docstring(node):
        raise CommandError(
            f"{place}: {node.name} needs a docstring that says what to write."
        )
    return node.name


def _metadata(grade_id: str, points: int | None = None) -> dict[str, Any]:
    """nbgrader's metadata, schema 3: for a check and its points; None: for a cell to be written."""
    is_solution = points is None
    metadata: dict[str, Any] = {
        "grade": not is_solution,
        "grade_id": grade_id,
        "locked": not is_solution,
        "schema_version": 3,
        "solution": is_solution,
        "task": False,
    }
    return metadata if is_solution else {**metadata, "points": points}


def _somebody_s_work(path: Path, text: str | None) -> str:
    """What a learner has written into an exercise notebook, in a few words; "" if it is
    unchanged.
    """
    if not path.exists():
        return ""
    derived_cells = nbformat.reads(text, as_version=4).cells if text else []
    stubs = {cell.id: cell.source for cell in derived_cells}
    answered, added = [], 0
    for cell in nbformat.read(path, as_version=4).cells:
        stub = stubs.get(cell.id, "") if text else STUB[1]
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("solution") and cell.source.count(STUB[1]) < stub.count(
            STUB[1]
        ):
            answered.append(marks.grade_id)
        added += bool(text and cell.id not in stubs and cell.source.strip())
    if added:
        answered.append(f"new cells: {added}")
    return ", ".join(answered)


def _on_disk(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
