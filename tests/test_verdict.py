"""The verdict on a client: how it handles errors, waits, and broken answers, as seen by the offline
API.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import connect, connect_async
from coursekit.offline import Fault, Verdict, verdict_on
from coursekit.offline.exchange import ApiAnswer, error_answer
from coursekit.offline.watched.ledger import SIZE, Ledger, LoggedAttempt
from coursekit.wired import wired_to
from support.fault_table import WORDS
from support.offline_api import folder_with, params, request, streamed, whole

STREAM = params(stream=True)
TEMPERATURE = params(temperature=3)  # refused by the API


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Recordings of a complete answer, a stream, and a slow answer."""
    slow = params("Think long."), whole("Done.", after=20.0)
    return folder_with(
        tmp_path, (params(), whole()), (STREAM, streamed(WORDS)), slow
    )


def client_of(shelf: Path, *faults: Fault, **options: Any) -> Any:
    return connect(
        "replay", recordings=shelf, faults=faults, speed="instant", **options
    )


def ask(client: Any, **body: Any) -> None:
    """Send a request, and handle an error like a program that continues."""
    try:
        reply = client.chat.completions.create(**(body or params()))
        if body.get("stream"):
            list(reply)
    except (openai.OpenAIError, ValueError):
        pass


def test_a_good_client(shelf: Path) -> None:
    """The SDK's own retries of temporary errors, after the required wait, get a good verdict. This
    test shows it in full.
    """
    client = client_of(
        shelf, Fault("rate_limit", retry_after=7), Fault("overloaded")
    )
    ask(client)
    ask(client, **STREAM)
    verdict = verdict_on(client)
    assert verdict.good and 7.3 < verdict.waited < 8.1
    lines = str(verdict).splitlines()
    assert lines == [
        "Verdict on the client: good",
        "  questions answered   2 of 2",
        "  attempts             4 (1 x 429 rate_limit_exceeded, 1 x 503 server_error, 2 x 200)",
        "  retries              2 by the SDK, 0 by the program",
    ]


@pytest.mark.parametrize(
    ("short", "too_early"), [(0.0, 0), (0.001, 0), (0.002, 1), (0.1, 1)]
)
def test_a_wait_may_be_cut_by_a_millisecond(
    short: float, too_early: int
) -> None:
    """The server gives the wait in milliseconds, so one millisecond too early is ignored, and two
    are reported as such.
    """
    refusal = ApiAnswer(429, {"retry-after": "2"}, b"{}")
    first = LoggedAttempt(
        0.0, 1, "gpt-4o", 0, refusal, ended_at=1.0, received="all"
    )
    second = LoggedAttempt(
        3.0 - short, 1, "gpt-4o", 0, whole(), ended_at=4.0, received="all"
    )
    verdict = verdict_on([first, second])
    assert (verdict.waits, verdict.too_early) == (1, too_early)
    assert verdict.early_by == pytest.approx(short if too_early else 0)


def test_nothing_seen_is_nothing_wrong(shelf: Path) -> None:
    """A client that sent no requests gets a good verdict on nothing."""
    assert verdict_on(client_of(shelf)) == Verdict() and Verdict().good


def test_retries_into_an_empty_account(shelf: Path) -> None:
    """The SDK retries insufficient_quota like any other 429. A program with a loop around the SDK
    makes nine attempts, eight of which are wasted.
    """
    client = client_of(shelf, Fault("quota", times=9))
    for _ in range(3):
        ask(client)
    verdict = verdict_on(client)
    assert (verdict.questions, verdict.answered, verdict.attempts) == (1, 0, 9)
    assert (verdict.sdk_retries, verdict.own_retries, verdict.wasted) == (
        6,
        2,
        8,
    )
    assert (
        verdict.outcomes == {"429 insufficient_quota": 9} and not verdict.good
    )
    assert (
        "  retries wasted       8: retrying cannot help an invalid request or an empty account"
        in str(verdict)
    )


def test_a_request_that_is_too_large(shelf: Path) -> None:
    """Retries of a request that exceeds the entire limit are wasted, although its code says that it
    is a rate limit.
    """
    client = connect(
        "replay", recordings=shelf, rate_limit={"tpm": 5}, speed="instant"
    )
    ask(client)
    assert verdict_on(client).wasted == 2
    assert verdict_on(client).outcomes == {"429 request_too_large": 3}


