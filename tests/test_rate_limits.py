"""Rate limits: the arithmetic of genuine headers and refusals, on a clock that is passed in."""

from __future__ import annotations

import json
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import RecordingNotFound, connect, price_of
from coursekit.offline import Account
from coursekit.offline.clock import ScaledClock, VirtualClock
from coursekit.offline.exchange import ApiAnswer, error_answer
from coursekit.offline.limits.account import account_of
from coursekit.offline.limits.billing import cost
from coursekit.offline.limits.errors import go_duration
from coursekit.offline.limits.estimate import estimated_tokens, output_limit
from coursekit.offline.limits.rate_limits import RateLimits
from coursekit.wired import wired_to
from support.offline_api import (
    Says,
    completion,
    folder_with,
    params,
    request,
    streamed,
    whole,
)

SIX = {
    f"x-ratelimit-{what}-{unit}"
    for what in ("limit", "remaining", "reset")
    for unit in ("requests", "tokens")
}


def limited(
    account: Account | None,
    *,
    answer: ApiAnswer | None = None,
    clock: VirtualClock | None = None,
) -> RateLimits:
    return RateLimits(Says(answer or whole()), account, clock or VirtualClock())


def told(answer: ApiAnswer) -> dict[str, Any]:
    """The error in an answer."""
    return json.loads(answer.body)["error"]


def six(answer: ApiAnswer) -> dict[str, str]:
    return {
        name.removeprefix("x-ratelimit-"): value
        for name, value in answer.headers.items()
        if name in SIX
    }


# --- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (120, "120ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1200, "1.2s"),
        (8640, "8.64s"),
        (16_088, "16.088s"),
        (60_000, "1m0s"),
        (86_400, "1m26.4s"),
        (360_000, "6m0s"),
        (1_296_001, "21m36.001s"),
        (3_600_000, "1h0m0s"),
        (3_723_400, "1h2m3.4s"),
        (299_439_057, "83h10m39.057s"),
    ],
)
def test_times_as_go_prints_them(milliseconds: int, text: str) -> None:
    """Durations look as they do in genuine headers, in Go's format."""
    assert go_duration(milliseconds) == text


def test_the_headers_of_a_first_request() -> None:
    """For a new account, the headers show one request and its estimated tokens as used. These are
    genuine numbers for gpt-4.1 with 500 RPM and 30,000 TPM, where a request with 68 characters left
    29,982 tokens.
    """
    body = {
        "model": "gpt-4.1",
        "messages": [
            {"role": "system", "content": "x" * 28},
            {"role": "user", "content": "x" * 30},
        ],
    }
    assert six(limited(Account()).answer(request(body))) == {
        "limit-requests": "500",
        "remaining-requests": "499",
        "reset-requests": "120ms",
        "limit-tokens": "30000",
        "remaining-tokens": "29982",
        "reset-tokens": "36ms",
    }


@pytest.mark.parametrize(
    ("status", "shown"),
    [(200, True), (400, True), (401, False), (404, False), (500, False)],
)
@pytest.mark.parametrize("account", [None, Account()])
def test_which_answers_carry_the_headers(
    account: Account | None, status: int, shown: bool
) -> None:
    """As in genuine answers, 200 and 400 have all six headers, and 401, 404, and 5xx have none."""
    answer = whole() if status == 200 else error_answer(status, "No.")
    assert set(
        SIX & set(limited(account, answer=answer).answer(request()).headers)
    ) == (SIX if shown else set())


def test_without_limits_nothing_is_refused() -> None:
    """Without an account, every request passes, with the headers of an idle account, which are the
    same at any time.
    """
    clock = VirtualClock()
    api = limited(None, clock=clock)
    shown = []
    for _ in range(2000):
        answer = api.answer(request())
        assert answer.status == 200
        shown.append(six(answer))
    assert shown[0] == shown[-1] and shown[0]["remaining-requests"] == "499"


def test_recorded_headers_stay_unless_there_is_an_account() -> None:
    """The recorded headers are shown unchanged. With an account, the headers show what that account
    has left.
    """
    recorded = {
        "content-type": "application/json",
        "x-ratelimit-limit-requests": "30000",
    }
    answer = ApiAnswer(200, recorded, whole().body)
    assert limited(None, answer=answer).answer(request()).headers == recorded
    assert (
        six(limited(Account(rpm=7), answer=answer).answer(request()))[
            "limit-requests"
        ]
        == "7"
    )


def test_other_paths_are_no_matter() -> None:
    """Only chat completions are limited; a list of models is not."""
    api = limited(Account(rpm=1))
    for _ in range(3):
        assert not six(api.answer(type(request())("GET", "/v1/models")))


