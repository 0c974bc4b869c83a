"""The stream player lab: its pure frame, its controls, and that what it says about readers is
true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import IncompleteStream, connect, stream_text
from coursekit.foundation.palette import BLUE
from coursekit.offline.exchange import ApiAnswer, Event, sse
from coursekit.streaming import Timing
from coursekit.widgets.stream_player import (
    ENDS,
    LIES,
    PROXY,
    READERS,
    REPORTS,
    PlayedStream,
    StreamPlayer,
    frame,
)
from support.offline_api import folder_with, params, streamed

TEXTS = ("Gradient ", "descent ", "walks ", "downhill.")
TIMING = Timing([0.3, 0.5, 0.7, 0.9], 0.9)
PLAYED = PlayedStream(TEXTS, TIMING)


@pytest.mark.parametrize(
    ("at", "count", "says"),
    [
        (0.0, 0, "Waiting"),
        (0.3, 1, "Receiving"),
        (0.6, 2, "Receiving"),
        (0.9, 4, "Complete"),
        (5.0, 4, "Complete"),
    ],
)
def test_the_frame_shows_what_has_arrived(
    at: float, count: int, says: str
) -> None:
    """At each second, the screen shows the deltas that had arrived by then, and the state of the
    stream.
    """
    html = frame(PLAYED, at)
    assert "".join(TEXTS[:count]) in html
    assert all(text not in html for text in TEXTS[count:])
    assert (
        f"<b>{min(at, 0.9):.2f} s</b> of 0.90 s · {count} of 4 deltas" in html
    )
    assert says in html


@given(st.floats(0, 2), st.floats(0, 2))
def test_nothing_arrives_after_the_cut(at: float, cut: float) -> None:
    """From the cut on, a stream looks as it did at the cut; before that, it looks as if it were not
    cut.
    """
    shown = frame(PLAYED, at, cut)
    assert f"{PLAYED.arrived(min(at, cut))} of 4 deltas" in shown
    assert ("✂" in shown) == (at >= cut)


def screens(html: str) -> list[str]:
    """What the user of each reader sees."""
    return re.findall(
        r'aria-label="what the user of one that [^"]* sees"><div style="margin-bottom:auto">(.*?)</div>',
        html,
    )


@pytest.mark.parametrize("end", ENDS)
def test_a_cut_in_the_text_shows_who_lies(end: str) -> None:
    """After a cut in the middle of the text, each reader's card has a report. Readers without an
    error are wrong, and are counted.
    """
    html = frame(PLAYED, 0.6, 0.6, end)
    lies = sum(report.startswith(LIES) for report in REPORTS[end])
    assert "17 characters had arrived, but no finish_reason" in html
    assert html.count("✗ lies") == lies == (2 if end == "closed cleanly" else 0)
    assert html.count("✓ honest") == len(READERS) - lies
    assert all(reader in html for reader in READERS)
    assert all(report.replace("'", "&#x27;") in html for report in REPORTS[end])
    assert (f"{lies} of 4 readers lie" if lies else "No reader lies.") in html


def test_who_waits_for_the_whole_answer_shows_nothing_before() -> None:
    """get_final_completion() has no text for its user before the end, and none after an error."""
    late = READERS.index("uses .stream() and get_final_completion()")
    half = "Gradient descent "
    assert [half in screen for screen in screens(frame(PLAYED, 0.6))] == [
        place != late for place in range(4)
    ]
    assert half in screens(frame(PLAYED, 0.6, 0.6))[late]
    assert screens(frame(PLAYED, 0.6, 0.6, "error event"))[late] == "✂"
    assert len(set(screens(frame(PLAYED, 0.9)))) == 1


def test_the_wire_carries_the_deltas_to_the_readers() -> None:
    """A delta is to the left of the proxy until it arrives, and the drawing says how many have
    passed.
    """
    blocks = re.findall(
        r'<rect x="([\d.]+)" y="15.0" width="8.0"[^>]*fill="([^"]+)"',
        frame(PLAYED, 0.6),
    )
    passed = [float(x) + 4 >= PROXY for x, _ in blocks]
    assert passed == [True, True, False, False]
    assert [color == BLUE for _, color in blocks] == passed
    assert 'aria-label="2 of 4 deltas have passed you' in frame(PLAYED, 0.6)
    assert "You have cut the wire." in frame(PLAYED, 0.6, 0.5)


def test_after_a_cut_outside_the_text_no_reader_lies() -> None:
    """Before the first token, the SDK sends the request again; after the last one, nothing is
    missing.
    """
    assert "sends the request again" in frame(PLAYED, 0.2, 0.2)
    assert "Cut too late" in frame(PLAYED, 0.9, 0.9)
    assert "lies</" not in frame(PLAYED, 0.2, 0.2) + frame(PLAYED, 0.9, 0.9)
    assert "✗" not in frame(PLAYED, 0.2, 0.2) + frame(PLAYED, 0.9, 0.9)


def test_model_text_is_escaped() -> None:
    """What a model wrote is shown as text, never as markup."""
    html = frame(
        PlayedStream(("<script>alert(1)</script>",), Timing([0.1], 0.1)), 0.1
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_controls_move_the_screen() -> None:
    """Position, cut, and kind of cut redraw the frame, the speed sets the length of a tick, and a
    cut stops the player.
    """
    lab = StreamPlayer(TEXTS, TIMING)
    assert lab.position.max == lab.play.max == 900
    lab.position.value = 600
    assert lab.shown.value == frame(PLAYED, 0.6)
    lab.speed.value = 0.2
    assert lab.play.step == 10
    lab.play.playing = True
    lab.button.value = True
    assert lab.play.playing is False
    assert lab.shown.value == frame(PLAYED, 0.6, 0.6)
    lab.kind.value = "error event"
    lab.position.value = 900
    assert lab.shown.value == frame(PLAYED, 0.9, 0.6, "error event")
    lab.button.value = False
    assert lab.shown.value == frame(PLAYED, 0.9)


def test_each_control_has_a_label() -> None:
    """A screen reader can name every control."""
    lab = StreamPlayer(TEXTS, TIMING)
    assert lab.play.tooltip
    assert all(
        control.description
        for control in (lab.position, lab.speed, lab.kind, lab.button)
    )


def test_the_stored_notebook_shows_the_first_frame() -> None:
    """If widgets cannot run, the lab is the frame at the requested second."""
    assert StreamPlayer(TEXTS, TIMING, at=0.5)._repr_mimebundle_()[
        "text/html"
    ] == frame(PLAYED, 0.5)


@pytest.mark.parametrize(
    ("texts", "timing"),
    [
        ((), Timing()),
        (("a",), Timing([0.1, 0.2], 0.2)),
        (("a",), Timing([0.1])),
    ],
)
def test_what_is_no_stream_is_refused(
    texts: tuple[str, ...], timing: Timing
) -> None:
    """For texts without times, or times without an end, the error says how to get them."""
    with pytest.raises(ValueError, match=r"texts = list\(stream\)"):
        StreamPlayer(texts, timing)


def joins(client: openai.OpenAI) -> str:
    for _ in client.chat.completions.create(
        **params(stream=True, stream_options={"include_usage": True})
    ):
        pass
    return "no error: treats the text as the whole answer"


def finishes(client: openai.OpenAI) -> str:
    with client.chat.completions.stream(
        **params(stream_options={"include_usage": True})
    ) as stream:
        completion = stream.get_final_completion()
    return f"no error: gets a completion with finish_reason {completion.choices[0].finish_reason}"


def checks(client: openai.OpenAI) -> str:
    reason = None
    for chunk in client.chat.completions.create(
        **params(stream=True, stream_options={"include_usage": True})
    ):
        reason = chunk.choices[0].finish_reason
    return f"finish_reason {reason}: knows that the answer is incomplete"


def streams(client: openai.OpenAI) -> str:
    stream = stream_text(client, **params())
    try:
        "".join(stream)
    except (openai.APIError, IncompleteStream) as error:
        return f"{type(error).__name__}: ended is {stream.ended!r}"
    return "nothing"


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("place", range(4))
def test_what_the_lab_says_of_readers_is_true(
    tmp_path: Path, end: str, place: int
) -> None:
    """Each reader, run with the real SDK on such a stream, sees what the lab's table says."""
    answer = streamed(
        ["Half ", "an ans"],
        finish_reason=None,
        breaks=end == "connection breaks",
    )
    if end == "error event":
        events = (
            *(answer.events or ()),
            Event(
                0.5,
                sse({"error": {"message": "Sorry", "type": "server_error"}}),
            ),
        )
        answer = ApiAnswer(200, answer.headers, events=events)
    body = params(stream=True, stream_options={"include_usage": True})
    client = connect(
        "replay",
        recordings=folder_with(tmp_path, (body, answer)),
        speed="instant",
    )
    assert (
        outcome((joins, finishes, checks, streams)[place], client)
        == REPORTS[end][place]
    )


def outcome(reader: Callable[[Any], str], client: openai.OpenAI) -> str:
    try:
        return reader(client)
    except openai.APIError as error:
        return type(error).__name__
