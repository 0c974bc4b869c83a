"""A learner runs cells again, in any order: no cell breaks because another one was run since."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from coursekit.course import lessons
from coursekit.workshop.authoring.refresh import sanitized
from coursekit.workshop.commands.environment import offline_environment

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SAYS_WHAT_TO_DO = re.compile(r"What to do|\bfirst\b|Run ")
ADDS_UP = re.compile(r"\bmeter\b")  # such a cell shows what was run before it

pytestmark = pytest.mark.slow


def run_twice(path: Path, seed: int) -> tuple[list[Any], list[Any]]:
    """The code cells after a run from top to bottom, and after one more run in a random order."""
    notebook = nbformat.read(path, as_version=4)
    first = [cell for cell in notebook.cells if cell.cell_type == "code"]
    again = deepcopy(first)
    random.Random(seed).shuffle(again)
    notebook.cells = first + again
    NotebookClient(
        notebook,
        km=AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        ),
        resources={"metadata": {"path": str(path.parent)}},
        allow_errors=True,
        timeout=120,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    ).execute(env=offline_environment(), cleanup_kc=True)
    by_id = {cell.id: cell for cell in again}
    return first, [by_id[cell.id] for cell in first]


def errors(cell: Any) -> list[Any]:
    return [output for output in cell.outputs if output.output_type == "error"]


def shown(cell: Any) -> list[str]:
    """What a reader sees below the cell, without what differs from run to run."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts.append(
            sanitized(output.get("text") or data.get("text/plain", ""))
        )
    return texts


def complaints(before: Any, after: Any) -> Iterator[str]:
    """What is wrong with a cell's second run."""
    where = f"{before.id} ({before.source.splitlines()[0][:60]})"
    expected = "raises-exception" in before.metadata.get("tags", [])
    for error in errors(after):
        if not expected and not SAYS_WHAT_TO_DO.search(error.evalue):
            yield f"{where} ends in {error.ename}: {error.evalue[:200]}"
    if (
        not errors(after)
        and not ADDS_UP.search(before.source)
        and shown(before) != shown(after)
    ):
        yield f"{where} shows something else: {shown(before)}, then {shown(after)}"


@pytest.mark.parametrize("stem", [lesson.stem for lesson in lessons()])
def test_every_cell_can_be_run_again(stem: str) -> None:
    """In a random order, each cell shows what it showed first, or an error that says what to do."""
    first, again = run_twice(NOTEBOOKS / f"{stem}.ipynb", seed=18)
    found = [
        text
        for pair in zip(first, again, strict=True)
        for text in complaints(*pair)
    ]
    assert not found, "\n".join(found)
