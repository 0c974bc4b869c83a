"""coursekit.batching.run: many requests, with results as values."""

from __future__ import annotations

import asyncio
import copy
import pickle
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import (
    NotSent,
    RecordingNotFound,
    Unanswered,
    batch_completions,
    connect,
    connect_async,
    run_batch,
)
from coursekit.batching import Results
from coursekit.offline import Fault
from coursekit.offline.exchange import NEVER, ApiAnswer, json_answer
from coursekit.offline.limits.errors import insufficient_quota
from coursekit.offline.watched.verdict import verdict_on
from coursekit.retrying import Policy
from coursekit.retrying.classify import OUT_OF_MONEY
from coursekit.tokens import EstimatedTokens
from coursekit.wired import wired_to
from support.batching_stand_in import (
    LATENCY,
    client_of,
    client_with,
    statuses,
    times,
)
from support.offline_api import (
    completion,
    error_answer,
    folder_with,
    params,
    whole,
)

PROMPTS = [f"Question {i}?" for i in range(40)]


async def test_results_come_in_the_order_of_the_requests() -> None:
    """Whatever the order of the answers, results are in the order of the requests."""
    rng = random.Random(5)
    client, _ = client_of(
        lambda prompt, _: whole(f"Answer to {prompt}", rng.random())
    )
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    assert results.texts() == [f"Answer to {prompt}" for prompt in PROMPTS]
    assert [result.custom_id for result in results] == [
        f"request-{n}" for n in range(1, 41)
    ]
    assert all(
        result.attempts == 1 and result.error is None and not result.resumed
        for result in results
    )


async def test_usage_cost_and_time_are_those_of_the_calls(
    tmp_path: Path,
) -> None:
    """Results have the total usage and cost of their replies, and the seconds by the client's own
    clock.
    """
    client = client_with(tmp_path, PROMPTS)
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    assert (results.usage.prompt, results.usage.completion) == (40 * 14, 40 * 2)
    assert results.cost == sum(
        r.receipt.price.total for r in results if r.receipt and r.receipt.price
    )
    assert results.cost == 40 * (14 * Decimal("2.5") + 2 * 10) / 1_000_000
    # one request that learns the limits, and then the others together
    assert results.seconds == pytest.approx(2 * LATENCY)
    assert repr(results).startswith(
        "40 of 40 answered · 40 requests · 560 tokens in · 80 out · $0.0022 · 0.4 s"
    )


async def test_results_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """A pickled result includes its reply and its receipt."""
    results = await run_batch(
        client_with(tmp_path, PROMPTS[:2]), PROMPTS[:2], model="gpt-4o"
    )
    copies = pickle.loads(pickle.dumps(list(results)))
    assert [copy.text for copy in copies] == results.texts()
    assert [copy.receipt for copy in copies] == [
        result.receipt for result in results
    ]
    assert copies[0].receipt.origin == "replay · written"


@pytest.mark.parametrize(
    "copied",
    [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy],
    ids=["pickle", "copy"],
)
async def test_one_failure_does_not_keep_the_others_from_another_process(
    copied: Any, tmp_path: Path
) -> None:
    """Results with failed requests can be pickled and copied completely, with texts, costs, and
    the original type of each error.
    """
    wrong = {"messages": [{"role": "nobody", "content": "Hi"}]}
    results = await run_batch(
        client_with(tmp_path, PROMPTS[:2]),
        [*PROMPTS[:2], wrong, "never recorded"],
        model="gpt-4o",
    )
    other = copied(results)
    assert (
        other.texts(missing=None) == results.texts(missing=None)
        and other.cost == results.cost > 0
    )
    assert [(type(r.error), str(r.error)) for r in other] == [
        (type(r.error), str(r.error)) for r in results
    ]
    assert (
        isinstance(other[3].error, RecordingNotFound)
        and other[3].error.differences == results[3].error.differences
    )


LONG_WAIT = error_answer(
    429, "Later.", code="rate_limit_exceeded", headers={"retry-after": "198000"}
)


