"""The sampling lab: its controls, its request, its messages in replay mode, and that moving the
controls leaks nothing.
"""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from coursekit import Meter, connect
from coursekit.logits import load_distribution
from coursekit.offline.recordings import Recordings
from coursekit.widgets.safe_html import plain
from coursekit.widgets.sampling_lab import (
    LIMIT,
    SLIDERS,
    SamplingLab,
    recorded_settings,
)
from coursekit.widgets.sampling_view import Settings, request_of, view
from support.html_reader import HOSTILE, HtmlReader
from support.offline_api import error_answers, folder_with, whole

DOG = load_distribution("dog")
COLD, HOT = Settings(temperature=0), Settings(temperature=1.5, top_p=0.5)


def body(settings: Settings, **more: Any) -> dict[str, Any]:
    return {**request_of(DOG, settings, "gpt-4o", LIMIT), **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """There are recordings for two settings for the dog, and for a third request that the lab does
    not send.
    """
    other = (body(COLD, logprobs=True), whole("Not this."))
    return folder_with(
        tmp_path,
        (body(HOT), whole("A hot dog.")),
        (body(COLD), whole("A dog.")),
        other,
    )


def lab_of(folder: Path, **options: Any) -> SamplingLab:
    client = connect("replay", recordings=folder, speed="instant", **options)
    return SamplingLab(client, prompt="dog", recordings=Recordings([folder]))


def test_every_control_has_a_name_and_the_api_s_range(folder: Path) -> None:
    """Each slider has the parameter's name and bounds, and buttons say what they do."""
    lab = lab_of(folder)
    assert {
        name: (s.description, s.min, s.max) for name, s in lab.sliders.items()
    } == {
        "temperature": ("temperature", 0, 2),
        "top_p": ("top_p", 0, 1),
        "seed": ("seed", 0, 100),
        "frequency_penalty": ("frequency_penalty", -2, 2),
        "presence_penalty": ("presence_penalty", -2, 2),
    }
    assert all(
        button.description and button.tooltip
        for button in (lab.sample, lab.reset, lab.send)
    )
    assert lab.prompt.description
    assert lab.recorded.description
    assert all(slider.continuous_update for slider in lab.sliders.values())


@pytest.mark.parametrize("name", [*SLIDERS, "seed"])
def test_a_moved_slider_redraws(folder: Path, name: str) -> None:
    """The picture is always view() of the controls' values."""
    lab = lab_of(folder)
    lab.sample.click()
    lab.sliders[name].value = 0.5 if name in SLIDERS else 9
    assert lab.shown.value == view(DOG, lab.settings, 20)
    assert getattr(lab.settings, name) == lab.sliders[name].value


def test_a_prompt_begins_anew_and_reset_gives_the_defaults(
    folder: Path,
) -> None:
    """Another prompt keeps the sliders and removes the draws. Reset restores the API's defaults."""
    lab = lab_of(folder)
    lab.use(HOT)
    lab.sample.click()
    lab.prompt.value = "year"
    assert lab.shown.value == view(load_distribution("year"), HOT)
    lab.reset.click()
    assert lab.shown.value == view(load_distribution("year"), Settings())


def test_sampling_goes_on_with_the_same_seed(folder: Path) -> None:
    """Each press draws 20 more tokens, and the earlier ones stay."""
    lab = lab_of(folder)
    for presses in (1, 2, 3):
        lab.sample.click()
        assert lab.shown.value == view(DOG, Settings(), 20 * presses)


def test_in_replay_the_recorded_settings_are_offered(folder: Path) -> None:
    """The menu offers the recorded settings that "Send" would send. Choosing one moves the sliders.
    For a prompt without recordings, the menu is empty.
    """
    lab = lab_of(folder)
    assert recorded_settings(DOG, "gpt-4o", Recordings([folder])) == [COLD, HOT]
    assert [text for text, _ in lab.recorded.options] == [
        "choose …",
        str(COLD),
        str(HOT),
    ]
    assert lab.recorded.index == 0  # "choose …" is what the menu shows
    for _ in range(2):  # after a reset, it can be chosen again
        lab.recorded.value = HOT
        assert lab.settings == HOT
        lab.reset.click()
    lab.prompt.value = "year"
    assert lab.recorded.layout.display == "none"
    assert [text for text, _ in lab.recorded.options] == ["choose …"]


def test_send_asks_with_the_same_settings(folder: Path) -> None:
    """The reply, the request, and the receipt are shown, and the meter counts the call."""
    lab = lab_of(folder)
    lab.use(HOT)
    lab.send.click()
    text = HtmlReader(lab.answer.value).text
    assert "A hot dog." in text
    assert (
        "model='gpt-4o', temperature=1.5, top_p=0.5, seed=1, max_completion_tokens=60"
        in text
    )
    assert "replay · written" in text
    assert len(lab.meter.ledger) == 1


@pytest.mark.slow
def test_a_button_never_sees_half_of_a_choice(folder: Path) -> None:
    """JupyterLab handles buttons and sliders in two threads. A request that is sent in the meantime
    has one complete set of settings.
    """
    lab = lab_of(folder)
    asked: list[str] = []
    lab.answer.observe(lambda change: asked.append(change["new"]), "value")
    mover = threading.Thread(
        target=lambda: [
            lab.use(settings) for _ in range(30) for settings in (HOT, COLD)
        ]
    )
    mover.start()
    while mover.is_alive():
        lab.send.click()
    mover.join()
    assert asked
    assert all("A hot dog." in html or "A dog." in html for html in asked[1:])
    assert lab.shown.value == view(DOG, COLD)


def test_a_miss_says_what_is_recorded(folder: Path) -> None:
    """Settings without a recording show the list of those that have one, or say that there are
    none.
    """
    lab = lab_of(folder)
    lab.send.click()
    text = HtmlReader(lab.answer.value).text
    assert (
        "There is no recording for this request (temperature 1, seed 1)" in text
    )
    assert str(COLD) in text
    assert str(HOT) in text
    lab.prompt.value = "year"
    lab.send.click()
    assert "This prompt has no recordings" in HtmlReader(lab.answer.value).text
    assert lab.meter.ledger == []


def test_an_error_of_the_api_is_shown_in_place(tmp_path: Path) -> None:
    """An API error neither escapes from the button nor stops the lab."""
    folder = folder_with(tmp_path, *error_answers(body(Settings()), 3))
    lab = lab_of(folder)
    lab.send.click()
    assert HtmlReader(lab.answer.value).text.startswith(
        "InternalServerErrorError code: 500"
    )


@pytest.mark.parametrize("hostile", [*HOSTILE, "x" * 1_000_000])
def test_a_hostile_reply_is_shown_and_harmless(
    tmp_path: Path, hostile: str
) -> None:
    """A reply is shown as text, and a long one is visibly cut."""
    lab = lab_of(folder_with(tmp_path, (body(Settings()), whole(hostile))))
    lab.send.click()
    reader = HtmlReader(lab.answer.value)
    assert set(reader.tags) <= {"div", "p", "b", "i", "span", "br"}
    assert len(reader.text) < 25_000
    assert plain(hostile) in lab.answer.value
    assert not set("\x00\x1b\ud83d") & set(reader.text)
    assert "finish_reason stop" in reader.text


def test_in_live_mode_nothing_recorded_is_offered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In live mode, the API answers every setting, so the list is not shown. Nothing is sent before
    "Send" is pressed.
    """
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    assert SamplingLab(connect("live")).recorded.layout.display == "none"


def test_the_chapter_s_meter_takes_the_calls(folder: Path) -> None:
    """A meter that is passed in counts what the lab sends."""
    client = connect("replay", recordings=folder, speed="instant")
    meter = Meter(client)
    lab = SamplingLab(
        client, meter, prompt="dog", recordings=Recordings([folder])
    )
    lab.use(COLD)
    lab.send.click()
    assert len(meter.ledger) == 1


def test_without_a_kernel_the_first_view_is_an_ordinary_output(
    folder: Path,
) -> None:
    """The stored notebook contains the picture as HTML, with plain text for terminals."""
    bundle = lab_of(folder)._repr_mimebundle_()
    assert bundle["text/html"] == view(DOG, Settings())
    assert (
        bundle["text/plain"] == "The sampling lab (run the notebook to use it)"
    )


@pytest.mark.slow
def test_moves_leak_nothing(folder: Path) -> None:
    """After 100 moves, there are no more widgets, figures, or bytes than after the first 20."""
    lab = lab_of(folder)
    lab.sample.click()

    def move(times: int) -> tuple[int, int]:
        for number in range(times):
            lab.sliders["temperature"].value = 0.05 + 0.05 * (number % 39)
            lab.sliders["top_p"].value = 0.5 + 0.01 * (number % 49)
        gc.collect()
        return tracemalloc.get_traced_memory()[0], len(
            ipywidgets.widget._instances
        )

    tracemalloc.start()
    try:
        first, widgets = move(10)
        last, more = move(40)
    finally:
        tracemalloc.stop()
    assert more == widgets
    assert last - first < 100_000
    assert (
        "matplotlib.pyplot" not in sys.modules
        or not sys.modules["matplotlib.pyplot"].get_fignums()
    )


def test_the_text_grows_token_by_token(folder: Path) -> None:
    """A token's button adds it, and the next tokens are shown. Step back removes it again."""
    lab = SamplingLab(connect("replay", recordings=folder, speed="instant"))
    assert lab.next[0].description == "·green 49%"
    assert lab.back.disabled
    lab.next[0].click()
    lab.next[0].click()
    assert lab.path == (" green", ",")
    assert lab.shown.value == view(
        load_distribution("traffic_light"), Settings(), path=lab.path
    )
    lab.sliders["temperature"].value = 0
    assert [button.disabled for button in lab.next] == [False, *[True] * 7]
    lab.back.click()
    assert lab.path == (" green",)
    lab.reset.click()
    assert (lab.path, lab.settings) == ((), Settings())


def test_a_token_is_drawn_by_the_seed(folder: Path) -> None:
    """The same seed and settings grow the same text. At the edge of the garden, nothing grows."""
    lab = SamplingLab(connect("replay", recordings=folder, speed="instant"))
    texts = []
    for _ in range(2):
        lab.reset.click()
        lab.use(Settings(temperature=0.5, seed=3))
        for _ in range(3):
            lab.draw_one.click()
        texts.append(lab.path)
    assert texts[0] == texts[1]
    assert len(texts[0]) == 3
    lab.use(Settings(temperature=2, seed=3))
    while lab.reached:
        lab.draw_one.click()
    assert lab.draw_one.disabled
    assert not lab.back.disabled
    assert "The edge of the garden" in lab.shown.value


def test_send_sends_the_text_as_it_has_grown(tmp_path: Path) -> None:
    """The prompt and the tokens added to it are one user message. After Step back, the last
    token is no longer in it.
    """
    start = load_distribution("traffic_light")
    grown = [
        (
            request_of(start, Settings(), "gpt-4o", LIMIT, grown=text),
            whole(f"after{text}"),
        )
        for text in (" green", " green,")
    ]
    folder = folder_with(tmp_path, *grown)
    client = connect("replay", recordings=folder, speed="instant")
    lab = SamplingLab(client, recordings=Recordings([folder]))
    lab.next[0].click()
    lab.next[0].click()
    lab.send.click()
    text = HtmlReader(lab.answer.value).text
    assert "The traffic light turned green," in text
    assert "after green," in text
    lab.back.click()
    lab.send.click()
    assert "after green," not in HtmlReader(lab.answer.value).text


def test_a_prompt_without_a_garden_has_no_buttons_to_grow(folder: Path) -> None:
    """The garden's controls are shown only for the prompt that has a garden."""
    lab = lab_of(folder)
    assert lab.growing.layout.display == "none"
    lab.prompt.value = "traffic_light"
    assert lab.growing.layout.display is None