def test_retried_400s(shelf: Path) -> None:
    """A program that sends an invalid request again has wasted it. One that corrects it has
    not, but leaves a question open.
    """
    stubborn, mending = client_of(shelf), client_of(shelf)
    for _ in range(3):
        ask(stubborn, **TEMPERATURE)
    ask(mending, **TEMPERATURE)
    ask(mending)
    verdict = verdict_on(stubborn)
    assert (
        verdict.wasted,
        verdict.retried_400,
        verdict.own_retries,
        verdict.sdk_retries,
    ) == (
        2,
        2,
        2,
        0,
    )
    assert (
        verdict_on(mending).retried_400,
        verdict_on(mending).answered,
        verdict_on(mending).questions,
    ) == (0, 1, 2)


def test_a_wait_cut_short(shelf: Path) -> None:
    """A retry before Retry-After has passed is reported with the missing seconds."""
    client = client_of(
        shelf, Fault("rate_limit", times=2, retry_after=10), max_retries=0
    )
    ask(client)
    wired_to(client).clock.wait(4.0)
    ask(client)
    wired_to(client).clock.wait(14.0)
    ask(client)
    verdict = verdict_on(client)
    assert (verdict.waits, verdict.too_early, verdict.answered) == (2, 1, 1)
    assert verdict.early_by == pytest.approx(
        6.0
    ) and verdict.waited == pytest.approx(14.0)
    assert (
        "  waits cut short      1 of 2, by 6.0 s in all: wait as long as Retry-After says"
        in str(verdict)
    )


def test_answers_that_were_lost(shelf: Path) -> None:
    """An answer that arrived too late for the caller, one that broke off, and a malformed one
    were wasted.
    """
    client = client_of(shelf, timeout=5, max_retries=0)
    ask(client, **params("Think long."))
    broken = client_of(
        shelf, Fault("cut_stream"), Fault("malformed"), max_retries=0
    )
    ask(broken)
    ask(broken)
    both = verdict_on(client, broken)
    assert (verdict_on(client).lost, verdict_on(broken).lost, both.lost) == (
        1,
        2,
        3,
    )
    assert both.outcomes == {
        "200, after the caller gave up": 1,
        "200, broken": 1,
        "200, malformed": 1,
    }
    assert "  billed, but lost     3: allow more time" in str(both)


def test_silence_is_no_lost_answer(shelf: Path) -> None:
    """A timeout without any answer, and a failed connection, did not lose an answer."""
    client = client_of(shelf, Fault("timeout"), Fault("connection"), timeout=5)
    ask(client)
    verdict = verdict_on(client)
    assert verdict.lost == 0 and verdict.good
    assert verdict.outcomes == {"timeout": 1, "no connection": 1, "200": 1}


def test_a_cut_stream_taken_for_whole(shelf: Path) -> None:
    """A stream that was closed cleanly but too early counts as used as if it were complete, unless
    the request was sent again.
    """
    careless, careful = (
        client_of(shelf, Fault("cut_stream")),
        client_of(shelf, Fault("cut_stream")),
    )
    ask(careless, **STREAM)
    ask(careful, **STREAM)
    ask(careful, **STREAM)
    assert (
        verdict_on(careless).unnoticed_cuts,
        verdict_on(careless).answered,
    ) == (
        1,
        0,
    )
    assert (
        verdict_on(careful).unnoticed_cuts,
        verdict_on(careful).own_retries,
    ) == (
        0,
        1,
    )
    assert verdict_on(
        careful
    ).good and "without finish_reason is not complete" in str(
        verdict_on(careless)
    )


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault("stream_error"), "200, error"),
        (Fault("malformed"), "200, malformed"),
        (Fault("cut_stream", abrupt=True), "200, broken"),
    ],
)
def test_a_stream_that_failed_loudly(
    shelf: Path, fault: Fault, outcome: str
) -> None:
    """A stream that failed with an exception is not an unnoticed cut. If the request is sent again,
    the question is answered.
    """
    client = client_of(shelf, fault)
    ask(client, **STREAM)
    assert (verdict_on(client).answered, verdict_on(client).unnoticed_cuts) == (
        0,
        0,
    )
    ask(client, **STREAM)
    assert verdict_on(client).outcomes == {outcome: 1, "200": 1}
    assert (verdict_on(client).answered, verdict_on(client).questions) == (1, 1)


def test_a_stream_that_was_left(shelf: Path) -> None:
    """A caller that leaves mid-stream had what it wanted, which is reported, with the time, but is
    not a mistake.
    """
    client = client_of(shelf)
    with client.chat.completions.create(**STREAM) as stream:
        for _ in range(3):
            next(stream)
    (attempt,) = wired_to(client).ledger
    assert (attempt.received, attempt.ended_at) == ("left", pytest.approx(0.4))
    assert (verdict_on(client).left, verdict_on(client).good) == (1, True)
    assert "  streams left early   1" in str(verdict_on(client))


