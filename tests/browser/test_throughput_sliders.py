"""The throughput lab of chapter 05 in a real browser: every slider, by keyboard, changes picture and numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from chapter_page import ChapterPage
from playwright.sync_api import expect

OpenChapter = Callable[..., ChapterPage]
STEM = "05_async_and_throughput"


@pytest.fixture
def chapter(open_chapter: OpenChapter) -> ChapterPage:
    page = open_chapter(STEM)
    page.run_all()
    assert page.failures() == []
    return page


def test_every_slider_changes_the_picture(chapter: ChapterPage) -> None:
    """By keyboard alone; the page asks nobody outside, and reports no error."""
    (lab,) = chapter.labs()
    cell = chapter.cell(lab)
    expect(cell).to_contain_text("5 under way / 1.5 s = 200 requests a minute")
    expect(cell).to_contain_text("semaphore: 34 answered, 26 × 429, 10.8 s")
    sliders = chapter.controls(lab).and_(chapter.page.get_by_role("slider"))
    assert sliders.count() == 5
    for number in range(5):
        assert chapter.operate(lab, sliders.nth(number), "ArrowRight ArrowRight"), f"slider {number} changes nothing"
    expect(cell).to_contain_text("7 under way / 1.7 s = 247 requests a minute")
    expect(cell).to_contain_text("RPM allows 40; TPM allows 42,000 / 700 = 60.0")
    expect(cell.locator("svg[role=img]")).to_have_count(1)
    assert chapter.errors == [] and chapter.outside == []


def test_nothing_is_wider_than_a_narrow_window(open_chapter: OpenChapter) -> None:
    """At 800 pixels the lab's sliders, picture and table stay inside their cell."""
    page = open_chapter(STEM, width=800)
    page.run_all()
    (lab,) = page.labs()
    area = page.cell(lab).locator(".jp-Cell-outputArea")
    inside = """area => [...area.querySelectorAll('svg, table, .widget-slider')].every(
        part => part.getBoundingClientRect().right <= area.getBoundingClientRect().right + 1)"""
    page.controls(lab)
    assert area.evaluate(inside)
