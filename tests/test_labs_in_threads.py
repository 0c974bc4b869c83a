"""Every lab, operated from two threads, as ipykernel 7 calls the handlers of two controls."""

from __future__ import annotations

import inspect
import pkgutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import ipywidgets
import pytest

from coursekit import connect, widgets
from coursekit.logits import load_reply
from coursekit.offline.recordings import Recordings
from coursekit.streaming import Timing
from coursekit.widgets.budget_gauge import BudgetGauge
from coursekit.widgets.cost_explorer import CostExplorer
from coursekit.widgets.cost_guess import CostGuess
from coursekit.widgets.fault_board import FaultBoard
from coursekit.widgets.lab import Echo, Press
from coursekit.widgets.logprob_strip import LogprobStrip
from coursekit.widgets.model_chooser import ModelChooser
from coursekit.widgets.quiz import Quiz
from coursekit.widgets.reply_cutter import ReplyCutter
from coursekit.widgets.request_wire import RequestWire
from coursekit.widgets.run_replay import RunReplay
from coursekit.widgets.sampling_lab import SamplingLab
from coursekit.widgets.stream_player import StreamPlayer
from coursekit.widgets.throughput_lab import ThroughputLab
from coursekit.widgets.token_strip import TokenStrip
from support.html_reader import HtmlReader
from support.offline_api import folder_with

HANG = 60  # seconds; only a deadlock takes this long


class WatchedLock:
    """A lock that records when a thread has to wait for it."""

    def __init__(self, lock: Any, waited_for: threading.Event) -> None:
        self.lock, self.waited_for = lock, waited_for

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waited_for.set()
            self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


def gauge() -> tuple[Any, ...]:
    from test_budget_gauge import NEEDS

    lab = BudgetGauge(NEEDS, "o4-mini")
    return lab, (lab.budget, 1000), (lab.longer, 2.0)


def costs() -> tuple[Any, ...]:
    lab = CostExplorer()
    return lab, (lab.turns, 20), (lab.policy, "summary")


def faults() -> tuple[Any, ...]:
    lab = FaultBoard()
    return lab, (lab.problem, "no answer"), (lab.duration, "20 s")


def logprobs() -> tuple[Any, ...]:
    from openai.types.chat import ChatCompletion

    lab = LogprobStrip(
        ChatCompletion.model_validate(load_reply("largest_planet")["response"])
    )
    return lab, (lab.threshold, 0.1), (lab.threshold, 0.9)


def chooser() -> tuple[Any, ...]:
    lab = ModelChooser()
    return lab, (lab.prompt, 10_000), (lab.needs["temperature"], True)


def question() -> tuple[Any, ...]:
    lab = Quiz("1").children[0]
    return (
        lab,
        (lab.choice, lab.choice.options[1]),
        (lab.choice, lab.choice.options[2]),
    )


def sampling(folder: Path) -> tuple[Any, ...]:
    lab = SamplingLab(
        connect("replay", recordings=folder_with(folder)),
        recordings=Recordings([folder]),
    )
    return lab, (lab.sliders["temperature"], 0.5), (lab.prompt, "year")


def player() -> tuple[Any, ...]:
    lab = StreamPlayer(("Gradient ", "descent."), Timing([0.3, 0.5], 0.9))
    return lab, (lab.position, 500), (lab.button, True)


def throughput() -> tuple[Any, ...]:
    lab = ThroughputLab()
    return lab, (lab.rpm, 100), (lab.latency, 3.0)


def tokens() -> tuple[Any, ...]:
    lab = TokenStrip()
    return lab, (lab.kind, "a chat"), (lab.model, "gpt-4")


def guess() -> tuple[Any, ...]:
    lab = CostGuess()
    return lab, (lab.guess[0], 0.5), (lab.reveal, True)


def request() -> tuple[Any, ...]:
    lab = RequestWire()
    return lab, (lab.end, "the recordings"), (lab.end, "the real API")


def cutter() -> tuple[Any, ...]:
    from test_reply_cutter import TEXT, reply_of

    lab = ReplyCutter(reply_of(TEXT))
    return lab, (lab.limit, 5), (lab.rest, True)