# --- the estimate ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ([("user", "x" * 13)], 6),
        ([("user", "x" * 34)], 11),
        ([("user", "x" * 1908)], 479),
        ([("system", "x" * 36), ("user", "x" * 205)], 64),
        ([("system", "x" * 53), ("user", "x" * 36)], 26),
    ],
)
def test_the_estimate_of_genuine_requests(
    messages: list[tuple[str, str]], tokens: int
) -> None:
    """The estimates match genuine requests' lengths and the usage in their answers' x-ratelimit
    headers.
    """
    assert (
        estimated_tokens(
            {
                "messages": [
                    {"role": role, "content": text} for role, text in messages
                ]
            }
        )
        == tokens
    )


def test_parts_images_and_what_is_not_counted() -> None:
    """Text parts count as text, an image counts as 765 tokens, and tools and tool calls do not
    count.
    """
    parts = [
        {"type": "text", "text": "x" * 24},
        {"type": "image_url", "image_url": {"url": "data:…"}},
    ]
    assert (
        estimated_tokens({"messages": [{"role": "user", "content": parts}]})
        == 7 + 1 + 765
    )
    called = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1"}],
    }
    assert (
        estimated_tokens(
            {"messages": [called], "tools": [{"type": "function"}] * 9}
        )
        == 1 + 1
    )


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "text"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "n", "max_tokens", "max_completion_tokens"]
        ),
        ANY_JSON,
    )
)
def test_a_wrong_request_is_estimated_too(body: dict[str, Any]) -> None:
    """Every request gets an estimate. Validation reports what is wrong with it."""
    assert estimated_tokens(body) >= 1 and output_limit(body) >= 0


# --- refusals -------------------------------------------------------------------------------------


