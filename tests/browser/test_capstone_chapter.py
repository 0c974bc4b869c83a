"""The capstone in a real browser: read it at 800 pixels, unfold the reference, improve solve, and
see the board.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from support.chapter_page import ChapterPage, cells_for
from support.waiting import HANG

OpenChapter = Callable[..., ChapterPage]
SECONDS = 1000 * HANG  # milliseconds
IMPORT = "from coursekit.checks.capstone import scoreboard"
IMPROVED = """reference = in_lanes(["gpt-4o-mini", "gpt-6-luna"])
mine = attempt(reference)
mine"""


def place(chapter: ChapterPage, text: str) -> int:
    """The position of the first code cell with this text."""
    return next(
        i
        for i, cell in enumerate(chapter.cells)
        if cell["type"] == "code" and text in cell["source"]
    )


def run(chapter: ChapterPage, index: int, source: str = "") -> Locator:
    """Replace a cell's source if ``source`` is given, run it by keyboard, and return its output."""
    cell = chapter.cell(index)
    cell.locator(".cm-content").click()
    if source:
        chapter.type(index, source)
    chapter.page.keyboard.press("Control+Enter")
    return cell.locator(".jp-Cell-outputArea")


def test_a_learner_improves_the_score_and_keeps_it(
    open_chapter: OpenChapter,
) -> None:
    """In a narrow window, no output is wider than its cell, and the reference is folded until it is
    opened. A typing error in solve is shown as Python shows it. A better solve scores higher and
    appears on the board.
    """
    chapter = open_chapter("09_capstone", width=800)
    turn, board = (
        place(chapter, "mine = attempt"),
        place(chapter, "scoreboard.keep"),
    )
    sources = [
        cell["source"] if cell["type"] == "code" else ""
        for cell in chapter.cells
    ]
    chapter.run(
        cells_for(sources, [place(chapter, "def in_lanes"), turn, board])
    )
    assert chapter.failures() == []
    for index, cell in enumerate(chapter.cells):
        if cell["outputs"]:
            area = chapter.cell(index).locator(".jp-OutputArea-output").first
            wide, room = area.evaluate(
                "area => [area.scrollWidth, area.clientWidth]"
            )
            assert wide <= room + 1, (
                f"cell {index} is {wide} pixels wide, and has {room}"
            )
    folded = chapter.cell(place(chapter, "def in_lanes"))
    expect(folded.locator(".jp-InputPlaceholder")).to_be_visible()
    folded.locator(".jp-InputPlaceholder").click()
    expect(folded.get_by_text("async def lane")).to_be_visible()

    shown = run(
        chapter,
        turn,
        "async def solve(client, tickets, budget):\n    return answer, 0\n\nattempt(solve)",
    )
    expect(shown).to_contain_text(
        "NameError: name 'answer' is not defined", timeout=SECONDS
    )
    expect(shown).to_contain_text(
        "So solve() delivered nothing", timeout=SECONDS
    )
    shown = run(chapter, turn, IMPROVED)
    expect(shown).to_contain_text("89.6 of 100 points", timeout=SECONDS)
    shown = run(chapter, board, f'{IMPORT}\nscoreboard.keep("two lanes", mine)')
    expect(shown.locator("tbody tr").first).to_contain_text(
        "two lanes", timeout=SECONDS
    )
    if folder := os.environ.get("SCREENSHOTS"):
        chapter.page.screenshot(path=Path(folder) / "capstone-board.png")
    assert chapter.errors == []
    assert chapter.outside == []