async def test_one_long_wait_costs_one_request() -> None:
    """A run does not wait for a Retry-After of days: that request fails, and the others are
    answered.
    """
    client, answers = client_of(
        lambda prompt, _: (
            LONG_WAIT if prompt == PROMPTS[1] else whole("Hello", LATENCY)
        )
    )
    results = await run_batch(client, PROMPTS[:4], model="gpt-4o")
    assert (
        results.texts(missing=None) == ["Hello", None, "Hello", "Hello"]
        and results.stopped is None
    )
    assert (
        isinstance(results[1].error, openai.RateLimitError)
        and answers.prompts.count(PROMPTS[1]) == 1
    )
    assert results.seconds < 60


async def test_a_model_that_keeps_asking_for_long_waits_is_given_up() -> None:
    """After three such refusals in a row, the rest of the list is not sent; the reason says how
    long the wait is.
    """
    client, answers = client_of(lambda *_: LONG_WAIT)
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", max_concurrency=1
    )
    assert len(answers.prompts) == 3 and not results.answered
    assert "asks you to wait 55 h" in str(results.stopped)
    assert isinstance(results[-1].error, NotSent) and "55 h" in str(
        results[-1].error
    )


async def test_a_model_that_does_not_exist_is_asked_once() -> None:
    """A 404 model_not_found ends the requests to that model, while requests to another one
    continue.
    """
    gone = error_answer(
        404, "The model `gpt-5o` does not exist.", code="model_not_found"
    )
    client, answers = client_of(
        lambda prompt, _: (
            gone if prompt.startswith("Question") else whole("Hello", LATENCY)
        )
    )
    others = [
        {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": f"Other {i}?"}],
        }
        for i in range(5)
    ]
    results = await run_batch(
        client, [*PROMPTS, *others], model="gpt-5o", max_concurrency=2
    )
    assert [result.text for result in results.answered] == ["Hello"] * 5
    assert sum(prompt.startswith("Question") for prompt in answers.prompts) <= 2
    assert isinstance(results[-6].error, NotSent) and "gpt-5o" in str(
        results[-6].error
    )


@pytest.mark.parametrize("code", OUT_OF_MONEY)
@pytest.mark.parametrize("place", ["code", "type"])
async def test_no_money_and_reached_caps_stop_the_run(
    code: str, place: str
) -> None:
    """Each error code for an empty account or a reached cap stops the run, whether it is the
    error's code or its type.
    """
    more: Any = (
        {place: code} if place == "type" else {"code": code, "type": "requests"}
    )
    client, answers = client_of(lambda *_: error_answer(429, "No.", **more))
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", max_concurrency=1
    )
    assert len(answers.prompts) == 1 and "out of credit" in str(results.stopped)


async def test_an_odd_usage_costs_no_answer() -> None:
    """An answer with unreadable usage, as other servers send it, is an answer, but its cost is
    unknown.
    """
    body = {
        **completion("Hello"),
        "usage": {"prompt_tokens": -1, "completion_tokens": 2},
    }
    client, _ = client_of(lambda *_: json_answer(200, body))
    results = await run_batch(client, ["Hi"], model="gpt-4o", tpm=1000)
    assert results.texts() == ["Hello"] and results.cost == 0
    assert results[0].receipt is not None and results[0].receipt.usage is None


async def test_a_wrong_request_costs_nobody_elses_answer(
    tmp_path: Path,
) -> None:
    """A request that the API refuses, or that has no recording, becomes a result with its own
    exception; the other results are there.
    """
    client = client_with(tmp_path, PROMPTS[:3])
    wrong = {"messages": [{"role": "nobody", "content": "Hi"}]}
    results = await run_batch(
        client, [*PROMPTS[:3], wrong, "never recorded"], model="gpt-4o"
    )
    assert [result.text for result in results.answered] == [
        f"Answer to {prompt}" for prompt in PROMPTS[:3]
    ]
    refused, missing = results.failed
    assert (
        isinstance(refused.error, openai.BadRequestError)
        and refused.attempts == 1
    )
    assert (
        isinstance(missing.error, RecordingNotFound) and missing.attempts == 1
    )
    assert results.stopped is None


async def test_texts_of_a_failed_run_tell_which_and_keep_the_rest(
    tmp_path: Path,
) -> None:
    """texts() raises Unanswered, which contains the paid results; texts(missing=None) returns None
    for each missing text.
    """
    results = await run_batch(
        client_with(tmp_path, PROMPTS[:2]),
        [*PROMPTS[:2], "never recorded"],
        model="gpt-4o",
    )
    with pytest.raises(
        Unanswered,
        match="1 of 3 requests have no answer; the first is request-3: RecordingNotFound",
    ) as raised:
        results.texts()
    assert raised.value.results is results
    assert results.texts(missing=None) == [
        "Answer to Question 0?",
        "Answer to Question 1?",
        None,
    ]


