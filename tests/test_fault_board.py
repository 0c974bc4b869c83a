"""The fault board: what each strategy sends, what the board shows, and that the controls do what
they say.
"""

from __future__ import annotations

import logging
import random
from html.parser import HTMLParser
from pathlib import Path

import pytest

from coursekit.offline.watched.verdict import Verdict
from coursekit.widgets.fault_board import FaultBoard, view
from coursekit.widgets.fault_runs import (
    DURATIONS,
    FOREVER,
    ONE,
    PERMANENT,
    PROBLEMS,
    STRATEGIES,
    WRONG_REQUEST,
    FaultRun,
    HttpCall,
    Setting,
    run,
)
from support.html_reader import HOSTILE
from support.offline_api import folder_with, params, whole

NESTED, HAMMERING, ROBUST = list(STRATEGIES)[2:]
ANSWER = "Paris is the capital of France."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_with(
        tmp_path_factory.mktemp("recorded"),
        (params(), whole(ANSWER, after=0.6)),
    )


@pytest.mark.parametrize(
    ("problem", "counts"),
    [  # for: no retry, the SDK, the loop around it, hammering, robust_completion
        ("429 rate limit", (1, 3, 9, 6, 4)),
        ("429 no money left", (1, 3, 9, 6, 1)),
        ("500 server error", (1, 3, 3, 6, 4)),
        ("503 overloaded", (1, 3, 3, 6, 4)),
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
    """While a problem lasts, a loop of 3 around the SDK sends 9 requests, and ours sends requests
    only if they can help.
    """
    runs = [
        run(Setting(problem, FOREVER, strategy), folder)
        for strategy in STRATEGIES
    ]
    assert tuple(len(done.calls) for done in runs) == counts
    assert all(done.answer is None and done.error for done in runs)
    assert runs[-1].verdict.wasted == runs[-1].verdict.too_early == 0


@pytest.mark.parametrize(
    "problem", [problem for problem in PROBLEMS if problem not in PERMANENT]
)
def test_robust_completion_gets_over_what_passes(
    folder: Path, problem: str
) -> None:
    """There is one failure, and then the answer."""
    assert run(Setting(problem, ONE, ROBUST), folder).answer == ANSWER


@pytest.mark.parametrize("problem", ["429 rate limit", "503 overloaded"])
@pytest.mark.parametrize("duration", ["3 s", "20 s", "90 s"])
def test_hammering_makes_it_worse(
    folder: Path, problem: str, duration: str
) -> None:
    """A fault that lasts for a time starts again with each early request. A client that waits
    gets the answer with its second request; one that hammers never does.
    """
    patient = run(
        Setting(problem, duration, "the SDK alone (2 retries)"), folder
    )
    hammering = run(Setting(problem, duration, HAMMERING), folder)
    assert patient.answer == ANSWER
    assert len(patient.calls) == 2
    assert patient.verdict.too_early == 0
    assert hammering.answer is None
    assert hammering.verdict.too_early == 5
    assert [call.retry_after for call in hammering.calls] == [
        float(duration[:-2])
    ] * 6


def test_a_wait_beyond_the_deadline_is_not_begun(folder: Path) -> None:
    """robust_completion gives up immediately if it would have to wait for more than its 60 s."""
    assert (
        len(run(Setting("429 rate limit", "90 s", ROBUST), folder).calls) == 1
    )
    assert (
        run(Setting("429 rate limit", "20 s", ROBUST), folder).answer == ANSWER
    )


def test_the_log_is_the_sdk_s_own(folder: Path) -> None:
    """Each request and each of the SDK's retries has a line with the seconds by the client's clock,
    and the loggers are restored afterward.
    """
    logger = logging.getLogger("openai")
    before = (logger.level, list(logger.handlers))
    log = run(
        Setting("429 rate limit", "20 s", "the SDK alone (2 retries)"), folder
    ).log
    assert [(at, name) for at, name, _ in log] == [
        (0.0, "httpx2"),
        (0.0, "openai._base_client"),
        (pytest.approx(20.6), "httpx2"),
    ]
    assert "429 Too Many Requests" in log[0][2]
    assert log[1][2] == "Retrying request in 20.000000 seconds (retry 1 of 2)"
    assert "200 OK" in log[2][2]
    assert (logger.level, logger.handlers) == before
    assert (
        "Retrying request in 20.000000 seconds"
        in Board(
            view(
                run(
                    Setting(
                        "429 rate limit", "20 s", "the SDK alone (2 retries)"
                    ),
                    folder,
                )
            )
        ).text
    )


def test_the_numbers_of_the_chapter(folder: Path) -> None:
    """If there is no answer at all, a nested loop sends 9 requests, and its user sees an error
    after 274 s; with a deadline, after 60 s.
    """
    theirs = run(Setting("no answer", FOREVER, NESTED), folder)
    ours = run(Setting("no answer", FOREVER, ROBUST), folder)
    assert (len(theirs.calls), round(theirs.seconds)) == (9, 274)
    assert ours.seconds == pytest.approx(60, abs=0.01)


def test_who_sent_what(folder: Path) -> None:
    """The board distinguishes the first request, the SDK's retries, and the program's."""
    calls = run(Setting(strategy=NESTED), folder).calls
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
    assert {call.retry_after for call in calls} == {2}


def test_what_does_not_pass_strikes_every_time(folder: Path) -> None:
    """An empty account and an invalid request do not recover after one request."""
    for problem in PERMANENT:
        for duration in DURATIONS:
            assert (
                run(Setting(problem, duration, HAMMERING), folder).answer
                is None
            )


def test_a_run_is_the_same_each_time_and_leaves_chance_alone(
    folder: Path,
) -> None:
    """The SDK's jitter is drawn from a seed, and Python's own generator continues as if nothing had
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
    """The table's cells, the bars, and the text. Raises AssertionError for tags that are not closed
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

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "rect":
            self.bars.append(dict(attrs))

    def handle_startendtag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_a_row_for_each_request() -> None:
    """Each row shows the number, the sender, the time, the outcome in words and a sign, and the
    wait until the next request. A wait that is too short is marked.
    """
    calls = (
        HttpCall(0.0, 0.5, "first", "429 rate_limit_exceeded", False, 2.0),
        HttpCall(1.5, 1.5, "SDK", "500 server_error", False, None),
        HttpCall(3.5, 4.0, "program", "200", True, None),
    )
    board = Board(
        view(
            FaultRun(
                Setting(),
                calls,
                "Paris.",
                "",
                4.0,
                Verdict(too_early=1, lost=2),
            )
        )
    )
    assert board.rows == [
        ["#", "sent by", "at", "0 to 4.0 s →", "outcome", "then waits"],
        [
            "1",
            "first",
            "0.00 s",
            "",
            "✗ 429 rate_limit_exceeded",
            "1.00 s ⚠ asked 2 s",
        ],
        ["2", "SDK", "1.50 s", "", "✗ 500 server_error", "2.00 s"],
        ["3", "program", "3.50 s", "", "✓ 200", ""],
    ]
    assert [float(bar["x"] or 0) for bar in board.bars] == pytest.approx(
        [0, 75, 175]
    )
    assert [float(bar["width"] or 0) for bar in board.bars] == pytest.approx(
        [25, 3, 25]
    )
    assert "After 4.0 s, the program has its answer: Paris." in board.text
    assert (
        "3 HTTP requests, 1 sent earlier than the server asked, 2 billed answers lost in transit."
        in board.text
    )


def test_one_request_that_failed_at_once() -> None:
    """A single request without a duration is drawn, and its error is shown with its note, in the
    singular.
    """
    call = HttpCall(0.0, 0.0, "first", "429 insufficient_quota", False, None)
    error = "RateLimitError: Error code: 429 - You exceeded\nGave up after 1 attempt."
    board = Board(
        view(
            FaultRun(
                Setting("429 no money left"),
                (call,),
                None,
                error,
                0.0,
                Verdict(),
            )
        )
    )
    assert "1 HTTP request." in board.text
    assert "Gave up after 1 attempt." in board.text
    assert "which does not go away on its own" in board.text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_the_api_says_is_only_shown(text: str) -> None:
    """Whatever an answer or an error contains, it adds no tags or attributes."""
    call = HttpCall(0.0, 0.1, "first", text, False, None)
    for answer, error in ((text, ""), (None, text)):
        board = Board(
            view(FaultRun(Setting(), (call,), answer, error, 0.1, Verdict()))
        )
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
            "code",
            "pre",
        }


def test_choosing_asks_for_a_prediction_and_run_shows_the_run(
    folder: Path,
) -> None:
    """Changing a control removes the old result. Run shows the result of the current choice,
    never an older one.
    """
    board = FaultBoard(recordings=folder)
    assert board.shown.value == view(run(Setting(), folder))
    for control, value in (
        (board.strategy, ROBUST),
        (board.problem, "500 server error"),
        (board.duration, "20 s"),
        (board.problem, WRONG_REQUEST),
        (board.problem, "no answer"),
    ):
        control.value = value
        assert "Predict:" in board.shown.value
        board.button.click()
        assert board.shown.value == view(run(board.setting, folder))
    assert board.setting == Setting("no answer", "20 s", ROBUST)


def test_a_duration_has_no_meaning_for_what_never_passes(folder: Path) -> None:
    """The control is disabled for an empty account or an invalid request."""
    board = FaultBoard(Setting("429 no money left"), folder)
    assert board.duration.disabled
    board.problem.value = "500 server error"
    assert not board.duration.disabled


def test_it_leaves_its_first_run_in_the_notebook(folder: Path) -> None:
    """If widgets cannot be shown, the output is the run. Every control has a label."""
    setting = Setting("no answer", ONE, ROBUST)
    board = FaultBoard(setting, folder)
    bundle = board._repr_mimebundle_()
    assert bundle["text/html"] == view(run(setting, folder))
    assert (
        bundle["text/plain"] == "The fault board (run the notebook to use it)"
    )
    assert all(
        control.description
        for control in (
            board.problem,
            board.duration,
            board.strategy,
            board.button,
        )
    )
