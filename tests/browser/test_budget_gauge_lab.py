"""The budget gauge in a real browser: every control is moved as a learner moves it, and every
number is the one from view().
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nbformat import v4, write
from playwright.sync_api import Locator, expect

from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage
from support.lab_server import LabServer

START = """from coursekit.pricing import Usage, price_of
from coursekit.reasoning import Split
from coursekit.widgets.budget_gauge import ON, BudgetGauge

def bill(hidden, visible=1):
    usage = {"prompt_tokens": 50, "completion_tokens": hidden + visible}
    return Split(Usage(50, hidden + visible, reasoning=hidden), price_of(usage, "o4-mini", ON))

snail, cron = {"low": bill(128), "high": bill(1216)}, {"low": bill(192), "high": bill(1664)}
BudgetGauge({"snail": snail, "cron": cron}, "o4-mini")
"""


@pytest.fixture
def page(
    lab: LabServer, open_chapter: Callable[..., ChapterPage]
) -> ChapterPage:
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(START)], metadata={"kernelspec": KERNEL}
    )
    write(notebook, lab.root / "notebooks" / "gauge.ipynb")
    opened = open_chapter("gauge")
    opened.run_all()
    return opened


def row(cell: Locator, effort: str) -> list[str]:
    """An effort's hidden, visible, free, and missing tokens, as the table on the page shows
    them.
    """
    named = cell.locator("tr").filter(
        has=cell.page.get_by_role("rowheader", name=effort, exact=True)
    )
    return named.locator("td").all_text_contents()[:4]


def test_the_gauge_follows_its_controls(page: ChapterPage) -> None:
    """By keyboard, mouse, and menu, each control changes the numbers and the drawing, and nothing
    is wider than its cell.
    """
    cell = page.cell(0)
    drawing = cell.locator(".coursekit-gauge svg[role=img]")
    drawing.wait_for()
    assert row(cell, "low") == ["128", "1", "371", "0"]
    assert row(cell, "high") == ["500", "0", "0", "717"]

    budget = cell.locator(
        '.widget-hslider:has(label:text-is("Budget, tokens"))'
    )
    for _ in range(3):  # five steps each
        budget.get_by_role("slider").press("PageUp")
    expect(
        cell.get_by_text(
            "1,250 tokens: enough for a complete answer with low, high."
        )
    ).to_be_visible()
    assert row(cell, "high") == ["1,216", "1", "33", "0"]
    assert "Budget 1,250 tokens" in (drawing.get_attribute("aria-label") or "")

    longer = cell.locator(
        '.widget-hslider:has(label:text-is("Thinks × as long"))'
    )
    track = longer.locator(".noUi-base").bounding_box()
    assert track is not None
    longer.get_by_role("slider").hover()
    page.page.mouse.down()
    page.page.mouse.move(
        track["x"] + track["width"], track["y"] + track["height"] / 2, steps=8
    )
    page.page.mouse.up()
    expect(cell.locator('tr:has(th:text-is("low")) td').first).to_have_text(
        "512"
    )
    assert row(cell, "low") == ["512", "1", "737", "0"]
    expect(
        cell.get_by_text("with high, you pay $0.0056 for nothing.")
    ).to_be_visible()

    cell.get_by_label("Question").select_option("cron")
    expect(drawing).to_have_attribute(
        "aria-label",
        "Budget 1,250 tokens. low: 768 hidden, 1 visible, 481 free, "
        "0 missing, whole; high: 1,250 hidden, 0 visible, 0 free, "
        "5,407 missing, empty",
    )
    assert page.errors == []
    assert page.outside == []
    assert (
        page.cut_off(
            0, ".coursekit-gauge svg, .coursekit-gauge table, .widget-hslider"
        )
        == []
    )