async def test_failures_are_retried_in_one_layer() -> None:
    """A server error, a lost connection, a timeout, and broken JSON are retried, and only by
    this layer.
    """
    bad = [
        error_answer(500, "The server had an error.", type="server_error"),
        ApiAnswer(status=0),
        ApiAnswer(
            200, {"content-type": "application/json"}, b'{"id": "chatcmpl'
        ),
        ApiAnswer(after=NEVER),
    ]
    client, answers = client_of(
        lambda _, asked: bad[asked] if asked < len(bad) else whole()
    )
    results = await run_batch(client, ["Hi"], model="gpt-4o", timeout=5.0)
    assert results.texts() == ["Paris."]
    assert results[0].attempts == results.attempts == len(answers.prompts) == 5
    assert {attempt.retry for attempt in wired_to(client).ledger} == {0}


async def test_retries_end_with_the_policy() -> None:
    """After the policy's attempts, the last exception is the result."""
    client, answers = client_of(
        lambda *_: error_answer(503, "Overloaded.", type="server_error")
    )
    results = await run_batch(
        client, ["Hi"], model="gpt-4o", policy=Policy(max_attempts=3)
    )
    assert isinstance(results[0].error, openai.InternalServerError)
    assert results[0].attempts == len(answers.prompts) == 3


async def test_others_go_on_while_one_waits_for_its_retry() -> None:
    """A request that waits for its retry does not occupy a slot, even if there is only one."""
    wait = {"retry-after": "30"}
    failure = error_answer(
        503, "Overloaded.", type="server_error", headers=wait
    )
    client, answers = client_of(
        lambda prompt, asked: (
            failure if prompt == "first" and not asked else whole()
        )
    )
    results = await run_batch(
        client, ["first", "second", "third"], model="gpt-4o", max_concurrency=1
    )
    assert answers.prompts == ["first", "second", "third", "first"]
    assert results.seconds >= 30 and len(results.answered) == 3


async def test_the_verdict_on_a_run_is_good(tmp_path: Path) -> None:
    """With failures, and refusals that require waiting, nothing is sent too early, wasted, or lost,
    by the offline API's verdict.
    """
    faults = [
        Fault("rate_limit", times=3, retry_after=5),
        Fault("server_error", times=2),
        Fault("connection", times=1),
    ]
    client = client_with(
        tmp_path, PROMPTS, faults=faults, rate_limit={"rpm": 30}
    )
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    verdict = verdict_on(client)
    assert (
        verdict.good
        and verdict.questions == verdict.answered == len(results.answered) == 40
    )
    assert (
        6 <= verdict.own_retries == results.attempts - 40 <= 8
        and verdict.sdk_retries == 0
    )


async def test_no_money_left_stops_the_run() -> None:
    """After insufficient_quota, nothing more is sent. Paid answers are kept, and the other requests
    are NotSent.
    """
    client, answers = client_of(
        lambda prompt, _: (
            insufficient_quota() if prompt == PROMPTS[10] else whole()
        )
    )
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", max_concurrency=1
    )
    assert len(answers.prompts) == 11 and len(results.answered) == 10
    assert (
        isinstance(results[10].error, openai.RateLimitError)
        and results[10].attempts == 1
    )
    assert all(
        isinstance(result.error, NotSent) and result.attempts == 0
        for result in results[11:]
    )
    assert "out of credit" in str(results.stopped) and "out of credit" in str(
        results[11].error
    )


async def test_a_wrong_key_costs_one_request() -> None:
    """With a wrong key, the first request is the only one, because it is sent alone."""
    client, answers = client_of(
        lambda *_: error_answer(
            401, "Incorrect API key.", code="invalid_api_key"
        )
    )
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    assert len(answers.prompts) == 1
    assert isinstance(
        results[0].error, openai.AuthenticationError
    ) and isinstance(results[39].error, NotSent)


