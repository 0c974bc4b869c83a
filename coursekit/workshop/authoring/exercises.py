"""``coursekit exercises`` derives exercises/ from solutions/; ``coursekit check`` says where they
differ.

A solution notebook has nbgrader's markers. A function (or class) to be written has a cell of its
own, with a docstring that says what to write, and the answer between ### BEGIN SOLUTION and ### END
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
from .refresh import KERNEL

STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
MARK = re.compile(
    r"^(?P<indent>\s*)###\s*(?P<edge>BEGIN|END) (?P<kind>SOLUTION|HIDDEN TESTS)\s*$"
)
LIKE_A_MARK = re.compile(r"\b(BEGIN|END) (SOLUTION|HIDDEN TESTS)\b")


def exercises(names: Sequence[str] = ()) -> int:
    """Write what has changed, of the lessons named or of all: the metadata of solutions/, and
    exercises/.

    Nothing is written when one of them has an error.
    """
    changed = _changed(
        repository_or_error(), [lesson(name).stem for name in names]
    )
    for path, text in changed.items():
        if path.parent.name == "exercises" and (
            work := _somebody_s_work(path, text)
        ):
            raise CommandError(
                f"exercises/{path.name} holds somebody's work ({work}), and it would be "
                "overwritten. Keep it under "
                "another name, or delete it if it is not wanted; then run this again."
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
    """What the files should be where they are not: text, or None for an exercise without a
    solution. No stem: all.
    """
    every = [
        *notebooks_in(root / "exercises"),
        *notebooks_in(root / "solutions"),
    ]
    asked = [path for path in every if not stems or path.stem in stems]
    wanted: dict[Path, str | None] = {
        path: None for path in asked if path.parent.name == "exercises"
    }
    for path in (path for path in asked if path.parent.name == "solutions"):
        solution = marked(nbformat.read(path, as_version=4), path.stem)
        wanted[path] = _text(solution)
        wanted[root / "exercises" / path.name] = _text(
            derived(solution, f"solutions/{path.name}")
        )
    return {
        path: text
        for path, text in wanted.items()
        if text is None or _on_disk(path) != text
    }


def marked(solution: Any, stem: str) -> Any:
    """A solution notebook with nbgrader's metadata, from what its cells hold. Raises CommandError,
    naming the cell.
    """
    known = {
        exercise.name: exercise for exercise in course_map.exercises_of(stem)
    }
    notebook, where = copy.deepcopy(solution), f"solutions/{stem}.ipynb"
    written: dict[str, Any] = {}
    checked: set[str] = set()
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
        place = f"{where}, cell {cell.id}"
        stub = _stub(cell.source, place)
        if cell.cell_type != "code":
            if stub != cell.source:
                raise CommandError(
                    f"{place}: a solution is in a text cell. Move it to a code cell, as a comment."
                )
            continue
        called = _checked(cell.source)
        if "SOLUTION" in _kinds(cell.source):
            name = _asked(stub, place)
            if name in written:
                raise CommandError(
                    f"{place}: {name} is to be written a second time."
                )
            written[name] = place
            cell.metadata["nbgrader"] = _metadata(name, solution=True)
        elif called:
            name = called[0]
            if len(called) > 1:
                raise CommandError(
                    f"{place}: two checks in one cell. Give each a cell of its own."
                )
            if name not in known or name not in written:
                lacking = (
                    "cell before it that asks for it"
                    if name in known
                    else f"exercise in the checks of {stem}"
                )
                raise CommandError(
                    f"{place}: check.{name} is a check without an exercise: there is no {lacking}."
                )
            if name in checked:
                raise CommandError(f"{place}: {name} is checked a second time.")
            checked.add(name)
            cell.metadata["nbgrader"] = _metadata(
                f"check-{name}", points=known[name].stars
            )
        elif _kinds(cell.source):
            raise CommandError(
                f"{place}: hidden tests are outside of a check's cell, where nbgrader looks for "
                "them."
            )
    for name, place in written.items():
        if name not in checked:
            raise CommandError(
                f"{place}: {name} is a solution without a check. Add a cell: check.{name}({name})"
            )
    if missing := [name for name in known if name not in checked]:
        raise CommandError(
            f"{where}: the checks of {stem} have exercises that are missing here: "
            f"{', '.join(missing)}."
        )
    return notebook


def derived(solution: Any, where: str = "") -> Any:
    """The exercise notebook of a solution: stubs instead of solutions, no hidden tests, no outputs;
    ids are kept.
    """
    notebook = copy.deepcopy(solution)
    # as refresh will store them
    notebook.metadata |= {
        "kernelspec": KERNEL,
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.source = _stub(cell.source, f"{where}, cell {cell.id}")
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def _stub(source: str, place: str) -> str:
    """A cell's text as the learner gets it. Raises CommandError for markers that do not pair."""
    kept: list[str] = []
    inside = ""
    for number, line in enumerate(source.split("\n"), start=1):
        found = MARK.match(line)
        if found is None:
            if LIKE_A_MARK.search(line):
                raise CommandError(
                    f"{place}, line {number}: write the marker on a line of its own, like this: "
                    "### BEGIN SOLUTION"
                )
            if not inside:
                kept.append(line)
            continue
        begins, kind = found["edge"] == "BEGIN", found["kind"]
        if begins and inside:
            raise CommandError(
                f"{place}, line {number}: BEGIN {kind} is inside {inside}. End that one "
                "first."
            )
        if not begins and inside != kind:
            raise CommandError(
                f"{place}, line {number}: END {kind} without its BEGIN."
            )
        if begins and kind == "SOLUTION":
            kept += [found["indent"] + line for line in STUB]
        inside = kind if begins else ""
    if inside:
        raise CommandError(f"{place}: BEGIN {inside} without its END.")
    return "\n".join(kept)


