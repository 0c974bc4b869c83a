"""The chat box and the cost explorer in chapter 03 in a real browser, with a model that writes
slowly.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import v4, write
from playwright.sync_api import Locator, expect

from coursekit.conversation.forecasting import Sizes, prompt_tokens
from coursekit.widgets.cost_explorer import KNOBS, Plan, outcome
from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage
from support.lab_server import LabServer

OpenChapter = Callable[..., ChapterPage]

# An API in one cell: it echoes the question, at a twentieth of a second per word. "fail" fails, and
# "long" takes a minute.
API = """import json, openai
from coursekit import AsyncConversation, Conversation
from coursekit.offline.clock import ScaledClock
from coursekit.offline.exchange import ApiAnswer, Event, error_answer, sse
from coursekit.offline.transport import OfflineTransport

class Api:
    def answer(self, request):
        asked = request.body["messages"][-1]["content"]
        if asked == "fail":
            return error_answer(500, "The server had an <b>error</b>.")
        words = ["**tick**  "] * 1200 if asked == "long" else asked.splitlines(True)[:1] or [""]
        pieces = [({"role": "assistant", "content": ""}, None), *(({"content": w}, None) for w in words), ({}, "stop")]
        head = {"id": "x", "object": "chat.completion.chunk", "created": 1795348800, "model": "gpt-4o"}
        events = [Event(0.05 * n, sse({**head, "choices": [{"index": 0, "delta": d, "finish_reason": r}]}))
                  for n, (d, r) in enumerate(pieces)]
        return ApiAnswer(200, {"content-type": "text/event-stream"}, events=tuple(events))

transport = OfflineTransport(Api(), ScaledClock())
"""
CLIENTS = {
    "sync": """http = openai.DefaultHttpx2Client(transport=transport)
conversation = Conversation(openai.OpenAI(api_key="x", max_retries=0, http_client=http), "Echo.")""",
    "async": """http = openai.DefaultAsyncHttpx2Client(transport=transport)
