"""The labs in chapters 00 to 04 and 09 in a real browser, by keyboard, in both themes, at 1280 and
800 pixels: one request and three destinations, the reply that is cut, the garden, the drawn cost, a
turn's context, the wire, and the replayed run.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nbformat import v4, write
from playwright.sync_api import Locator, expect

from coursekit.logits import load_distribution
from coursekit.widgets.sampling_view import Settings, blocks_of
from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage, soon
from support.lab_server import LabServer

Open = Callable[[str], ChapterPage]

REQUEST = """from coursekit.widgets.request_wire import RequestWire
RequestWire()"""
CUT = """from coursekit import connect
from coursekit.widgets.reply_cutter import ReplyCutter
question = {"role": "user", "content": "What does API stand for? Answer in one sentence."}
ReplyCutter(connect(speed="instant").chat.completions.create(model="gpt-4o", messages=[question]))"""
GARDEN = """from coursekit import connect
from coursekit.widgets.sampling_lab import SamplingLab
SamplingLab(connect(speed="instant"))"""
GUESS = """from coursekit.widgets.cost_guess import CostGuess
CostGuess()"""
CONTEXT = """from coursekit.widgets.cost_explorer import CostExplorer
CostExplorer()"""
WIRE = """from coursekit.streaming import Timing
from coursekit.widgets.stream_player import StreamPlayer
texts = [f"word{n} " for n in range(20)]
StreamPlayer(texts, Timing([0.5 + n / 10 for n in range(20)], 2.6), at=1.0)"""
REPLAY = """import contextlib, openai
from coursekit.checks.capstone import attempt, messages
from coursekit.widgets.run_replay import RunReplay
async def solve(client, tickets, budget):
    for ticket in tickets[:30]:
        with contextlib.suppress(openai.OpenAIError): await client.chat.completions.create(model="gpt-4o-mini", messages=messages(ticket))
    return {}, 0
RunReplay(attempt(solve))"""


@pytest.fixture
def open_lab(lab: LabServer, open_chapter: Callable[..., ChapterPage]) -> Open:
    """open_lab(source) -> the lab's page, after the cell was run."""

    def open_it(source: str) -> ChapterPage:
        notebook = v4.new_notebook(
            cells=[v4.new_code_cell(source)], metadata={"kernelspec": KERNEL}
        )
        write(notebook, lab.root / "notebooks" / "remember.ipynb")
        page = open_chapter("remember")
        page.run_all()
        assert page.failures() == []
        return page

    return open_it


def fits(page: ChapterPage, parts: str) -> None:
    """Nothing is cut off at either width or in either theme, and text has the page's color."""
    for theme, dark in (("JupyterLab Dark", True), ("JupyterLab Light", False)):
        page.page.evaluate(
            "t => window.jupyterapp.commands.execute('apputils:change-theme', {theme: t})",
            theme,
        )
        drawing = page.cell(0).locator("svg").first
        shade = "e => getComputedStyle(e).color.match(/\\d+/g)[0] > 128"
        assert soon(
            lambda d=drawing, s=shade, wanted=dark: d.evaluate(s) == wanted
        )
        assert page.cut_off(0, parts) == []
    assert page.errors == []
    assert page.outside == []


def values(cell: Locator, css: str) -> list[str]:
    return [text.strip() for text in cell.locator(css).all_text_contents()]


def test_the_end_of_the_wire_is_switched_by_keyboard(open_lab: Open) -> None:
    """Enter on a destination draws its path and its answer. The packet moves only if the reader has
    not asked for reduced motion.
    """
    page = open_lab(REQUEST)
    cell = page.cell(0)
    packet = cell.locator(".coursekit-request-there")
    motion = "e => getComputedStyle(e).animationName"
    assert packet.evaluate(motion) == "coursekit-there"
    assert page.operate(
        0, cell.get_by_role("button", name="the recordings"), keys="Enter"
    )
    expect(
        cell.get_by_text("API stands for Application Programming")
    ).to_be_visible()
    page.page.emulate_media(reduced_motion="reduce")
    assert packet.evaluate(motion) == "none"
    page.page.emulate_media(reduced_motion="no-preference")
    fits(page, "svg, pre")