def replay() -> tuple[Any, ...]:
    from test_run_replay import RUN, Scored

    lab = RunReplay(Scored(RUN))
    return lab, (lab.position, 10), (lab.position, 90)


LABS: dict[type, Callable[..., tuple[Any, ...]]] = {
    BudgetGauge: gauge,
    CostExplorer: costs,
    CostGuess: guess,
    FaultBoard: faults,
    LogprobStrip: logprobs,
    ModelChooser: chooser,
    Quiz: question,
    ReplyCutter: cutter,
    RequestWire: request,
    RunReplay: replay,
    SamplingLab: sampling,
    StreamPlayer: player,
    ThroughputLab: throughput,
    TokenStrip: tokens,
}


def test_every_lab_is_driven() -> None:
    """A new lab must be added here. The chat box works on one event loop, whichever thread receives
    a click.
    """
    found = set()
    for module in pkgutil.iter_modules(widgets.__path__, "coursekit.widgets."):
        for name, kind in inspect.getmembers(
            import_module(module.name), inspect.isclass
        ):
            if (
                issubclass(kind, ipywidgets.VBox)
                and kind.__module__ == module.name
                and not name.startswith("_")
            ):
                found.add(name)
    driven = {"ChatBox", "Lab", *(lab.__name__ for lab in LABS)}
    assert found == driven, f"add to, or remove from, LABS: {found ^ driven}"


@pytest.mark.parametrize("kind", LABS, ids=lambda kind: kind.__name__)
def test_two_threads_leave_the_picture_of_what_the_controls_say(
    kind: type, tmp_path: Path
) -> None:
    """Only one thread draws at a time, and the final picture shows the controls' last values."""
    lab, (first, value), (second, other) = LABS[kind](
        *((tmp_path,) if kind is SamplingLab else ())
    )
    drawing, second_is_here, busy = (
        threading.Event(),
        threading.Event(),
        threading.Lock(),
    )
    together: list[str] = []
    picture = lab.picture

    def held() -> str:
        """The first drawing reads the controls, and continues when the second thread also draws or
        waits for the lock.
        """
        alone = busy.acquire(blocking=False)
        try:
            html: str = picture()
            if not alone:
                together.append(threading.current_thread().name)
                second_is_here.set()
            elif not drawing.is_set():
                drawing.set()
                assert second_is_here.wait(HANG)
            return html
        finally:
            if alone:
                busy.release()

    lab.picture, lab.lock = held, WatchedLock(lab.lock, second_is_here)
    with ThreadPoolExecutor(2) as threads:
        moved = threads.submit(setattr, first, "value", value)
        assert drawing.wait(HANG)
        moved_too = threads.submit(setattr, second, "value", other)
        moved.result(HANG)
        moved_too.result(HANG)
    assert together == [], "two threads drew at once"
    assert lab.shown.value == picture()
    assert second.value == other


def test_a_press_counts_after_the_changes_before_it() -> None:
    """The browser holds back a second change, but not a press. The press is handled when the
    browser has caught up.
    """
    asked = Quiz("1").children[0]
    asked.choice.index = 0
    # overtakes the next change
    asked.button._handle_custom_msg({"event": "click"}, [])
    assert asked.shown.value == ""
    asked.choice.index = 1
    echo = asked.button._echo
    # as the browser does, behind that change
    echo.returned.value = echo.sent.value
    assert (
        asked.question.options[1].reason in HtmlReader(asked.shown.value).text
    )


def test_an_echo_answers_in_order_and_once() -> None:
    """Work is done up to the number that was returned, in order and only once. A button's click()
    does not wait.
    """
    echo, done = Echo(), list[str]()
    for word in ("one", "two", "three"):
        echo.call(lambda word=word: done.append(word))  # type: ignore[misc]
    assert done == []
    echo.returned.value = 2
    assert done == ["one", "two"]
    echo.returned.value = 3
    assert done == ["one", "two", "three"]
    Press(lambda: done.append("pressed"), echo, description="Go").click()
    assert done[3:] == ["pressed"]
