"""The model chooser in a real browser: sliders are dragged, boxes are ticked by keyboard, and the
table is the one from view().
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from nbformat import v4, write
from playwright.sync_api import Locator

from coursekit.choosing import Task
from coursekit.widgets.model_chooser import BUDGETS, DAYS, PROMPTS, TIMES, view
from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage, soon
from support.lab_server import LabServer

START = (
    "from coursekit.widgets.model_chooser import ModelChooser\nModelChooser()"
)


@pytest.fixture
def page(
    lab: LabServer, open_chapter: Callable[..., ChapterPage]
) -> ChapterPage:
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(START)], metadata={"kernelspec": KERNEL}
    )
    write(notebook, lab.root / "notebooks" / "chooser.ipynb")
    opened = open_chapter("chooser")
    opened.run_all()
    return opened


def test_every_control_moves_the_table(page: ChapterPage) -> None:
    """The table shows what the keyboard sets with sliders and boxes. Nothing is cut off, and
    nothing fails.
    """
    cell = page.cell(0)
    expect_table(cell, Task())
    press(
        cell,
        "Prompt, tokens",
        "ArrowRight",
        PROMPTS.index(250_000) - PROMPTS.index(1000),
    )
    press(
        cell,
        "$ per 1,000",
        "ArrowLeft",
        len(BUDGETS) - BUDGETS.index(Decimal(100)),
    )
    press(cell, "Seconds", "ArrowLeft", len(TIMES) - TIMES.index(10))
    expect_table(
        cell, Task(prompt=250_000, max_cost=Decimal("0.1"), max_seconds=10.0)
    )
    box = cell.locator('label:has-text("temperature") input[type=checkbox]')
    box.focus()
    box.press("Space")
    cell.locator(
        '.widget-dropdown:has(label:text-is("On")) select'
    ).select_option("2027-02-01")
    after = Task(
        prompt=250_000,
        max_cost=Decimal("0.1"),
        max_seconds=10.0,
        needs=frozenset({"temperature"}),
        on=DAYS[3],
    )
    expect_table(cell, after)
    assert page.cut_off(0, "table") == []
    assert page.errors == [] and page.outside == []


def press(cell: Locator, label: str, key: str, times: int) -> None:
    """Press keys on the handle of the slider with this label."""
    handle = cell.locator(
        f'.widget-hslider:has(label:text-is("{label}")) .noUi-handle'
    ).first
    handle.focus()
    for _ in range(times):
        handle.press(key)


def expect_table(cell: Locator, task: Task) -> None:
    """Wait until the page's table is the one from view() for this task."""
    html = view(task)
    wanted = [
        re.findall(r"<t[dh][^>]*>([^<]*)</t", row)
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html)
    ]

    def seen() -> list[list[str]]:
        rows = cell.locator(".coursekit-chooser tr").all()
        return [
            [text.strip() for text in row.locator("th, td").all_text_contents()]
            for row in rows
        ]

    assert soon(lambda: seen() == wanted), seen()