def test_too_many_requests() -> None:
    """At 3 RPM, the fourth request gets the genuine refusal, word for word, with its headers."""
    api = limited(Account(rpm=3, organization="org-x"))
    assert [
        api.answer(request(params(model="gpt-3.5-turbo"))).status
        for _ in range(3)
    ] == [200] * 3
    refused = api.answer(request(params(model="gpt-3.5-turbo")))
    assert (refused.status, told(refused)) == (
        429,
        {
            "message": "Rate limit reached for gpt-3.5-turbo in organization org-x on requests per min (RPM): Limit 3, "
            "Used 3, Requested 1. Please try again in 20s. Visit "
            "https://platform.openai.com/account/rate-limits to "
            "learn more.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        },
    )
    assert (
        refused.headers["retry-after"],
        refused.headers["retry-after-ms"],
    ) == (
        "20",
        "20000",
    )
    assert six(refused)["remaining-requests"] == "0" and refused.headers[
        "content-type"
    ].endswith("charset=utf-8")


@pytest.mark.parametrize(
    ("used", "requested", "wait"),
    [
        (29_937, 385, "644ms"),
        (18_928, 11_159, "174ms"),
        (28_039, 3_906, "3.89s"),
        (14_567, 24_754, "18.642s"),
    ],
)
def test_too_many_tokens(used: int, requested: int, wait: str) -> None:
    """In the numbers that users reported from 2024 to 2026, the wait is the excess divided by the
    limit's rate.
    """
    account = Account(tpm=30_000)
    assert account.admit("gpt-4o", used, 0.0)[1] is None
    refused = account.admit("gpt-4o", requested, 0.0)[1]
    assert refused is not None
    assert told(refused)["message"] == (
        "Rate limit reached for gpt-4o in organization org-offline on tokens per min (TPM): "
        f"Limit 30000, Used {used}, "
        f"Requested {requested}. Please try again in {wait}. Visit "
        "https://platform.openai.com/account/rate-limits to "
        "learn more."
    )
    assert (
        told(refused)["type"] == "tokens"
        and go_duration(int(refused.headers["retry-after-ms"])) == wait
    )


@given(st.integers(1, 300_000), st.data())
def test_waiting_as_told_is_enough(tpm: int, data: st.DataObject) -> None:
    """After a refusal for tokens, the same request passes after the stated time, but not after half
    of it.
    """
    account = Account(rpm=1_000_000, tpm=tpm)
    first, second = (data.draw(st.integers(1, tpm)) for _ in range(2))
    account.admit("gpt-4o", first, 5.0)
    refused = account.admit("gpt-4o", second, 5.0)[1]
    if refused is None:
        assert first + second <= tpm
        return
    wait = int(refused.headers["retry-after-ms"]) / 1000
    if wait > 0.01:
        assert (
            account.admit("gpt-4o", second, 5.0 + wait / 2 - 0.002)[1]
            is not None
        )
    assert account.admit("gpt-4o", second, 5.0 + wait)[1] is None


def test_a_request_above_the_whole_limit() -> None:
    """If waiting cannot make a request possible, the refusal says so, without Retry-After, and
    counts as a request.
    """
    api = limited(Account(rpm=10, tpm=1000))
    refused = api.answer(request(params("x" * 6000)))
    assert told(refused) == {
        "message": "Request too large for gpt-4o in organization org-offline on tokens per min (TPM): Limit 1000, "
        "Requested 1502. The input or output tokens must be reduced in order to run successfully. "
        "Visit "
        "https://platform.openai.com/account/rate-limits to learn more.",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert not {"retry-after", "retry-after-ms"} & set(refused.headers)
    assert (
        six(refused)["remaining-requests"],
        six(refused)["remaining-tokens"],
    ) == (
        "9",
        "1000",
    )


def test_output_that_was_asked_for_is_set_aside() -> None:
    """As documented, a request takes its max_completion_tokens for each of its n choices if they
    exceed its prompt. With ``reserve_output=False``, it takes only the prompt, as genuine headers
    show.
    """
    body = params(max_completion_tokens=400, n=2)
    assert (
        six(limited(Account(tpm=1000)).answer(request(body)))[
            "remaining-tokens"
        ]
        == "200"
    )
    small = six(
        limited(Account(tpm=1000, reserve_output=False)).answer(request(body))
    )
    assert small["remaining-tokens"] == str(1000 - estimated_tokens(body))


def test_refused_requests_count() -> None:
    """Retrying too early never helps, because each refusal keeps the bucket full. A client that
    waits as Retry-After says is served.
    """
    account = Account(rpm=6)  # one every 10 s
    for _ in range(6):
        account.admit("gpt-4o", 1, 0.0)
    assert all(
        account.admit("gpt-4o", 1, float(t))[1] for t in range(0, 600, 5)
    )
    assert account.admit("gpt-4o", 1, 595.0 + 10)[1] is None


def test_refused_requests_take_no_tokens() -> None:
    """A refusal costs a request, but no tokens."""
    account = Account(rpm=100, tpm=1000)
    account.admit("gpt-4o", 900, 0.0)
    for _ in range(5):
        headers, refused = account.admit("gpt-4o", 200, 0.0)
        assert refused is not None
    assert (
        headers["x-ratelimit-remaining-requests"],
        headers["x-ratelimit-remaining-tokens"],
    ) == (
        "94",
        "100",
    )


def test_each_model_has_its_own_limits() -> None:
    """Models are limited separately, except that a snapshot shares its alias's limit. Unknown names
    share one account.
    """
    account = Account(rpm=1, models={"gpt-4o": {"rpm": 2}})

    def passes(model: str) -> bool:
        return account.admit(model, 1, 0.0)[1] is None

    assert [
        passes("gpt-4o"),
        passes("gpt-4o-2024-08-06"),
        passes("gpt-4o"),
    ] == [
        True,
        True,
        False,
    ]
    assert [passes("gpt-4o-mini"), passes("gpt-4o-mini")] == [True, False]
    assert [passes("made-up-1"), passes("made-up-2")] == [True, False]
    assert (
        Account().limits("gpt-4o-mini").rpm,
        Account().limits("gpt-4o").tpm,
    ) == (
        10_000,
        30_000,
    )


# --- arithmetic over time -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "tokens", "burst", "each_second"),
    [
        ({"rpm": 60}, 5, 60, 1),
        ({"rpm": 600, "tpm": 6000}, 100, 60, 1),
        ({"rpm": 30, "tpm": 6000}, 100, 30, 0.5),
    ],
)
def test_a_virtual_hour(
    limits: dict[str, int], tokens: int, burst: int, each_second: float
) -> None:
    """Simulating a polite client for an hour takes less than a second, and its counts match the
    arithmetic: the burst from the full bucket, then one request per refill.
    """
    clock, account = VirtualClock(), Account(**{"tpm": 10**9, **limits})  # type: ignore[arg-type]
    answered = refused = 0
    started = time.process_time()
    while clock.now() < 3600:
        _, refusal = account.admit("gpt-4o", tokens, clock.now())
        if refusal is None:
            answered += 1
            continue
        refused += 1
        clock.wait(clock.now() + int(refusal.headers["retry-after-ms"]) / 1000)
    assert time.process_time() - started < 1
    assert answered == pytest.approx(burst + 3600 * each_second, abs=1)
    assert refused == pytest.approx(3600 * each_second, abs=1)


def test_a_virtual_hour_of_the_sdk(tmp_path: Path) -> None:
    """The counts are the same with the SDK, whose own retries wait as long as Retry-After says: 3
    requests immediately, and then one every 20 s, which is 183 in an hour.
    """
    client = connect(
        "replay",
        recordings=folder_with(tmp_path, (params(), whole())),
        rate_limit={"rpm": 3},
        speed="instant",
    )
    clock, answered, started = wired_to(client).clock, 0, time.process_time()
    while clock.now() < 3600:
        client.chat.completions.create(**params())
        answered += 1
    assert answered == 3 + 180
    assert [a.status for a in wired_to(client).ledger].count(429) == 180
    assert time.process_time() - started < 3


@given(
    rpm=st.integers(1, 50),
    tpm=st.integers(100, 5000),
    steps=st.lists(
        st.tuples(st.floats(0, 30), st.integers(1, 2000)),
        min_size=1,
        max_size=60,
    ),
)
def test_never_more_than_the_limit(
    rpm: int, tpm: int, steps: list[tuple[float, int]]
) -> None:
    """Whatever is requested and when, no more passes between any two accepted requests than a full
    bucket and its refill, and the remaining amount that is reported is between nothing and the
    limit.
    """
    account, now, passed = Account(rpm=rpm, tpm=tpm), 0.0, []
    for gap, tokens in steps:
        now += gap
        headers, refusal = account.admit("gpt-4o", tokens, now)
        if refusal is None:
            passed.append((now, tokens))
        assert 0 <= int(headers["x-ratelimit-remaining-requests"]) <= rpm
        assert 0 <= int(headers["x-ratelimit-remaining-tokens"]) <= tpm
    for i, (start, _) in enumerate(passed):
        total = 0
        for number, (end, tokens) in enumerate(passed[i:], start=1):
            total += tokens
            assert number <= rpm + (end - start) * rpm / 60 + 1e-3
            assert total <= tpm + (end - start) * tpm / 60 + 1e-3


def test_time_that_runs_backwards_refills_nothing() -> None:
    """An earlier time than before is neither a refill nor an error, because clients' clocks may
    differ.
    """
    account = Account(rpm=1)
    assert account.admit("gpt-4o", 1, 100.0)[1] is None
    assert account.admit("gpt-4o", 1, 0.0)[1] is not None
    assert account.admit("gpt-4o", 1, 130.0)[1] is not None
    assert account.admit("gpt-4o", 1, 191.0)[1] is None


def test_thirty_threads_share_a_limit() -> None:
    """If thirty threads send 3,000 requests at the same time, exactly as many pass as the limit
    allows.
    """
    account, passed = Account(rpm=100, tpm=10**9), []

    def ask() -> None:
        passed.extend(
            account.admit("gpt-4o", 1, 0.0)[1] is None for _ in range(100)
        )

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(passed), sum(passed)) == (3000, 100)


