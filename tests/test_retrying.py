"""retry() and retry_async(): attempts, waits on a clock, notifications, and the final error."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import connect, connect_async
from coursekit.offline import Fault, verdict_on
from coursekit.offline.clock import VirtualClock
from coursekit.retrying import (
    Attempt,
    Policy,
    RealClock,
    clock_of,
    retry,
    retry_async,
)
from support.api_errors import status_error
from support.offline_api import folder_with, params, whole
from support.waiting import until_async

PLAIN = Policy(4, base=1, cap=8, jitter=0, deadline=None)


def failing(*errors: Exception, then: str = "done") -> Callable[[], str]:
    """A function that raises these errors in turn, and then returns."""
    left = list(errors)

    def fn() -> str:
        if left:
            raise left.pop(0)
        return then

    return fn


def test_it_waits_on_the_clock_it_is_given() -> None:
    """Two failures and a success take three attempts, at 0, 1, and 3 s, without any real time."""
    clock, attempts = VirtualClock(), list[Attempt]()
    fn = failing(status_error(500), status_error(503))
    assert (
        retry(fn, policy=PLAIN, clock=clock, on_attempt=attempts.append)
        == "done"
    )
    assert [(a.number, a.started, a.wait) for a in attempts] == [
        (1, 0, 1),
        (2, 1, 2),
        (3, 3, None),
    ]
    assert [a.error is None for a in attempts] == [False, False, True]
    assert clock.now() == 3


def test_the_last_error_is_raised_with_a_note() -> None:
    """Giving up raises the SDK's own exception with a note that says how many attempts there were
    and why they ended.
    """
    last = status_error(503)
    with pytest.raises(openai.InternalServerError) as caught:
        retry(
            failing(status_error(500), last),
            policy=Policy(2, jitter=0),
            clock=VirtualClock(),
        )
    assert caught.value is last
    assert last.__notes__ == [
        "Gave up after 2 attempts. The server failed (status 503). That was attempt 2 of 2."
    ]


def test_a_bug_is_raised_as_it_is() -> None:
    """An error that is not the API's propagates after one attempt, without a note."""
    error, attempts = KeyError("x"), list[Attempt]()
    with pytest.raises(KeyError):
        retry(failing(error), clock=VirtualClock(), on_attempt=attempts.append)
    assert len(attempts) == 1
    assert not hasattr(error, "__notes__")


def test_an_interrupt_is_not_judged() -> None:
    """KeyboardInterrupt propagates immediately, and no attempt is reported."""
    attempts: list[Attempt] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(interrupted, clock=VirtualClock(), on_attempt=attempts.append)
    assert attempts == []


def test_beyond_the_deadline_it_gives_up_at_once() -> None:
    """If Retry-After would end after the deadline, there is no wait at all."""
    clock, error = (
        VirtualClock(),
        status_error(429, "rate_limit_exceeded", retry_after="90"),
    )
    with pytest.raises(openai.RateLimitError) as caught:
        retry(failing(error), policy=Policy(deadline=60), clock=clock)
    assert clock.now() == 0
    assert (
        "the server asks for 90 s, and the deadline leaves 60.0 s"
        in caught.value.__notes__[0]
    )


@given(
    st.lists(st.sampled_from([408, 409, 429, 500, 503]), max_size=8),
    st.integers(1, 8),
    st.none() | st.floats(0.1, 30),
    st.integers(0, 999),
)
def test_never_more_than_asked_for(
    statuses: list[int], most: int, deadline: float | None, seed: int
) -> None:
    """There are no more attempts than max_attempts, and none starts after the deadline or after a
    success.
    """
    clock, attempts = VirtualClock(), list[Attempt]()
    policy = Policy(most, deadline=deadline)
    fn = failing(*(status_error(status) for status in statuses))
    try:
        retry(
            fn,
            policy=policy,
            clock=clock,
            rng=random.Random(seed),
            on_attempt=attempts.append,
        )
    except openai.APIStatusError:
        assert attempts[-1].error is not None
    else:
        assert len(attempts) == len(statuses) + 1
    assert 1 <= len(attempts) <= most
    assert all(a.started <= (deadline or math.inf) for a in attempts)