def test_a_caller_that_gave_up_waiting(shelf: Path) -> None:
    """If a caller was cancelled, its answer is lost, and sending the request again is the program's
    retry.
    """

    async def main() -> Any:
        client = connect_async("replay", recordings=shelf, speed="instant")
        asked = params("Think long.")
        first = asyncio.create_task(client.chat.completions.create(**asked))
        for _ in range(3):
            await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await client.chat.completions.create(**asked)
        return client

    verdict = verdict_on(asyncio.run(main()))
    assert (
        verdict.attempts,
        verdict.lost,
        verdict.own_retries,
        verdict.answered,
    ) == (
        2,
        1,
        1,
        1,
    )


def test_twenty_equal_questions_at_once(shelf: Path) -> None:
    """Concurrent equal requests are separate questions, and none is mistaken for another one's
    retry.
    """

    async def main() -> Any:
        client = connect_async(
            "replay",
            recordings=shelf,
            speed="instant",
            faults=[Fault("rate_limit", times=5)],
        )
        await asyncio.gather(
            *[client.chat.completions.create(**params()) for _ in range(20)]
        )
        return client

    verdict = verdict_on(asyncio.run(main()))
    assert (verdict.questions, verdict.answered, verdict.attempts) == (
        20,
        20,
        25,
    )
    assert (verdict.sdk_retries, verdict.own_retries, verdict.too_early) == (
        5,
        0,
        0,
    )


def test_interleaved_retries_keep_their_order() -> None:
    """If two equal questions fail half a second apart, each retry is matched with the failure it
    waited for.
    """
    ledger = Ledger()
    for at in (0.0, 0.5):
        refused = error_answer(
            429,
            "Wait.",
            code="rate_limit_exceeded",
            headers={"retry-after-ms": "1000"},
        )
        ledger.open(request(), refused, at).finish("all", at)
    retry = dataclasses.replace(
        request(), headers={"x-stainless-retry-count": "1"}
    )
    for at in (1.0, 1.5):
        ledger.open(retry, whole(), at).finish("all", at)
    verdict = verdict_on(ledger)
    assert (
        verdict.questions,
        verdict.sdk_retries,
        verdict.too_early,
        verdict.waited,
    ) == (
        2,
        2,
        0,
        2.0,
    )


def test_a_question_asked_again_after_its_answer(shelf: Path) -> None:
    """The same question after a complete answer is a new question, not a retry."""
    client = client_of(shelf)
    ask(client)
    ask(client)
    assert (verdict_on(client).questions, verdict_on(client).own_retries) == (
        2,
        0,
    )


def test_a_verdict_is_plain_data(shelf: Path) -> None:
    """as_dict() can be written as JSON, and has every number that the text has."""
    client = client_of(shelf, Fault("quota"))
    ask(client)
    told = json.loads(json.dumps(verdict_on(client).as_dict()))
    assert told["good"] is False and told["wasted"] == 1
    assert told["outcomes"] == {"429 insufficient_quota": 1, "200": 1}


def test_only_the_offline_api_keeps_a_ledger() -> None:
    """A live client cannot be judged, and the message says which clients can."""
    with pytest.raises(
        ValueError, match=r'pass a client from connect\(mode="replay"\)'
    ):
        verdict_on(connect("live", api_key="sk-test"))
    with pytest.raises(ValueError, match="There is no ledger to judge int by"):
        verdict_on(3)


@pytest.mark.slow
def test_a_ledger_is_bounded() -> None:
    """The ledger keeps the newest attempts, but the verdict covers all of them."""
    ledger = Ledger()
    for i in range(SIZE + 100):
        failed = i % 3 == 0
        answer = error_answer(500, "No.") if failed else streamed(WORDS)
        ledger.open(request(), answer, float(i)).finish("all", i + 0.5)
    verdict = verdict_on(ledger)
    assert len(ledger) == verdict.attempts == SIZE
    assert (
        verdict.outcomes["500 invalid_request_error"]
        == verdict.own_retries
        == SIZE // 3
    )


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "9"}, 9.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "0"}, None),
        (
            {
                "retry-after": "Sun, 29 Nov 2026 09:00:07 GMT",
                "date": "Sun, 29 Nov 2026 09:00:00 GMT",
            },
            7.0,
        ),
    ],
)
def test_how_waits_are_read(
    headers: dict[str, str], seconds: float | None
) -> None:
    """The verdict reads waits as the retries do: milliseconds take precedence over seconds, and
    HTTP dates are understood.
    """
    attempt = Ledger().open(request(), ApiAnswer(429, headers), 0.0)
    assert attempt.retry_after == seconds


def test_a_verdict_on_nothing_names_no_outcomes() -> None:
    """Without attempts, there is nothing in parentheses."""
    assert str(Verdict()).splitlines()[2] == "  attempts             0"