# --- money ----------------------------------------------------------------------------------------


def test_a_spending_cap() -> None:
    """After the cap is reached, every request gets insufficient_quota, without x-ratelimit headers
    or Retry-After.
    """
    price = price_of(completion()["usage"], "gpt-4o").total
    account = Account(spend=price * 3)
    api = limited(account)
    assert [api.answer(request()).status for _ in range(3)] == [200] * 3
    refused = api.answer(request())
    assert told(refused) == {
        "message": "You exceeded your current quota, please check your plan and billing details. For more information "
        "on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
    assert (
        set(refused.headers) == {"content-type"} and account.spent == price * 3
    )


def test_no_money_at_all() -> None:
    """A cap of 0 refuses the first request."""
    assert (
        told(limited(Account(spend=0)).answer(request()))["code"]
        == "insufficient_quota"
    )


def test_what_is_refused_costs_nothing() -> None:
    """Errors and refusals are not billed."""
    account = Account(spend=1.0)
    limited(account, answer=error_answer(400, "No.")).answer(request())
    assert account.spent == 0


def test_a_stream_is_billed_with_or_without_usage() -> None:
    """A stream's usage is the one that it reports. If it reports none, the tokens of its prompt
    and text are counted.
    """
    body = params()
    told_usage = price_of(completion()["usage"], "gpt-4o").total
    assert cost(streamed(["Par", "is", "."]), body) == told_usage
    events = [
        event
        for event in streamed(["Par", "is", "."]).events or ()
        if b'"choices":[]' not in event.data
    ]
    silent = ApiAnswer(200, {}, events=tuple(events))
    # "Paris." is two tokens
    counted = {
        "prompt_tokens": 14,
        "completion_tokens": 2,
    }
    assert cost(silent, body) == price_of(counted, "gpt-4o").total


def test_a_model_without_a_price_costs_nothing() -> None:
    """A request without a known price is not billed, but is not refused either."""
    assert cost(whole(), {"model": "made-up"}) == Decimal(0)


# --- through connect() ----------------------------------------------------------------------------


def test_a_limit_through_the_sdk(tmp_path: Path) -> None:
    """The SDK raises its RateLimitError with the status, code, headers, and a request ID."""
    folder = folder_with(tmp_path, (params(), whole()))
    client = connect(
        "replay",
        recordings=folder,
        rate_limit={"rpm": 1},
        speed="instant",
        max_retries=0,
    )
    client.chat.completions.create(**params())
    with pytest.raises(openai.RateLimitError) as error:
        client.chat.completions.create(**params())
    assert (error.value.code, error.value.type) == (
        "rate_limit_exceeded",
        "requests",
    )
    assert error.value.response.headers["retry-after-ms"] == "60000"
    assert str(error.value.request_id).startswith("req_")


def test_clients_share_an_account_and_its_clock(tmp_path: Path) -> None:
    """Two clients with one account share its limit, its time, and its money."""
    folder, account = folder_with(tmp_path, (params(), whole())), Account(rpm=2)
    one, two = (
        connect(
            "replay",
            recordings=folder,
            rate_limit=account,
            speed="instant",
            max_retries=0,
        )
        for _ in range(2)
    )
    one.chat.completions.create(**params())
    two.chat.completions.create(**params())
    with pytest.raises(openai.RateLimitError):
        one.chat.completions.create(**params())
    assert wired_to(one).clock is wired_to(two).clock
    with pytest.raises(ValueError, match="give them the same speed="):
        connect("replay", recordings=folder, rate_limit=account, speed=10)


def test_a_miss_is_no_matter_of_limits(tmp_path: Path) -> None:
    """A missing recording raises the same error with and without an account."""
    with pytest.raises(RecordingNotFound):
        connect(
            "replay",
            recordings=tmp_path,
            rate_limit={"rpm": 3},
            speed="instant",
        ).chat.completions.create(**params())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"rpm": 0},
            "rpm=0 is not a limit. Give a whole number per minute, 1 or more.",
        ),
        ({"tpm": 2.5}, "tpm=2.5 is not a limit"),
        ({"rpm": True}, "rpm=True is not a limit"),
        ({"spend": -1}, "spend=-1 is not an amount"),
        ({"spend": "1"}, "spend='1' is not an amount"),
        (
            {"rmp": 3},
            (
                "rate_limit has no 'rmp'. Did you mean \"rpm\"? It takes rpm, tpm, spend, models, "
                "reserve_output"
            ),
        ),
        ({"models": {"gpt-4o": 3}}, "The limits of model 'gpt-4o' are 3."),
        (
            {"models": {"gpt-4o": {"rpm": None}}},
            "rpm of model 'gpt-4o' is None",
        ),
        (60, 'rate_limit=60 is not a limit. Give a dict like {"rpm": 60'),
    ],
)
def test_what_is_no_limit(asked: Any, message: str) -> None:
    """An invalid limit is refused with a message that says what is valid."""
    with pytest.raises(ValueError, match="is no|has no|are 3|is None") as error:
        account_of(asked)
    assert message in str(error.value)


