"""The teacher's console in a real browser: start, watch, and stop faults on a computer and on a
phone, by mouse and by keyboard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from coursekit.offline.server.roll import SavedClass
from support.chapter_page import barriers
from support.offline_api import folder_with, params, streamed, whole
from support.served import ADMIN, Served, served

EVIL = "<img src=x onerror=alert(1)>"
NAMES = [
    "Ada",
    EVIL,
    "Grace Hopper",
    "Ünal Öztürk",
    "张伟",
    'O\'Neill & "Sons"',
    "x" * 40,
]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    folder_with(
        tmp_path,
        (params(), whole("Paris.")),
        (params(stream=True), streamed(["Par", "is."])),
    )
    with served(tmp_path, saved=SavedClass()) as server:
        yield server


SCREENS = {"laptop-light": (1280, "light"), "phone-dark": (390, "dark")}
on_each_screen = pytest.mark.parametrize("context", SCREENS, indirect=True)


@pytest.fixture
def context(
    request: pytest.FixtureRequest, browser: Browser
) -> Iterator[BrowserContext]:
    width, scheme = SCREENS[getattr(request, "param", "laptop-light")]
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    yield context
    if folder := os.environ.get("SCREENSHOTS"):
        for page in context.pages:
            name = request.node.name.translate(str.maketrans("[", "-", "]"))
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    context.close()


@pytest.fixture
def console(context: BrowserContext, running: Served) -> Page:
    """The console after logging in by keyboard. Nothing it does may cause an error or contact
    another host.
    """
    page = context.new_page()
    page.errors = errors = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: errors.append(str(error)))
    refused = (
        "401 (Unauthorized)"  # so the browser says of the page that is the form
    )
    page.on(
        "console",
        lambda said: (
            errors.append(said.text)
            if said.type == "error" and refused not in said.text
            else None
        ),
    )
    page.on(
        "dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}")
    )
    page.on(
        "request",
        lambda sent: (
            None
            if sent.url.startswith((running.url, "data:"))
            else errors.append(sent.url)
        ),
    )
    page.goto(f"{running.url}/console")
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(ADMIN)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Live")).to_be_visible()
    return page


def join(server: Served, name: str) -> str:
    return str(
        server.admin("POST", "/join", {"name": name}, None).json()["key"]
    )


def ask(server: Served, key: str, **more: Any) -> int:
    try:
        server.client(key).chat.completions.create(**params(), **more)
    except openai.APIStatusError as error:
        return error.status_code
    return 200


def cells(page: Page, name: str) -> list[str]:
    """What a learner's row shows: why they need the teacher, their last request, chapter, passed
    exercises, requests, errors, …
    """
    row = page.locator("#learners tbody tr").filter(
        has=page.locator("bdi").get_by_text(name, exact=True)
    )
    return row.locator("td").all_text_contents()


def test_inject_watch_lift(running: Served, console: Page) -> None:
    """Learners and their activity appear as they join. Each button affects only the learners it is
    meant for, and shows how long its fault lasts and what it does to them; stopping the fault ends
    it. A name that is HTML is shown as text.
    """
    expect(console.get_by_text("No one has joined yet.")).to_be_visible()
    keys = {name: join(running, name) for name in NAMES}
    for name in NAMES:
        expect(
            console.locator("#learners bdi").get_by_text(name, exact=True)
        ).to_be_visible()
    assert [ask(running, keys[name]) for name in ("Ada", "Ada", EVIL)] == [
        200,
        200,
        200,
    ]
    running.admin(
        "PUT",
        "/me",
        {
            "chapter": "04_streaming",
            "passed": {"01_basics": 5, "02_parameters": 3},
        },
        keys["Ada"],
    )
    expect(console.locator("dd[data-of=requests]")).to_have_text("3")
    expect(console.locator("dd[data-of=present]")).to_have_text(
        f"2 of {len(NAMES)}"
    )
    assert cells(console, "Ada")[:6] == [
        "–",
        "just now",
        "04_streaming",
        "8",
        "2",
        "0",
    ]
    assert cells(console, EVIL)[:6] == ["–", "just now", "–", "–", "1", "0"]

    console.locator("#whom").select_option(EVIL)
    console.get_by_label("Seconds").fill("60")
    console.get_by_role("button", name="Server errors").click()
    expect(console.locator("#said")).to_have_text(
        f"Server errors for {EVIL}, 60 s."
    )
    expect(console.locator("#faults li")).to_contain_text("Server errors for")
    assert [ask(running, keys[name]) for name in ("Ada", EVIL, EVIL)] == [
        200,
        500,
        500,
    ]
    expect(
        console.locator("tbody tr", has_text=EVIL).locator("td").nth(5)
    ).to_have_text("500 × 2")

    console.locator("#whom").select_option("")
    for button, status in (("429 storm", 429), ("Quota wall", 429)):
        console.get_by_role("button", name=button).click()
        expect(console.locator("#faults li")).to_have_count(2)
        assert [ask(running, keys[name]) for name in ("Ada", EVIL)] == [
            status,
            500,
        ]
        console.get_by_role(
            "button", name=f"Stop {button} for everybody"
        ).click()
        expect(console.locator("#faults li")).to_have_count(1)
    console.get_by_role("button", name="Stop all").click()
    expect(console.get_by_text("No faults are active.")).to_be_visible()
    assert [ask(running, keys[name]) for name in ("Ada", EVIL)] == [200, 200]
    # two of 500, and 429, 500, 429, 500
    expect(console.locator("dd[data-of=errors]")).to_have_text("6")
    assert console.locator("img").count() == 0
    assert console.errors == []  # type: ignore[attr-defined]
    assert console.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    ), "wider than the screen"
    console.get_by_role("button", name="Slow").click()  # for the picture
    expect(console.locator("#faults li")).to_have_count(1)


def test_by_keyboard(running: Served, console: Page) -> None:
    """From the first Tab on, the teacher can choose learners and a duration, start a fault, and
    stop it, without ever losing the focus.
    """
    key = join(running, "Ada")
    expect(console.locator("#learners bdi")).to_have_text("Ada")
    for label in (
        "Log out",
        "Change",
        "roster",
        "Remove rows",
        "For",
        "Seconds",
        "429 storm",
        "Quota wall",
    ):
        console.keyboard.press("Tab")
        assert label in console.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent"
        )
        if label == "Seconds":
            console.keyboard.type("45")
    console.keyboard.press("Enter")
    expect(console.locator("#faults li")).to_contain_text(
        "Quota wall for everybody · 4"
    )
    assert ask(running, key) == 429
    for _ in range(4):
        console.keyboard.press("Tab")
    assert (
        console.evaluate("document.activeElement.ariaLabel")
        == "Stop Quota wall for everybody"
    )
    console.keyboard.press("Space")
    expect(console.get_by_text("No faults are active.")).to_be_visible()
    assert ask(running, key) == 200
    # not a button that would start the fault again
    assert console.evaluate("document.activeElement.id") == "whom"
    assert console.errors == []  # type: ignore[attr-defined]


def test_a_wrong_token(context: BrowserContext, running: Served) -> None:
    """A wrong token shows the form again with an error. Scripts cannot read the cookie that a right
    token sets.
    """
    page = context.new_page()
    page.goto(f"{running.url}/console")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text(
        "That is not the console's token."
    )
    page.get_by_label("Token").fill(ADMIN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Live")).to_be_visible()
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


STUCK = {
    "Radia": "▲ hand up: why is my history twice as long?",
    "Barbara": "✗ 5 requests failed in a row: 400 empty_array",
    "Ken": "? check trim_to_budget failed 6 times in a row (03_multi_turn)",
}


@on_each_screen
def test_who_is_stuck(running: Served, console: Page) -> None:
    """Of ten learners, the three who are stuck, each for a different reason, are at the top of the
    first screen with the reason. axe finds no barriers.
    """
    names = [
        "Grace",
        "Linus",
        "Ada",
        "Barbara",
        "Edsger",
        "Margaret",
        "Donald",
        "Radia",
        "Ken",
        "Frances",
    ]
    keys = {name: join(running, name) for name in names}
    for name in names[:-1]:
        ask(running, keys[name])
    for _ in range(5):
        with pytest.raises(openai.BadRequestError):
            running.client(keys["Barbara"]).chat.completions.create(
                model="gpt-4o", messages=[]
            )
    running.admin(
        "PUT",
        "/me",
        {"hand": "why is my history twice as long?"},
        keys["Radia"],
    )
    running.admin(
        "PUT",
        "/me",
        {"failed": {"03_multi_turn/trim_to_budget": 6}},
        keys["Ken"],
    )
    expect(console.locator("#need-count")).to_have_text("3 of 10 need you.")
    expect(console.locator("tbody tr").nth(2).locator("bdi")).to_have_text(
        "Ken"
    )
    for row, (name, reason) in zip(
        console.locator("tbody tr.stuck").all(), STUCK.items(), strict=True
    ):
        assert row.locator("bdi").text_content() == name
        assert row.locator(".reason").first.text_content() == reason
        box = row.bounding_box()
        assert box is not None and box["y"] + box["height"] <= 900, (
            "below the first screen"
        )
    assert console.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    ), "wider than the screen"
    assert barriers(console) == []


@on_each_screen
def test_rows_are_renamed_merged_and_removed(
    running: Served, console: Page
) -> None:
    """By keyboard, the teacher lowers a hand, renames a row, merges two rows with both of their
    keys, and removes one.
    """
    keys = {name: join(running, name) for name in ("Ada", "ada", "Bo")}
    for key in keys.values():
        ask(running, key)
    running.admin("PUT", "/me", {"hand": "help"}, keys["Bo"])
    expect(console.locator("#need-count")).to_have_text("1 of 3 need you.")
    change = console.locator("#change")

    def open_change(name: str) -> None:
        console.get_by_role("button", name=f"Change {name}", exact=True).focus()
        console.keyboard.press("Enter")
        expect(change).to_be_visible()

    open_change("Bo")
    change.get_by_role("button", name="Lower the hand").press("Enter")
    expect(console.locator("#done")).to_have_text("The hand of Bo is down.")
    open_change("Bo")
    change.get_by_label("New name").fill("everybody")
    change.get_by_label("New name").press("Enter")
    expect(console.locator("#change-said")).to_contain_text(
        "mistaken for somebody else"
    )
    change.get_by_label("New name").fill("Bo K.")
    change.get_by_label("New name").press("Enter")
    expect(console.locator("#done")).to_have_text(
        "Bo K. is the new name of Bo."
    )
    open_change("ada 2")
    change.get_by_label("Same person as").select_option("Ada")
    change.get_by_role("button", name="Merge").press("Enter")
    expect(console.locator("#done")).to_have_text(
        "ada 2 and Ada are now one row."
    )
    expect(console.locator("tbody tr")).to_have_count(2)
    assert [ask(running, keys[name]) for name in ("Ada", "ada", "Bo")] == [
        200,
        200,
        200,
    ]
    expect(
        console.locator("tbody tr").filter(has_text="Ada").locator("td").nth(4)
    ).to_have_text("4")
    open_change("Bo K.")
    change.get_by_role("button", name="Remove").press("Enter")
    expect(console.locator("tbody tr")).to_have_count(1)
    assert ask(running, keys["Bo"]) == 401
    refused = "400 (Bad Request)"  # so the browser says of the name "everybody"
    assert [error for error in console.errors if refused not in error] == []  # type: ignore[attr-defined]
