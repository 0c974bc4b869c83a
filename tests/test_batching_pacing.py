"""coursekit.batching.pacing: two budgets, given or learned, and no request that the server would
refuse.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import connect_async, run_batch
from coursekit.batching.pacing import (
    GivenRate,
    Pacer,
    Tokens,
    go_seconds,
    limit_in,
)
from coursekit.offline.clock import VirtualClock
from coursekit.offline.engine import OfflineApi
from coursekit.offline.exchange import ApiAnswer
from coursekit.offline.limits.account import Account, MinuteLimits
from coursekit.offline.limits.errors import go_duration
from coursekit.wired import wired_to
from support.batching_stand_in import (
    LATENCY,
    client_of,
    client_with,
    statuses,
    times,
)
from support.offline_api import whole

pytestmark = pytest.mark.slow

PROMPTS = [f"Question {i}?" for i in range(100)]
LEFT = 10


def used_account(
    *,
    rpm: int = 100_000,
    tpm: int = 100_000_000,
    left: int = LEFT,
    each: int = 4,
    **more: Any,
) -> Account:
    """An account that has this number of requests, and ``each`` tokens for each of them, left in
    its minute.
    """
    account = Account(rpm=rpm, tpm=tpm, **more)
    for bucket, limit, rest in zip(
        account._of("gpt-4o")[1:], (rpm, tpm), (left, left * each), strict=True
    ):
        bucket.level, bucket.at = max(0, limit - rest), 0.0
    return account


def refusals(client: openai.AsyncOpenAI) -> int:
    return statuses(client).count(429)


@pytest.mark.parametrize("options", [{}, {"rpm": 60}], ids=["learnt", "given"])
async def test_a_limit_of_requests_is_used_up_without_a_refusal(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """With 10 of 60 requests left, 100 requests take little more than the 90 s that the limit
    requires, without a 429, whether the limit is given or learned.
    """
    client = client_with(tmp_path, PROMPTS, rate_limit=used_account(rpm=60))
    results = await run_batch(client, PROMPTS, model="gpt-4o", **options)
    assert (
        len(results.answered) == 100
        and refusals(client) == results.refused == 0
    )
    assert 90 + LATENCY <= results.seconds <= 1.03 * (90 + LATENCY)


@pytest.mark.parametrize(
    "options", [{}, {"tpm": 3000}], ids=["learnt", "given"]
)
async def test_a_limit_of_tokens_is_used_up_without_a_refusal(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    """The same applies to tokens, of which a request takes its max_completion_tokens."""
    more = {"max_completion_tokens": 50}
    client = client_with(
        tmp_path, PROMPTS, more, rate_limit=used_account(tpm=3000, each=50)
    )
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", **more, **options
    )
    assert len(results.answered) == 100 and refusals(client) == 0
    assert 90 + LATENCY <= results.seconds <= 1.03 * (90 + LATENCY)


async def test_what_is_left_goes_at_once(tmp_path: Path) -> None:
    """The requests that the first answer's headers show as remaining are sent together, and no
    more. After that, the limit sets the pace.
    """
    client = client_with(tmp_path, PROMPTS, rate_limit={"rpm": 60})
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    assert (
        refusals(client) == 0
        and sum(at <= 2 * LATENCY for at in times(client)) == 60
    )
    assert 40 + LATENCY <= results.seconds <= 1.03 * (40 + LATENCY)


async def test_a_lower_rate_of_ones_own_is_kept_evenly(tmp_path: Path) -> None:
    """A given rate below the server's limit is followed evenly, from the first request on."""
    client = client_with(tmp_path, PROMPTS[:20], rate_limit={"rpm": 500})
    await run_batch(client, PROMPTS[:20], model="gpt-4o", rpm=30)
    gaps = [
        later - earlier for earlier, later in itertools.pairwise(times(client))
    ]
    assert gaps == pytest.approx([2.0] * 19)


async def test_a_rate_of_tokens_is_corrected_by_the_usage() -> None:
    """From a given token rate, requests take what they actually use: 16 tokens each, whatever was
    estimated.
    """
    client, _ = client_of(lambda *_: whole(after=LATENCY))
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", tpm=16 * 60, max_completion_tokens=160
    )
    assert results.seconds == pytest.approx(99, rel=0.05)