async def test_an_answer_that_is_no_completion_is_an_error() -> None:
    """An HTML page with status 200, or an error with status 200, is a failure and not a reply."""
    page = ApiAnswer(
        200, {"content-type": "text/html"}, b"<html>Welcome to the hotel</html>"
    )
    odd = json_answer(200, {"error": {"message": "no"}})
    client, _ = client_of(lambda prompt, _: page if prompt == "page" else odd)
    results = await run_batch(client, ["page", "error"], model="gpt-4o")
    assert [type(result.error).__name__ for result in results] == [
        "UnusableReply",
        "UnusableReply",
    ]


async def test_no_more_than_max_concurrency_are_under_way() -> None:
    """At most max_concurrency requests are in flight, and exactly that many if nothing else
    limits them.
    """
    spans: list[tuple[float, float]] = []
    client, _ = client_of(lambda *_: whole(after=1.0))
    await run_batch(client, PROMPTS, model="gpt-4o", rpm=1e6, max_concurrency=7)
    spans = [
        (attempt.at, attempt.ended_at) for attempt in wired_to(client).ledger
    ]
    assert (
        max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)
        == 7
    )


async def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    """With faults, limits, and a seeded rng, two runs send the same requests at the same virtual
    times.
    """

    async def once() -> list[float]:
        faults = [
            Fault("server_error", times=3),
            Fault("slow", times=2, seconds=3),
        ]
        client = client_with(
            tmp_path, PROMPTS, faults=faults, rate_limit={"rpm": 30}
        )
        results = await run_batch(
            client, PROMPTS, model="gpt-4o", rng=random.Random(7)
        )
        assert len(results.answered) == 40
        return times(client)

    first = await once()
    assert first == await once() and len(first) > 40


async def test_cancellation_waits_for_what_is_under_way() -> None:
    """A cancelled run sends nothing more, waits for the answers that are in flight, and puts all
    answers into its error.
    """
    client, answers = client_of(lambda *_: whole(after=5.0))
    task = asyncio.ensure_future(
        run_batch(client, PROMPTS, model="gpt-4o", rpm=1e6, max_concurrency=4)
    )
    while len(answers.prompts) < 4:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(
        asyncio.CancelledError, match="cancelled with 4 of 40"
    ) as raised:
        await task
    results: Results = raised.value.results  # type: ignore[attr-defined]
    assert len(results.answered) == 4 == len(answers.prompts)
    assert "cancelled" in str(results[39].error)


