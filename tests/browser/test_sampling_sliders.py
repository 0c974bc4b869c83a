"""The sampling lab in a real browser: every control is moved as a learner moves it, and every
number is what sampling.py computes.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nbformat import v4, write
from playwright.sync_api import Locator, expect

from coursekit.logits import load_distribution
from coursekit.widgets.sampling_view import Settings, view
from support.chapter_page import ChapterPage, soon
from support.html_reader import HtmlReader
from support.lab_server import LabServer

START = """from coursekit import connect
from coursekit.widgets.sampling_lab import SamplingLab
SamplingLab(connect(speed="instant"), prompt="dog")"""
KERNEL = {
    "kernelspec": {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    }
}
# Where the mouse releases the handle, as a share of the slider's width.
DRAGS = {
    "temperature": 0.75,
    "top_p": 0.9,
    "frequency_penalty": 0.6,
    "presence_penalty": 0.55,
    "seed": 0.2,
}


@pytest.fixture
def page(
    lab: LabServer, open_chapter: Callable[..., ChapterPage]
) -> ChapterPage:
    write(
        v4.new_notebook(cells=[v4.new_code_cell(START)], metadata=KERNEL),
        lab.root / "notebooks" / "sampling.ipynb",
    )
    opened = open_chapter("sampling")
    opened.run_all()
    return opened


def shown(cell: Locator) -> list[list[str]]:
    """The rows of the lab's table on the page."""
    return [
        [text.strip() for text in row.locator("th, td").all_text_contents()]
        for row in cell.locator("tr").all()
    ]


def settings_in(cell: Locator) -> Settings:
    """The values that the sliders show."""
    read = {
        name: float(
            cell.locator(
                f'.widget-hslider:has(label:text-is("{name}")) .widget-readout'
            ).inner_text()
        )
        for name in DRAGS
    }
    return Settings(**{**read, "seed": int(read["seed"])})


def expect_settings(cell: Locator, settings: Settings) -> None:
    """Wait until the sliders show these values."""
    assert soon(lambda: settings_in(cell) == settings), settings_in(cell)


def expect_view(cell: Locator, name: str, draws: int = 0) -> None:
    """Wait until the table on the page is the one from view() for the sliders' values."""

    def as_set() -> bool:
        return (
            shown(cell)
            == HtmlReader(
                view(load_distribution(name), settings_in(cell), draws)
            ).rows
        )

    assert soon(as_set), shown(cell)


def test_each_control_does_what_it_says(page: ChapterPage) -> None:
    """Each control changes the picture when it is dragged or pressed, and the picture is view() of
    the controls' values.
    """
    cell = page.cell(0)
    cell.locator("table").wait_for()
    expect_view(cell, "dog")
    cell.get_by_label("prompt ends in").select_option("A lone soul, a lone")
    cell.get_by_role("button", name="Sample 20").press("Enter")
    expect(cell.get_by_text("20 draws")).to_be_visible()
    for name, share in DRAGS.items():
        before = cell.locator(".coursekit-sampling").inner_text()
        slider = cell.locator(f'.widget-hslider:has(label:text-is("{name}"))')
        track = slider.locator(".noUi-base").bounding_box()
        assert track is not None
        cell.get_by_role(
            "slider", name=name, exact=True
        ).hover()  # a screen reader reads its name
        page.page.mouse.down()
        page.page.mouse.move(
            track["x"] + share * track["width"],
            track["y"] + track["height"] / 2,
            steps=8,
        )
        page.page.mouse.up()
        expect_view(cell, "haiku_loop", draws=20)
        assert cell.locator(".coursekit-sampling").inner_text() != before, (
            f"{name} changes nothing"
        )
    assert all(
        getattr(settings_in(cell), name) != getattr(Settings(), name)
        for name in DRAGS
    )

    cell.get_by_role("button", name="Send").press("Enter")
    expect(
        cell.get_by_text("There is no recording for this request")
    ).to_be_visible()
    cell.get_by_label("recorded").select_option(
        "temperature 0, frequency_penalty 0.5, seed 1"
    )
    expect_settings(
        cell, Settings(temperature=0, frequency_penalty=0.5, seed=1)
    )
    cell.get_by_role("button", name="Send").press("Enter")
    expect(cell.get_by_text("replay · local")).to_be_visible()
    assert settings_in(cell) == Settings(temperature=0, frequency_penalty=0.5)

    cell.get_by_role("button", name="Reset").press("Enter")
    expect_view(cell, "haiku_loop")
    assert settings_in(cell) == Settings()
    assert page.errors == []
    assert page.outside == []
    assert page.cut_off(0, "table, svg, .widget-hslider") == []