conversation = AsyncConversation(openai.AsyncOpenAI(api_key="x", max_retries=0, http_client=http), "Echo.")""",
}
BOX = """from coursekit.widgets.chat_box import ChatBox
ChatBox(conversation, offers=["An offer"])"""
HOSTILE = [
    "<script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 2'> ![x](http://127.0.0.1:9/away.png)",
    "</span></div></table><style>* { display: none }</style>",
    "[a](javascript:window.harmed=3) <svg onload=window.harmed=4>",
    "\u202eright to left \u2067مرحبا 👩‍👩‍👧‍👦 🏳️‍🌈",
]


class Chat:
    """The chat box on a page, and what a learner does with it."""

    def __init__(self, chapter: ChapterPage, index: int) -> None:
        self.page, self.area = (
            chapter.page,
            chapter.cell(index).locator(".jp-Cell-outputArea"),
        )
        self.text = self.area.locator('input[type="text"]')
        self.text.wait_for(state="visible")

    def button(self, name: str) -> Locator:
        return self.area.get_by_role("button", name=name, exact=True)

    def enter(self, text: str) -> None:
        self.text.fill(text)
        self.text.press("Enter")

    def shows(self, text: str) -> None:
        expect(self.area).to_contain_text(text)


def notebook(lab: LabServer, stem: str, *cells: str) -> None:
    nodes = [v4.new_markdown_cell("# Toy"), *map(v4.new_code_cell, cells)]
    write(
        v4.new_notebook(cells=nodes, metadata={"kernelspec": KERNEL}),
        lab.root / "notebooks" / f"{stem}.ipynb",
    )


def picture(chapter: ChapterPage, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        chapter.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.mark.parametrize("kind", CLIENTS)
def test_the_chat_box_streams_stops_and_fails_in_place(
    kind: str, lab: LabServer, open_chapter: OpenChapter
) -> None:
    """Enter sends the text, the reply grows, Stop ends it without adding anything, errors are
    shown, and hostile text does no harm.
    """
    stem = f"chat_{kind}"
    notebook(lab, stem, API, CLIENTS[kind], BOX)
    chapter = open_chapter(stem, width=1280 if kind == "sync" else 800)
    chapter.run_all()
    assert chapter.failures() == []
    chat = Chat(chapter, 3)

    chat.enter("long")
    chat.shows("tick tick tick")
    assert chat.area.locator("strong").count() >= 3
    picture(chapter, f"{stem}-writing")
    chat.button("Stop").press("Enter")
    # which a reply that ran to its end would never show
    chat.shows("Stopped. Nothing was added")
    expect(chat.text).to_have_value("long")

    chat.enter("fail")
    chat.shows("InternalServerError: Error code: 500")
    chat.shows("had an <b>error</b>")
    picture(chapter, f"{stem}-failed")
    expect(chat.text).to_have_value("fail")

    for number, text in enumerate(HOSTILE, 1):
        chat.enter(text)
        expect(chat.area.locator(".receipt")).to_have_count(number)
    chat.button("An offer").press("Enter")
    expect(chat.area.locator(".receipt")).to_have_count(len(HOSTILE) + 1)
    expect(
        chat.area.locator(".receipt").last
    ).to_be_in_viewport()  # the log keeps its end in sight
    picture(chapter, f"{stem}-hostile")
    assert chapter.page.evaluate("window.harmed") is None
    ours = chat.area.locator(".coursekit-chat")
    assert (
        ours.locator(
            "script, img, svg, .message style, a[href^=javascript]"
        ).count()
        == 0
    )
    assert ours.locator(".user").count() == len(HOSTILE) + 1
    assert chapter.errors == []
    assert chapter.outside == []


def test_the_cost_explorer_follows_each_control(
    lab: LabServer, open_chapter: OpenChapter
) -> None:
    """Each slider changes the picture, and the numbers on the screen come from the forecast."""
    notebook(
        lab,
        "costs",
        "from coursekit.widgets.cost_explorer import CostExplorer\nCostExplorer()",
    )
    chapter = open_chapter("costs")
    chapter.run_all()
    area = chapter.cell(1).locator(".jp-Cell-outputArea")
    shown = area.locator(".coursekit-costs")
    expect(shown).to_contain_text("306,300 tokens in, 9,000 out")

    def bars() -> str:
        return "".join(
            area.locator("svg path").evaluate_all(
                "paths => paths.map(path => path.getAttribute('d'))"
            )
        )

    for label, plan in {
        "Turns": Plan(turns=51),
        "Instructions, tokens": Plan(turns=51, system=40),
        "Question, tokens": Plan(turns=51, system=40, user=70),
        "Reply, tokens": Plan(turns=51, system=40, user=70, reply=190),
    }.items():
        before = bars()
        slider = area.locator(".widget-slider", has_text=label).get_by_role(
            "slider"
        )
        slider.focus()
        slider.press("ArrowRight")
        sent = prompt_tokens(
            plan.turns, Sizes(plan.system, plan.user, plan.reply)
        )
        expect(shown).to_contain_text(f"{sent:,} tokens in")
        assert bars() != before
    for policy, knob in KNOBS.items():
        area.get_by_label("Memory").select_option(policy)
        slider = area.locator(
            ".widget-slider", has_text=knob.label
        ).get_by_role("slider")
        slider.focus()
        slider.press("ArrowRight")
        expect(area.locator('[role="slider"]:visible')).to_have_count(6)
        held = outcome(
            Plan(51, 40, 70, 190, policy, knob.start + knob.step)
        ).usage
        expect(shown).to_contain_text(
            f"{held.prompt:,} tokens in, {held.completion:,} out"
        )
    area.get_by_role("checkbox").press("Space")
    held = outcome(Plan(51, 40, 70, 190, "summary", 12, cached=True)).usage
    expect(shown.locator("table")).to_contain_text(f"{held.cached:,}")
    picture(chapter, "costs")
    assert chapter.errors == []
    assert chapter.outside == []
