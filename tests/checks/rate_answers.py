"""How well the checks judge answers by people who have seen neither the checks nor the solutions.

    .venv/bin/python tests/checks/rate_answers.py DIRECTORY

DIRECTORY contains one answers_NN.py for each chapter, with ANSWERS: a list of dicts with the keys
"exercise", "label" ("right" or "wrong"), "why", and "source". Prints, for each exercise, how many
right answers are refused and how many wrong ones are accepted, then each misjudged answer.

The rates are an estimate only the first time. After the checks have been changed because of a run,
the same answers say nothing about new ones.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import openai  # noqa: F401  once, and not in each process

from coursekit.checks import course_map
from coursekit.workshop import notebooks_in

SOLUTIONS = notebooks_in(Path(__file__).parents[2] / "solutions")
SECONDS = 90  # for one answer; each case has a limit of its own


def set_up(notebook: Any) -> list[str]:
    """The cells that are neither exercises nor checks: they define what learners can use."""
    return [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code"
        and not cell.metadata.get("nbgrader", {}).get("solution")
        and not cell.metadata.get("nbgrader", {}).get("grade")
        and "Quiz(" not in cell.source
    ]


def verdict(exercise: Any, cells: list[str], source: str) -> tuple[str, str]:
    """The status and the text of the check's result, from a separate process."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(SECONDS)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        names: dict[str, Any] = {"__name__": "__main__"}
        try:
            for each in (*cells, source):
                # without this file's own __future__ import
                exec(
                    compile(each, "<answer>", "exec", dont_inherit=True), names
                )
            result = exercise.result(names[exercise.name])
            ended = result.status, repr(result)
        except BaseException as error:  # noqa: BLE001  it is the answer's
            ended = "not run", repr(error)
        with open(there, "w", encoding="utf-8") as pipe:
            json.dump(ended, pipe)
            pipe.flush()
            os._exit(0)
    os.close(there)
    with open(here, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    status, shown = json.loads(text) if text else ("no result", "")
    return status, shown


def judged(directory: Path) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """Each answer with its chapter and its verdict."""
    for path in SOLUTIONS:
        written = directory / f"answers_{path.stem[:2]}.py"
        if not written.exists():
            continue
        exercises = {
            each.name: each for each in course_map.exercises_of(path.stem)
        }
        cells = set_up(nbformat.read(path, 4))
        for answer in runpy.run_path(str(written))["ANSWERS"]:
            exercise = exercises[answer["exercise"]]
            yield path.stem, answer, *verdict(exercise, cells, answer["source"])


def main(directory: Path) -> None:
    rows: dict[str, Counter[str]] = {}
    missed = []
    for chapter, answer, status, text in judged(directory):
        row = rows.setdefault(f"{chapter[:2]} {answer['exercise']}", Counter())
        row[answer["label"]] += 1
        if (status == "passed") is not (answer["label"] == "right"):
            row[f"{answer['label']}, misjudged"] += 1
            missed.append((chapter, answer, text))
    rows["all"] = sum(rows.values(), Counter())
    print(f"{'':24} right refused  wrong accepted")
    for name, row in rows.items():
        refused = f"{row['right, misjudged']} of {row['right']}"
        accepted = f"{row['wrong, misjudged']} of {row['wrong']}"
        print(f"{name:24} {refused:>13} {accepted:>15}")
    total = rows["all"]
    print(
        f"right refused: {total['right, misjudged'] / max(total['right'], 1):.2%},"
        f" wrong accepted: {total['wrong, misjudged'] / max(total['wrong'], 1):.2%}"
    )
    for chapter, answer, text in missed:
        print(f"\n{chapter} {answer['label']}: {answer['why']}\n{text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