async def test_a_cancelled_run_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The run gives up on an answer that takes too long after the cancellation, and that result
    says so.
    """
    monkeypatch.setattr("coursekit.batching.dispatch.PATIENCE", 0.05)
    slow = folder_with(tmp_path, (params("Hi"), whole(after=60.0)))
    async with connect_async("replay", recordings=slow, speed=1.0) as client:
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.2):
                await run_batch(client, ["Hi", "Ho"], model="gpt-4o", rpm=60)
    left, unsent = raised.value.__context__.results  # type: ignore[union-attr]
    assert (
        isinstance(left.error, TimeoutError)
        and "may still be billed" in str(left.error)
        and left.attempts == 1
    )
    assert isinstance(unsent.error, NotSent)


async def test_timeouts_of_asyncio_end_a_run() -> None:
    """asyncio.timeout() raises a TimeoutError, as it does for anything else that it cancels."""
    client, answers = client_of(
        lambda *_: error_answer(503, "Overloaded.", type="server_error")
    )
    patient = Policy(max_attempts=10**9, deadline=None)
    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.3):
            await run_batch(client, ["Hi"], model="gpt-4o", policy=patient)
    # type: ignore[union-attr]
    assert isinstance(
        raised.value.__context__.results[0].error, openai.InternalServerError
    )
    assert answers.prompts


async def test_a_mistake_of_the_program_ends_the_run() -> None:
    """An exception that is not caused by a request is raised, not hidden in a result."""

    def answer(prompt: str, _: int) -> ApiAnswer:
        raise ZeroDivisionError

    client, answers = client_of(answer)
    with pytest.raises(ZeroDivisionError):
        await run_batch(client, PROMPTS, model="gpt-4o")
    assert len(answers.prompts) == 1


async def test_the_cap_stops_before_the_call_that_could_break_it(
    tmp_path: Path,
) -> None:
    """A run never spends more than max_cost, even if every call in flight costs as much as it
    can.
    """
    prompts = PROMPTS[:10]
    client = client_with(tmp_path, prompts, {"max_completion_tokens": 2})
    # 14 tokens in and 2 out; the estimate for the prompt may be a few tokens too low
    price = Decimal("0.000055")
    results = await run_batch(
        client,
        prompts,
        model="gpt-4o",
        max_completion_tokens=2,
        max_cost=price * 4,
    )
    assert len(results.answered) == 4 and results.cost <= price * 4
    assert "max_cost leaves" in str(results.stopped) and isinstance(
        results.failed[0].error, NotSent
    )


async def test_an_answer_that_did_not_arrive_counts_for_the_cap() -> None:
    """An attempt that timed out may still be billed, so it counts at its maximum cost, and it is
    retried only if both attempts fit the budget.
    """
    client, answers = client_of(lambda *_: ApiAnswer(after=NEVER))
    options = {"model": "gpt-4o", "max_completion_tokens": 1000, "timeout": 1.0}
    results = await run_batch(client, ["Hi"], max_cost=0.025, **options)
    assert len(answers.prompts) == 2  # a cent each
    assert isinstance(results[0].error, openai.APITimeoutError)
    assert "may have been billed for answers that did not arrive" in str(
        results.stopped
    )


async def test_a_cap_needs_a_bound_on_each_call() -> None:
    """max_cost is refused before anything is sent if max_completion_tokens is missing or the model
    has no price.
    """
    client, answers = client_of(lambda *_: whole())
    with pytest.raises(
        ValueError, match="request-1 has no max_completion_tokens"
    ):
        await run_batch(client, ["Hi"], model="gpt-4o", max_cost=1)
    with (
        pytest.raises(ValueError, match="max_cost cannot be enforced"),
        pytest.warns(EstimatedTokens),
    ):
        await run_batch(
            client, ["Hi"], model="my-own", max_completion_tokens=5, max_cost=1
        )
    with pytest.raises(ValueError, match="max_cost=-1 is not an amount"):
        await run_batch(client, ["Hi"], model="gpt-4o", max_cost=-1)
    assert answers.prompts == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rpm": 0}, "rpm=0 is not a limit"),
        ({"tpm": float("nan")}, "tpm=nan is not a limit"),
        ({"max_concurrency": 0}, "max_concurrency=0"),
        ({"max_concurrency": 2.5}, "max_concurrency=2.5: give a whole number"),
    ],
)
async def test_limits_that_are_none_are_refused(
    options: dict[str, float], message: str
) -> None:
    """An invalid limit is an error before anything is sent."""
    client, answers = client_of(lambda *_: whole())
    with pytest.raises(ValueError, match=message):
        await run_batch(client, ["Hi"], model="gpt-4o", **options)
    assert answers.prompts == []


async def test_a_sync_client_is_refused() -> None:
    """run_batch says which client it accepts."""
    with (
        connect() as client,
        pytest.raises(
            TypeError,
            match=r"needs a client from connect_async\(\), but got a sync client",
        ),
    ):
        await run_batch(client, ["Hi"], model="gpt-4o")  # type: ignore[arg-type]


async def test_nothing_to_do_is_no_error() -> None:
    """An empty list gives no results, and sends nothing."""
    client, answers = client_of(lambda *_: whole())
    results = await run_batch(client, [], model="gpt-4o")
    assert (
        list(results) == [] and results.texts() == [] and answers.prompts == []
    )


async def test_batch_completions_is_the_tutorials_function(
    tmp_path: Path,
) -> None:
    """batch_completions() returns the texts in order and sends five requests at a time. If a
    request has no answer, it raises an error.
    """
    more = {"model": "gpt-4o-mini", "max_completion_tokens": 200}
    client = client_with(tmp_path, PROMPTS, more)
    assert await batch_completions(client, PROMPTS) == [
        f"Answer to {prompt}" for prompt in PROMPTS
    ]
    begun = times(client)
    assert (
        max(sum(at <= other < at + LATENCY for other in begun) for at in begun)
        == 5
    )
    with pytest.raises(Unanswered):
        await batch_completions(client, [*PROMPTS, "never recorded"])
    assert statuses(client).count(200) == 80
