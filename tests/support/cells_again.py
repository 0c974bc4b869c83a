"""A learner can run cells again in any order: no cell breaks because another one was run in the
meantime.

The second run goes on in the kernel of the first one, which nbval has just ended.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

from coursekit.workshop.authoring.refresh import sanitized

SEED = 18
SAYS_WHAT_TO_DO = re.compile(r"What to do|\bfirst\b|Run ")
ADDS_UP = re.compile(r"\bmeter\b")  # such a cell shows what was run before it
# Cells that solve the capstone take seconds each, with a new simulation every time;
# tests/test_capstone.py checks that the second one has the same score.
SOLVES = re.compile(r"\b(attempt|average)\(")


class CellsAgain(pytest.Item):
    """In a random order, each cell shows what it showed the first time, or an error that says what
    to do.
    """

    def runtest(self) -> None:
        if not self.parent.kernel.is_alive():
            pytest.skip("the first run has lost its kernel")
        cells = [
            item
            for item in self.session.items
            if isinstance(item, IPyNbCell) and item.parent is self.parent
        ]
        if any(cell.test_outputs is None for cell in cells):
            pytest.skip("it needs every cell of the notebook to be run first")
        cells = [cell for cell in cells if not SOLVES.search(cell.cell.source)]
        order = list(cells)
        random.Random(SEED).shuffle(order)
        again = {cell.cell_num: self._outputs_of(cell) for cell in order}
        found = [
            complaint
            for cell in cells
            for complaint in complaints(
                cell.cell, cell.test_outputs, again[cell.cell_num]
            )
        ]
        if found:
            pytest.fail("\n".join(found), pytrace=False)

    def _outputs_of(self, cell: IPyNbCell) -> list[Any]:
        """What the cell shows when it is run again."""
        once_more = IPyNbCell.from_parent(
            self.parent,
            name=cell.name,
            cell_num=cell.cell_num,
            cell=cell.cell,
            options={"skip": False, "check": False, "check_exception": True},
        )
        once_more.runtest()
        return list(once_more.test_outputs)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, 0, f"{self.path.name}: cells again"


def complaints(cell: Any, before: list[Any], after: list[Any]) -> Iterator[str]:
    """What is wrong with a cell's second run, according to the outputs of both runs."""
    where = f"{cell.id} ({cell.source.splitlines()[0][:60]})"
    raised = [one for one in after if one.output_type == "error"]
    expected = "raises-exception" in cell.metadata.get("tags", [])
    for error in raised:
        if not expected and not SAYS_WHAT_TO_DO.search(error.evalue):
            yield f"{where} ends in {error.ename}: {error.evalue[:200]}"
    if (
        not raised
        and not ADDS_UP.search(cell.source)
        and shown(before) != shown(after)
    ):
        yield f"{where} shows something else: {shown(before)}, then {shown(after)}"


def shown(outputs: list[Any]) -> list[str]:
    """What a reader sees below the cell, without what differs from run to run."""
    return [
        sanitized(one.get("text") or one.get("data", {}).get("text/plain", ""))
        for one in outputs
    ]