def _asked(stub: str, place: str) -> str:
    """The one function or class that a stub asks for. Raises CommandError if it is not asked for
    properly.
    """
    try:
        statements = ast.parse(stub).body
    except SyntaxError as error:
        raise CommandError(
            f"{place}: without its solution it is not Python: {error.msg}, line {error.lineno}."
        ) from None
    asked = [
        node
        for node in statements
        if "NotImplementedError" in ast.unparse(node)
    ]
    if len(asked) != 1 or not isinstance(
        asked[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ):
        raise CommandError(
            f"{place}: a cell asks for one function or class, with the solution inside of it."
        )
    if not ast.get_docstring(asked[0]):
        raise CommandError(
            f"{place}: {asked[0].name} needs a docstring that says what to write."
        )
    return asked[0].name


def _checked(source: str) -> list[str]:
    """The names NAME of all calls check.NAME(…) in a cell."""
    try:
        calls = [
            node.func
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call)
        ]
    except SyntaxError:
        return []
    methods = [
        call
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
    ]
    return list(
        dict.fromkeys(
            call.attr for call in methods if ast.unparse(call.value) == "check"
        )
    )


def _kinds(source: str) -> set[str]:
    return {
        found["kind"] for found in map(MARK.match, source.split("\n")) if found
    }


def _metadata(
    grade_id: str, *, solution: bool = False, points: int | None = None
) -> dict[str, Any]:
    """nbgrader's own, schema 3: of a cell to be written, or of a check with its points."""
    told = {
        "grade": not solution,
        "grade_id": grade_id,
        "locked": not solution,
        "schema_version": 3,
    }
    return {**told, "solution": solution, "task": False} | (
        {} if points is None else {"points": points}
    )


def _somebody_s_work(path: Path, text: str | None) -> str:
    """What a learner has written into an exercise notebook, in a few words; "" if it is
    unchanged.
    """
    if not path.exists():
        return ""
    wanted = (
        {cell.id: cell.source for cell in nbformat.reads(text, 4).cells}
        if text
        else None
    )
    here = nbformat.read(path, as_version=4).cells
    stubs = [
        (cell, 1 if wanted is None else wanted.get(cell.id, "").count(STUB[1]))
        for cell in here
    ]
    asked = [
        (cell, stub)
        for cell, stub in stubs
        if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    answered = [
        cell.metadata.nbgrader.grade_id
        for cell, stub in asked
        if cell.source.count(STUB[1]) < stub
    ]
    own = (
        []
        if wanted is None
        else [
            cell
            for cell in here
            if cell.id not in wanted and cell.source.strip()
        ]
    )
    return ", ".join(answered + ([f"new cells: {len(own)}"] if own else []))


def _text(notebook: Any) -> str:
    return str(nbformat.writes(notebook)) + "\n"


def _on_disk(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