def test_a_reply_is_cut_by_keyboard(open_lab: Open) -> None:
    """The arrow keys move the limit, and the button shows what is cut off."""
    page = open_lab(CUT)
    cell = page.cell(0)
    limit = cell.get_by_role("slider", name="max_completion_tokens")
    assert page.operate(0, limit, keys="Home")
    expect(cell.get_by_text("1 of 19 tokens")).to_be_visible()
    assert page.operate(
        0, cell.get_by_role("button", name="Show what is cut"), keys="Enter"
    )
    expect(cell.locator(".coursekit-cut s")).to_be_visible()
    assert page.cut_off(0, ".coursekit-cut") == []


def test_the_garden_grows_by_keyboard(open_lab: Open) -> None:
    """Enter on a token adds it. The drawing has a block for each token that the sliders allow, and
    a lower temperature narrows it.
    """
    page = open_lab(GARDEN)
    cell = page.cell(0)
    blocks = cell.locator(".coursekit-sampling svg rect")
    start = load_distribution("traffic_light")
    expect(blocks).to_have_count(len(list(blocks_of(start, Settings()))))
    assert page.operate(
        0, cell.get_by_role("button", name="·green 49%"), keys="Enter Enter"
    )
    expect(cell.get_by_text("The traffic light turned green,▮")).to_be_visible()
    assert page.operate(
        0, cell.get_by_role("button", name="Step back"), keys="Enter"
    )
    assert page.operate(
        0, cell.get_by_role("button", name="Draw a token"), keys="Enter"
    )
    assert page.operate(
        0, cell.get_by_role("slider", name="temperature"), keys="Home"
    )
    expect(blocks).to_have_count(
        len(list(blocks_of(start, Settings(temperature=0))))
    )
    fits(page, "svg")


def test_the_cost_is_drawn_then_revealed(open_lab: Open) -> None:
    """Arrow keys move the five sliders. After Reveal, the truth is a second line."""
    page = open_lab(GUESS)
    cell = page.cell(0)
    lines = cell.locator(".coursekit-guess polyline")
    expect(lines).to_have_count(1)
    for slider in cell.get_by_role("slider").all():
        assert page.operate(0, slider, keys="ArrowUp ArrowUp ArrowUp")
    assert page.operate(
        0, cell.get_by_role("button", name="Reveal"), keys="Enter"
    )
    expect(lines).to_have_count(2)
    expect(cell.get_by_text("You said $0.06; it is $0.86.")).to_be_visible()
    fits(page, "svg")


def test_a_turn_is_looked_into(open_lab: Open) -> None:
    """The slider steps through the turns: each turn adds two messages and forgets what no longer
    fits.
    """
    page = open_lab(CONTEXT)
    cell = page.cell(0)
    expect(cell.get_by_text("the conversation, 20 messages")).to_be_visible()
    assert page.operate(
        0, cell.get_by_role("slider", name="Look into turn"), keys="ArrowRight"
    )
    expect(cell.get_by_text("the conversation, 22 messages")).to_be_visible()
    cell.get_by_label("Memory").select_option("sliding window")
    expect(
        cell.locator('.coursekit-costs rect[stroke-dasharray="3 2"]')
    ).to_have_count(10)
    fits(page, "svg")


def test_the_wire_is_cut_and_two_readers_lie(open_lab: Open) -> None:
    """If the text is cut by keyboard in the middle, two readers show a clean cut as a complete
    reply, but after an error event, none does.
    """
    page = open_lab(WIRE)
    cell = page.cell(0)
    assert page.operate(
        0, cell.get_by_role("button", name="Cut here"), keys="Enter"
    )
    expect(
        cell.get_by_text("2 of 4 readers lie to their users.")
    ).to_be_visible()
    assert page.operate(
        0,
        cell.get_by_label("A cut means"),
        keys="Space ArrowDown ArrowDown Enter",
    )
    expect(cell.get_by_text("No reader lies.")).to_be_visible()
    screens = values(cell, '[aria-label^="what the user of one"]')
    assert [bool(screen.strip("✂")) for screen in screens] == [
        True,
        False,
        True,
        True,
    ]
    fits(page, "svg")


def test_a_run_is_played_again(open_lab: Open) -> None:
    """At first, the lab shows the complete run. Moving the slider back shows fewer requests. Each
    model has its own bucket.
    """
    page = open_lab(REPLAY)
    cell = page.cell(0)
    said = cell.locator(".coursekit-replay p").first
    whole = said.inner_text()
    assert page.operate(
        0, cell.get_by_role("slider", name="Position"), keys="Home"
    )
    assert soon(lambda: said.inner_text().startswith("At 0 s of"))
    assert said.inner_text() != whole
    expect(cell.locator(".coursekit-replay polygon")).to_have_count(1)
    fits(page, "svg")
