"""The throughput lab in chapter 05 in a real browser: every slider, moved by keyboard, changes the
picture and the numbers.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nbformat import v4, write
from playwright.sync_api import expect

from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage
from support.lab_server import LabServer

OpenChapter = Callable[..., ChapterPage]
START = "from coursekit.widgets.throughput_lab import ThroughputLab\nThroughputLab()"


@pytest.fixture
def chapter(lab: LabServer, open_chapter: OpenChapter) -> ChapterPage:
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(START)], metadata={"kernelspec": KERNEL}
    )
    write(notebook, lab.root / "notebooks" / "throughput.ipynb")
    page = open_chapter("throughput")
    page.run_all()
    assert page.failures() == []
    return page


def test_every_slider_changes_the_picture(chapter: ChapterPage) -> None:
    """The lab works with only the keyboard. The page contacts no other site, has no errors, and
    shows the complete lab in a narrow window.
    """
    (lab,) = chapter.labs()
    cell = chapter.cell(lab)
    expect(cell).to_contain_text("5 in flight / 1.5 s = 200 requests a minute")
    expect(cell).to_contain_text("semaphore: 34 answered, 26 × 429, 10.8 s")
    sliders = chapter.controls(lab).and_(chapter.page.get_by_role("slider"))
    assert sliders.count() == 5
    for number in range(5):
        assert chapter.operate(
            lab, sliders.nth(number), "ArrowRight ArrowRight"
        ), f"slider {number} changes nothing"
    expect(cell).to_contain_text("7 in flight / 1.7 s = 247 requests a minute")
    expect(cell).to_contain_text(
        "RPM allows 40; TPM allows 42,000 / 700 = 60.0"
    )
    expect(cell.locator("svg[role=img]")).to_have_count(1)
    assert chapter.errors == [] and chapter.outside == []
    assert chapter.cut_off(lab, "svg, table, .widget-slider") == []