def test_retry_after_is_kept_through_the_real_sdk(tmp_path: Path) -> None:
    """With the offline API's 429s, the verdict finds no wait that was too short, no wasted request,
    and an answer.
    """
    client = client_with(tmp_path, Fault("rate_limit", times=3, retry_after=2))
    once = client.with_options(max_retries=0)
    reply = retry(
        lambda: once.chat.completions.create(**params()),
        policy=PLAIN,
        clock=clock_of(client),
    )
    assert reply.choices[0].message.content == "Paris."
    verdict = verdict_on(client)
    assert verdict.good
    assert (
        verdict.attempts,
        verdict.own_retries,
        verdict.waits,
        verdict.waited,
    ) == (
        4,
        3,
        3,
        6,
    )


def client_with(folder: Path, *faults: Fault, **options: Any) -> openai.OpenAI:
    folder_with(folder, (params(), whole("Paris.")))
    return connect(
        "replay", recordings=folder, faults=faults, speed="instant", **options
    )


async def test_the_async_form_is_the_same(tmp_path: Path) -> None:
    """retry_async awaits, waits on the client's clock, and reports the same attempts."""
    folder_with(tmp_path, (params(), whole("Paris.")))
    async with connect_async(
        "replay",
        recordings=tmp_path,
        faults=Fault("overloaded", times=2),
        speed="instant",
        max_retries=0,
    ) as client:
        attempts: list[Attempt] = []
        reply = await retry_async(
            lambda: client.chat.completions.create(**params()),
            policy=PLAIN,
            clock=clock_of(client),
            on_attempt=attempts.append,
        )
    assert reply.choices[0].message.content == "Paris."
    assert [a.wait for a in attempts] == [1, 2, None]
    assert attempts[-1].request_id == "req_test"


async def test_the_async_form_gives_up_like_the_other() -> None:
    """retry_async raises the last error with its note."""

    async def fn() -> None:
        raise status_error(401, "invalid_api_key")

    with pytest.raises(openai.AuthenticationError) as caught:
        await retry_async(fn, clock=VirtualClock())
    assert caught.value.__notes__[0].startswith(
        "Gave up after 1 attempt. The key is missing or wrong."
    )


async def test_cancelling_ends_the_wait() -> None:
    """A cancelled task does not wait for its next attempt."""
    attempts: list[Attempt] = []

    async def fn() -> None:
        raise status_error(429, retry_after="60")

    task = asyncio.create_task(
        retry_async(
            fn, policy=Policy(deadline=None), on_attempt=attempts.append
        )
    )
    await until_async(lambda: attempts)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(attempts) == 1


def test_the_log_names_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is logged with its attempt, status, code, and request ID. Giving up is a
    warning.
    """
    with (
        caplog.at_level(logging.INFO, "coursekit.retrying"),
        pytest.raises(openai.RateLimitError),
    ):
        retry(
            failing(
                status_error(500, x_request_id="req_a"),
                status_error(429, "insufficient_quota"),
            ),
            clock=VirtualClock(),
            rng=random.Random(0),
        )
    first, last = (vars(record) for record in caplog.records)
    assert (
        first["levelname"],
        first["attempt"],
        first["status"],
        first["request_id"],
    ) == (
        "INFO",
        1,
        500,
        "req_a",
    )
    assert (last["levelname"], last["code"], last["request_id"]) == (
        "WARNING",
        "insufficient_quota",
        "req_1",
    )
    assert "request req_a): again in 0.42 s" in caplog.records[0].getMessage()
    assert "giving up" in caplog.records[1].getMessage()


def test_the_log_carries_no_key(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the message nor the attributes contain the error, whose request has the key in its
    headers.
    """
    secret = "sk-" + "secret" * 4
    client = client_with(
        tmp_path, Fault("server_error"), api_key=secret, max_retries=0
    )
    with caplog.at_level(logging.DEBUG, "coursekit.retrying"):
        retry(
            lambda: client.chat.completions.create(**params()),
            clock=clock_of(client),
        )
    assert caplog.records
    for record in caplog.records:
        assert secret not in repr(vars(record))
        assert not any(
            isinstance(value, BaseException) for value in vars(record).values()
        )


def test_clocks() -> None:
    """A client from connect() has its own clock; any other client uses real time."""
    assert isinstance(
        clock_of(connect("replay", speed="instant")), VirtualClock
    )
    real = clock_of(openai.OpenAI(api_key="none"))
    assert isinstance(real, RealClock)
    start = real.now()
    real.wait(start + 0.01)
    real.wait(start)  # is already over
    assert real.now() >= start + 0.01
    asyncio.run(real.wait_async(real.now() + 0.01))
    assert real.now() >= start + 0.02