async def test_a_limit_that_is_lowered_in_mid_run_is_followed(
    tmp_path: Path,
) -> None:
    """If the headers show half the limit, the pace is halved, at the cost of a few refusals at
    most.
    """
    client = client_with(
        tmp_path, PROMPTS, rate_limit=(account := used_account(rpm=60))
    )
    admit, lowered = account.admit, False

    def lowering(
        model: str, tokens: int, now: float
    ) -> tuple[dict[str, str], ApiAnswer | None]:
        nonlocal lowered
        if now > 40 and not lowered:
            lowered, account.rpm = True, 30
            account._buckets.clear()
            bucket = account._of(model)[1]
            bucket.level, bucket.at = 30, now
        return admit(model, tokens, now)

    account.admit = lowering  # type: ignore[method-assign]
    results = await run_batch(client, PROMPTS, model="gpt-4o")
    least = 40 + (100 - LEFT - 40) * 2 + LATENCY
    assert len(results.answered) == 100 and results.refused <= 2
    # the time of three requests, one of which the refusal takes
    assert least <= results.seconds <= least + 3 * 2


async def test_who_else_uses_the_account_is_heard_of(tmp_path: Path) -> None:
    """Two runs that do not know about each other share an account and use all of it, with hardly
    any refusals.
    """
    account = used_account(rpm=60)
    one = client_with(tmp_path, PROMPTS, rate_limit=account)
    other = connect_async(
        "replay", recordings=tmp_path, speed="instant", rate_limit=account
    )
    both = await asyncio.gather(
        run_batch(one, PROMPTS, model="gpt-4o"),
        run_batch(other, PROMPTS, model="gpt-4o"),
    )
    assert all(len(results.answered) == 100 for results in both)
    assert sum(results.refused for results in both) <= 20
    assert max(results.seconds for results in both) <= 1.1 * 190


async def test_an_account_that_takes_the_prompt_alone_is_noticed(
    tmp_path: Path,
) -> None:
    """If the headers show, as genuine ones do, that max_completion_tokens are not deducted, the
    setting delays nothing.
    """
    more = {"max_completion_tokens": 2000}
    limits = {"rpm": 10_000, "tpm": 10_000}
    honest = client_with(
        tmp_path, PROMPTS, more, rate_limit={**limits, "reserve_output": False}
    )
    assert (
        await run_batch(honest, PROMPTS, model="gpt-4o", **more)
    ).seconds < 1
    strict = client_with(tmp_path, PROMPTS[:15], more, rate_limit=limits)
    results = await run_batch(strict, PROMPTS[:15], model="gpt-4o", **more)
    # five immediately, then one every 12 s
    assert results.refused == 0 and results.seconds == pytest.approx(
        120 + LATENCY, rel=0.03
    )


async def test_each_model_has_limits_of_its_own(tmp_path: Path) -> None:
    """Requests to two models are paced by each model's own limits."""
    limits = {"models": {"gpt-4o": {"rpm": 30}, "gpt-4o-mini": {"rpm": 60}}}
    client, _ = client_of(lambda *_: whole(after=LATENCY))
    clock: VirtualClock = wired_to(client).clock
    # type: ignore[attr-defined]
    client._client._transport.api = OfflineApi(
        client._client._transport.api, clock, rate_limit=limits
    )
    requests = [
        {"model": model, "messages": [{"role": "user", "content": prompt}]}
        for prompt in PROMPTS[:45]
        for model in ("gpt-4o", "gpt-4o-mini")
    ]
    results = await run_batch(client, requests)
    assert len(results.answered) == 90 and results.refused == 0
    # 15 more than the 30 that may go immediately, one every 2 s
    assert 30 <= results.seconds <= 33


async def test_a_refusal_holds_everybody_until_it_says_so() -> None:
    """After a 429, nothing is sent before its Retry-After is over."""
    refused = Account(rpm=1)
    refused.admit("gpt-4o", 1, 0.0)
    _, answer = refused.admit("gpt-4o", 1, 0.0)
    assert answer is not None and float(answer.headers["retry-after"]) == 60
    client, _ = client_of(
        lambda prompt, asked: (
            answer
            if prompt == PROMPTS[2] and not asked
            else whole(after=LATENCY)
        )
    )
    await run_batch(client, PROMPTS[:10], model="gpt-4o", max_concurrency=1)
    begun = times(client)
    assert (
        begun[2] < 1 and all(at >= 60 for at in begun[3:]) and len(begun) == 11
    )


async def test_without_headers_nothing_is_limited() -> None:
    """A server that does not report limits gets requests as fast as max_concurrency allows."""
    client, _ = client_of(lambda *_: whole(after=1.0))
    results = await run_batch(
        client, PROMPTS, model="gpt-4o", max_concurrency=50
    )
    assert results.seconds == pytest.approx(3)  # one alone, 50, and 49


