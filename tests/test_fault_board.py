"""The fault board: what each strategy sends, what is shown of it, and that the controls do what
they say.
"""

from __future__ import annotations

import random
from html.parser import HTMLParser
from pathlib import Path

import pytest

from coursekit.offline.watched.verdict import Verdict
from coursekit.widgets.fault_board import FaultBoard, view
from coursekit.widgets.fault_runs import (
    LASTING,
    PROBLEMS,
    STRATEGIES,
    WRONG_REQUEST,
    HttpCall,
    Run,
    Setting,
    run,
)
from support.html_reader import HOSTILE
from support.offline_api import folder_with, params, whole

TUTORIAL, EVERYTHING, ROBUST = list(STRATEGIES)[2:]
ANSWER = "Paris is the capital of France."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_with(
        tmp_path_factory.mktemp("recorded"), (params(), whole(ANSWER, after=0.6))
    )


@pytest.mark.parametrize(
    ("problem", "counts"),
    [  # of: no retry, the SDK, the tutorial's loop, anything again, robust_completion
        ("429 rate limit, Retry-After 2 s", (1, 3, 9, 6, 4)),
        ("429 rate limit, Retry-After 90 s", (1, 3, 9, 6, 1)),
        ("429 no money left", (1, 3, 9, 6, 1)),
        ("500 server error", (1, 3, 3, 6, 4)),
        ("503 overloaded, Retry-After 5 s", (1, 3, 3, 6, 4)),
        ("no connection", (1, 3, 3, 6, 4)),
        ("no answer", (1, 3, 9, 6, 2)),
        ("the answer breaks off", (1, 3, 3, 6, 4)),
        ("the answer is broken JSON", (1, 1, 1, 6, 4)),
        (WRONG_REQUEST, (1, 1, 1, 6, 1)),
    ],
)
def test_how_many_requests_each_strategy_sends(
    folder: Path, problem: str, counts: tuple[int, ...]
) -> None:
    """While a problem lasts: 9 requests of the tutorial's loop around the SDK, and ours only where
    they can help.
    """
    runs = [
        run(Setting(problem, "every time", strategy), folder) for strategy in STRATEGIES
    ]
    assert tuple(len(done.calls) for done in runs) == counts
    assert all(done.answer is None and done.error for done in runs)
    assert runs[-1].verdict.wasted == runs[-1].verdict.too_early == 0


@pytest.mark.parametrize(
    "problem", [problem for problem in PROBLEMS if problem not in LASTING]
)
def test_robust_completion_gets_over_what_passes(folder: Path, problem: str) -> None:
    """Two failures and then the answer, except where the server asks for more time than there
    is.
    """
    done = run(Setting(problem, "twice", ROBUST), folder)
    assert (done.answer == ANSWER) == (
        problem != "429 rate limit, Retry-After 90 s" and problem != "no answer"
    )
    assert done.seconds <= 61


def test_the_numbers_of_the_chapter(folder: Path) -> None:
    """No answer at all: 9 requests and 274 s until the tutorial's user sees an error; 60 s with a
    deadline.
    """
    theirs = run(Setting("no answer", "every time", TUTORIAL), folder)
    ours = run(Setting("no answer", "every time", ROBUST), folder)
    assert (len(theirs.calls), round(theirs.seconds)) == (9, 274)
    assert ours.seconds == pytest.approx(60, abs=0.01)


def test_who_sent_what(folder: Path) -> None:
    """Requests are told apart: the first, those of the SDK, those of the program."""
    calls = run(Setting(strategy=TUTORIAL), folder).calls
    assert [call.by for call in calls] == [
        "first",
        "SDK",
        "SDK",
        "program",
        "SDK",
        "SDK",
        "program",
        "SDK",
        "SDK",
    ]
    assert {call.told for call in calls} == {2}


def test_what_does_not_pass_strikes_every_time(folder: Path) -> None:
    """Neither an empty account nor a wrong request mends itself after one request."""
    for problem in LASTING:
        assert run(Setting(problem, "once", EVERYTHING), folder).answer is None


def test_a_run_is_the_same_each_time_and_leaves_chance_alone(folder: Path) -> None:
    """The SDK's jitter is drawn from a seed, and Python's own generator goes on as if nothing had
    been drawn.
    """
    random.seed(7)
    expected = [random.random(), random.random()]
    random.seed(7)
    drawn = [random.random()]
    first = run(Setting("500 server error"), folder)
    drawn.append(random.random())
    assert drawn == expected
    assert view(run(Setting("500 server error"), folder)) == view(first)


