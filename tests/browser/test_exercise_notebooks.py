"""An exercise in a real browser, as a learner does it: open it, fail, get a hint, fix the function,
pass, and see the map.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
from playwright.sync_api import Locator, expect

from coursekit.checks.course_map import exercises_of
from coursekit.widgets.quiz import questions
from support.chapter_page import ChapterPage
from support.waiting import HANG

OpenChapter = Callable[..., ChapterPage]
ROOT = Path(__file__).parents[2]
STEM = "05_async_and_throughput"  # its exercises are async; tests/checks tests what each check says
SECONDS = 1000 * HANG  # milliseconds


def place(chapter: ChapterPage, text: str) -> int:
    """The position of the first code cell with this text."""
    return next(
        i
        for i, cell in enumerate(chapter.cells)
        if cell["type"] == "code" and text in cell["source"]
    )


def write(chapter: ChapterPage, index: int, source: str) -> None:
    """Replace a cell's source by keyboard, and run it."""
    editor = chapter.cell(index).locator(".cm-content")
    editor.click()
    chapter.type(index, source)
    chapter.page.keyboard.press("Control+Enter")


def run(chapter: ChapterPage, index: int) -> Locator:
    """Run a cell by keyboard, and return its output."""
    cell = chapter.cell(index)
    cell.locator(".cm-content").click()
    chapter.page.keyboard.press("Control+Enter")
    return cell.locator(".jp-Cell-outputArea")


def picture(chapter: ChapterPage, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        chapter.page.wait_for_timeout(400)
        chapter.page.screenshot(path=Path(folder) / f"{name}.png")


def test_an_exercise_is_done_and_the_map_fills(
    open_chapter: OpenChapter,
) -> None:
    """The check says "not yet", then "wrong", then gives a hint, then says "right", and the map in
    00 shows it. No cell fails.
    """
    stem, name = STEM, exercises_of(STEM)[0].name
    solution = nbformat.read(ROOT / "solutions" / f"{stem}.ipynb", 4)
    solved = next(
        c.source
        for c in solution.cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == name
    )
    chapter = open_chapter(stem, folder="exercises")
    # a chapter's tab has the same file name
    expect(
        chapter.page.get_by_role("tab", name=f"exercises/{stem}.ipynb")
    ).to_have_count(1)
    assert chapter.errors == []
    chapter.run_all()
    assert chapter.failures() == []
    to_write, to_check = (
        place(chapter, "YOUR CODE HERE"),
        place(chapter, f"check.{name}({name})"),
    )
    output = chapter.cell(to_check).locator(".jp-Cell-outputArea")
    expect(output).to_contain_text(f"… {name}: not yet")
    picture(chapter, f"{stem}-1-not-yet")

    write(
        chapter, to_write, f'def {name}(*given, **more):\n    return "not this"'
    )
    output = run(chapter, to_check)
    expect(output).to_contain_text(f"✗ {name}: ", timeout=SECONDS)
    expect(output).to_contain_text("expected")
    expect(output).to_contain_text(f"check.{name}.hint(")
    picture(chapter, f"{stem}-2-wrong")

    chapter.page.keyboard.press("Escape")
    chapter.page.keyboard.press("b")  # a new cell below
    chapter.page.keyboard.press("Enter")
    chapter.type(to_check + 1, f"check.{name}.hint(1)")
    chapter.page.keyboard.press("Control+Enter")
    hint = chapter.cell(to_check + 1).locator(".jp-Cell-outputArea")
    expect(hint).to_contain_text(f"Hint 1 of 3 for {name}:", timeout=SECONDS)
    picture(chapter, f"{stem}-3-hint")

    write(chapter, to_write, solved)
    output = run(chapter, to_check)
    expect(output).to_contain_text(f"✓ {name}: passed", timeout=SECONDS)
    expect(output).to_contain_text("exercises in this chapter are done")
    picture(chapter, f"{stem}-4-passed")
    assert chapter.errors == []
    assert chapter.outside == []

    start = open_chapter("00_start_here")
    shown = run(start, place(start, "CourseMap()")).locator(".coursekit-map")
    expect(shown).to_contain_text(f"✓ {name}", timeout=SECONDS)
    picture(start, f"{stem}-5-map")


def test_the_quiz_works_by_keyboard(open_chapter: OpenChapter) -> None:
    """Arrow keys, Tab to Answer, and Enter in quick succession show the reason for the last
    choice.
    """
    stem = "01_basics"
    question = questions(stem)[0]
    chapter = open_chapter(stem, width=800, folder="exercises")
    area = run(chapter, place(chapter, "Quiz("))
    options = area.get_by_role("radiogroup", name=question.ask).get_by_role(
        "radio"
    )
    expect(options.first).to_be_visible(timeout=SECONDS)
    options.first.focus()
    # the press leaves the browser before the second choice
    for key in (
        "ArrowDown",
        "ArrowDown",
        "Tab",
        "Enter",
    ):
        chapter.page.keyboard.press(key)
    expect(area.get_by_role("button", name="Answer question 1")).to_be_focused()
    expect(area).to_contain_text(question.options[2].reason, timeout=SECONDS)
    picture(chapter, f"{stem}-quiz")
    assert chapter.errors == []