@given(
    st.floats(1, 10_000),
    st.lists(
        st.tuples(st.floats(0, 30), st.floats(0, 500)), min_size=1, max_size=40
    ),
)
def test_a_given_rate_is_never_exceeded(
    per_minute: float, requests: list[tuple[float, float]]
) -> None:
    """In any period, a rate allows as many requests as fit the period, plus one second's worth and
    one request.
    """
    rate, now, sent = GivenRate(per_minute, 0.0), 0.0, []
    for pause, cost in requests:
        now = max(now + pause, rate.earliest(now + pause))
        rate.take(cost, now)
        sent.append((now, cost))
    for i, (begin, _) in enumerate(sent):
        for j in range(i, len(sent)):
            end, last = sent[j]
            allowed = per_minute / 60 * (end - begin + 1.0) + last
            assert (
                sum(cost for _, cost in sent[i : j + 1])
                <= allowed * (1 + 1e-9) + 1e-6
            )


@given(
    st.integers(1, 5000),
    st.integers(1, 200_000),
    st.floats(0, 1),
    st.floats(0, 2),
    st.lists(
        st.tuples(st.integers(1, 400), st.floats(0, 20)),
        min_size=1,
        max_size=60,
    ),
)
def test_what_the_pacer_sends_the_account_admits(
    rpm: int,
    tpm: int,
    used: float,
    latency: float,
    requests: list[tuple[int, float]],
) -> None:
    """Whatever its limits and its usage, an account refuses nothing that a pacer sends, except a
    request above the entire limit, if the pacer receives each answer after ``latency`` seconds.
    """
    account, pacer, now = Account(rpm=rpm, tpm=tpm), Pacer(None, None, 0.0), 0.0
    for bucket, limit in zip(
        account._of("gpt-4o")[1:], (rpm, tpm), strict=True
    ):
        bucket.level, bucket.at = max(0.0, used * limit - 1), 0.0
    flying: list[tuple[float, Any, dict[str, str]]] = []
    first = True
    for asked, pause in requests:
        tokens, now = Tokens(asked, asked), now + pause
        while (at := pacer.earliest(tokens, now)) > now or (
            flying and flying[0][0] <= now
        ):
            if flying and flying[0][0] <= at:
                due, ticket, headers = flying.pop(0)
                now = max(now, due)
                pacer.back(ticket, headers, answered=True)
            else:
                now = at
        ticket = pacer.take(tokens, now)
        headers, refused = account.admit("gpt-4o", asked, now)
        if first or asked > tpm:  # nothing was known; or no wait helps
            if refused is not None:
                pacer.refused(now + 60)
        else:
            assert refused is None
        first = False
        flying.append((now + latency, ticket, headers))


@given(st.integers(0, 400_000_000))
def test_durations_are_read_as_go_writes_them(milliseconds: int) -> None:
    """A duration in a header, such as "1m26.4s", is read correctly."""
    assert go_seconds(go_duration(milliseconds)) == pytest.approx(
        milliseconds / 1000
    )


@pytest.mark.parametrize("text", ["5", "soon", "1d", "s5"])
def test_a_time_that_is_none_tells_nothing(text: str) -> None:
    """Headers that cannot be read count as missing."""
    headers = {
        **MinuteLimits(60, 1000).headers(1, 10),
        "x-ratelimit-reset-requests": text,
    }
    assert (
        limit_in(headers, "requests") is None
        and limit_in(headers, "tokens") is not None
    )
    assert limit_in({}, "tokens") is None
    assert (
        limit_in(
            {
                "x-ratelimit-limit-tokens": "inf",
                "x-ratelimit-remaining-tokens": "1",
            },
            "tokens",
        )
        is None
    )


def test_a_limit_for_a_day_is_told_by_its_reset() -> None:
    """One of 10,000 requests per day is refilled in 8.64 s, and one of 10,000 per minute in 6 ms.
    Genuine headers show both.
    """
    headers = {
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
    }
    assert limit_in(
        {**headers, "x-ratelimit-reset-requests": "8.64s"}, "requests"
    ) == (
        10_000,
        9999,
        86_400,
    )
    assert limit_in(
        {**headers, "x-ratelimit-reset-requests": "6ms"}, "requests"
    ) == (
        10_000,
        9999,
        60,
    )


def test_before_anything_is_known_one_request_goes_alone() -> None:
    """Without a given rate, the second request waits for the first answer, and a failure without
    headers changes nothing.
    """
    pacer, one = Pacer(None, None, 0.0), Tokens(10, 10)
    ticket = pacer.take(one, 0.0)
    assert pacer.earliest(one, 1.0) == math.inf
    pacer.back(ticket, None)
    assert pacer.earliest(one, 1.0) == 1.0
    ticket = pacer.take(one, 1.0)
    pacer.back(ticket, {"content-type": "text/html"})
    pacer.take(one, 2.0)
    assert pacer.earliest(one, 2.0) == math.inf