class Board(HTMLParser):
    """The table's cells, the bars, and the text; raises AssertionError for tags that are not closed
    in order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.bars: list[dict[str, str | None]] = []
        self.text = ""
        html.encode()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "rect":
            self.bars.append(dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_a_row_for_each_request() -> None:
    """Number, sender, time, outcome in words and a sign, and the wait until the next; too short a
    wait is marked.
    """
    calls = (
        HttpCall(0.0, 0.5, "first", "429 rate_limit_exceeded", False, 2.0),
        HttpCall(1.5, 1.5, "SDK", "500 server_error", False, None),
        HttpCall(3.5, 4.0, "program", "200", True, None),
    )
    board = Board(
        view(Run(Setting(), calls, "Paris.", "", 4.0, Verdict(too_early=1, lost=2)))
    )
    assert board.rows == [
        ["#", "sent by", "at", "0 to 4.0 s →", "outcome", "then waits"],
        ["1", "first", "0.00 s", "", "✗ 429 rate_limit_exceeded", "1.00 s ⚠ asked 2 s"],
        ["2", "SDK", "1.50 s", "", "✗ 500 server_error", "2.00 s"],
        ["3", "program", "3.50 s", "", "✓ 200", ""],
    ]
    assert [float(bar["x"] or 0) for bar in board.bars] == pytest.approx(
        [0, 82.5, 192.5]
    )
    assert [float(bar["width"] or 0) for bar in board.bars] == pytest.approx(
        [27.5, 3, 27.5]
    )
    assert "After 4.0 s the program has its answer: Paris." in board.text
    assert (
        "3 HTTP requests, 1 sent earlier than the server asked, 2 billed answers lost on the way."
        in board.text
    )


def test_one_request_that_failed_at_once() -> None:
    """A single request of no duration is drawn, and its error is told with its note, in
    singular.
    """
    call = HttpCall(0.0, 0.0, "first", "429 insufficient_quota", False, None)
    error = "RateLimitError: Error code: 429 - You exceeded\nGave up after 1 attempt."
    board = Board(
        view(Run(Setting("429 no money left"), (call,), None, error, 0.0, Verdict()))
    )
    assert "1 HTTP request." in board.text
    assert "Gave up after 1 attempt." in board.text
    assert "It does not pass by itself." in board.text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_api_says_is_only_shown(text: str) -> None:
    """Whatever an answer or an error holds, it adds no tag and no attribute."""
    call = HttpCall(0.0, 0.1, "first", text, False, None)
    for answer, error in ((text, ""), (None, text)):
        board = Board(view(Run(Setting(), (call,), answer, error, 0.1, Verdict())))
        assert set(board.tags) <= {
            "div",
            "p",
            "b",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "svg",
            "rect",
            "line",
        }


def test_choosing_asks_for_a_prediction_and_run_shows_the_run(folder: Path) -> None:
    """A changed control takes the old result away; Run shows that of what is chosen, and never an
    older one.
    """
    board = FaultBoard(recordings=folder)
    assert board.shown.value == view(run(Setting(), folder))
    for control, value in (
        (board.strategy, ROBUST),
        (board.problem, "500 server error"),
        (board.times, "twice"),
        (board.problem, WRONG_REQUEST),
        (board.problem, "no answer"),
    ):
        control.value = value
        assert "Predict:" in board.shown.value
        board.button.click()
        assert board.shown.value == view(run(board.setting, folder))
    assert board.setting == Setting("no answer", "twice", ROBUST)


def test_how_often_has_no_meaning_for_what_lasts(folder: Path) -> None:
    """For an empty account or a wrong request the control rests."""
    board = FaultBoard(Setting("429 no money left"), folder)
    assert board.times.disabled
    board.problem.value = "500 server error"
    assert not board.times.disabled


def test_it_leaves_its_first_run_in_the_notebook(folder: Path) -> None:
    """Where no widget is shown, the output is the run; every control has a label."""
    setting = Setting("no answer", "once", ROBUST)
    board = FaultBoard(setting, folder)
    bundle = board._repr_mimebundle_()
    assert bundle["text/html"] == view(run(setting, folder))
    assert bundle["text/plain"] == "The fault board (run the notebook to use it)"
    assert all(
        control.description
        for control in (board.problem, board.times, board.strategy, board.button)
    )