def test_real_time_works_too() -> None:
    """On a real-time clock, a bucket refills by itself."""
    clock = ScaledClock(1000)
    api = RateLimits(Says(whole()), Account(rpm=60, tpm=10**6), clock)
    for _ in range(60):
        api.answer(request())
    clock.wait(clock.now() + 5)
    assert api.answer(request()).status == 200


@pytest.mark.parametrize(
    ("model", "tokens", "named"),
    [
        ("gpt-4o", 40_000, "gpt-4o"),
        ("gpt-4o-2024-08-06", 40_000, "gpt-4o-2024-08-06 (for limit gpt-4o)"),
        ("gpt-4.1", 130_000, "gpt-4.1 (for limit gpt-4.1-long-context)"),
        ("gpt-3.5-turbo-0125", 40_000, "gpt-3.5-turbo-0125"),
    ],
)
def test_a_refusal_names_whose_limit_it_is(
    model: str, tokens: int, named: str
) -> None:
    """A snapshot's refusal names the model whose limit it shares, and a long prompt's refusal names
    the limit for long context.
    """
    _, refusal = Account(rpm=10, tpm=30_000).admit(model, tokens, 0.0)
    assert (
        refusal is not None
        and f"Request too large for {named} in organization"
        in refusal.body.decode()
    )
