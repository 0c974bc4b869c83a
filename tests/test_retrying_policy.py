"""Policy and Retry-After: how long to wait, and when to give up."""

from __future__ import annotations

import math
import random
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.foundation.retry_after import seconds_to_wait
from coursekit.retrying import Policy, retry_after
from coursekit.retrying.policy import duration
from support.api_errors import status_error, timed_out

seeds = st.integers(0, 2**32)
seconds = st.floats(0.001, 1e4)
policies = st.builds(
    Policy,
    max_attempts=st.integers(1, 20),
    base=seconds,
    cap=seconds,
    deadline=st.none() | seconds,
    jitter=st.floats(0, 1),
    factor=st.floats(1, 10),
)


@given(policies, st.integers(1, 2000), seeds)
def test_a_wait_lies_between_its_bounds(
    policy: Policy, attempt: int, seed: int
) -> None:
    """Without Retry-After, a wait is between (1 - jitter) times the ceiling and the ceiling, and is
    at most the cap.
    """
    ceiling = policy.ceiling(attempt)
    wait = policy.wait(attempt, None, random.Random(seed))
    assert ceiling * (1 - policy.jitter) - 1e-9 <= wait <= ceiling + 1e-9
    assert ceiling <= policy.cap


@given(policies, st.integers(1, 50), st.floats(0.001, 1e5), seeds)
def test_never_shorter_than_the_server_asks(
    policy: Policy, attempt: int, asked: float, seed: int
) -> None:
    """With Retry-After, a wait is at least that long, and at most the ceiling's jitter longer, so
    that clients do not return together.
    """
    error = status_error(429, retry_after_ms=repr(asked * 1000))
    wait = policy.wait(attempt, error, random.Random(seed))
    assert (
        asked * (1 - 1e-12)
        <= wait
        <= asked + policy.ceiling(attempt) * policy.jitter + 1e-9
    )


def test_the_ceiling_doubles() -> None:
    """The ceiling is base, 2 × base, 4 × base, … up to the cap; with factor 1, it stays the
    same.
    """
    assert [Policy(base=0.5, cap=8).ceiling(n) for n in range(1, 7)] == [
        0.5,
        1,
        2,
        4,
        8,
        8,
    ]
    assert {Policy(base=1, factor=1).ceiling(n) for n in (1, 5, 5000)} == {1}


def test_the_sdks_waits() -> None:
    """base 0.5, cap 8, and jitter 0.25 give the SDK's own formula, with the same bounds and the
    same mean.
    """
    client = openai.OpenAI(api_key="none")
    options: Any = openai._models.FinalRequestOptions(
        method="post", url="/", max_retries=9
    )
    ours, rng = Policy(10, base=0.5, cap=8, jitter=0.25), random.Random(1)
    for attempt in range(1, 8):
        sdk = [
            client._calculate_retry_timeout(10 - attempt, options, None)
            for _ in range(400)
        ]
        drawn = [ours.wait(attempt, None, rng) for _ in range(400)]
        low, high = ours.ceiling(attempt) * 0.75, ours.ceiling(attempt)
        assert low <= min(sdk) and max(sdk) <= high
        assert math.isclose(sum(sdk), sum(drawn), rel_tol=0.02)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "2"}, 2.0),
        ({"retry-after": "600"}, 600.0),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 18:47:31 GMT",
                "date": "Sun, 22 Nov 2026 18:47:28 GMT",
            },
            3.0,
        ),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 18:47:31 GMT",
                "date": "Sun, 22 Nov 2026 18:48:00 GMT",
            },
            None,
        ),
        ({"retry-after": "Sun, 22 Nov 2026 18:47:31 GMT"}, None),
        (
            {
                "retry-after": "Sun, 22 Nov 2026 18:47:31 GMT",
                "date": "Sun, 22 Nov 2026 18:47:28 -0000",
            },
            None,
        ),
    ],
)
def test_spellings_of_retry_after(
    headers: dict[str, str], expected: float | None
) -> None:
    """Milliseconds take precedence over seconds, a date is relative to the answer's own date, and
    nonsense is ignored.
    """
    assert seconds_to_wait(headers) == expected


def test_errors_without_an_answer_ask_for_nothing() -> None:
    """A timeout has no response and therefore no Retry-After, and neither does None."""
    assert retry_after(timed_out()) is None
    assert retry_after(None) is None


def test_next_gives_up_for_four_reasons() -> None:
    """The reasons to stop are an error that must not be retried, no attempts left, and a
    Retry-After or the policy's own wait beyond the deadline. The message gives the reason.
    """
    rng, policy = (
        random.Random(0),
        Policy(3, base=10, cap=10, jitter=0, deadline=15),
    )
    server = status_error(500)
    assert policy.next(1, 0, status_error(400), rng)[0] is None
    assert policy.next(1, 0, server, rng) == (
        10,
        "The server failed (status 500).",
    )
    assert policy.next(3, 0, server, rng) == (
        None,
        "The server failed (status 500). That was attempt 3 of 3.",
    )
    asked, why = policy.next(1, 1, status_error(429, retry_after="60"), rng)
    assert asked is None
    assert "the server asks for 60 s, and the deadline leaves 14.0 s" in why
    asked, why = policy.next(1, 6, server, rng)
    assert asked is None
    assert "the next wait would be 10.0 s, and the deadline leaves 9.0 s" in why


def test_a_wait_that_ends_with_the_deadline_is_begun() -> None:
    """The deadline is inclusive. Beyond it, the policy gives up, and the remaining time is never
    negative.
    """
    rng, policy = (
        random.Random(0),
        Policy(3, base=10, cap=10, jitter=0, deadline=15),
    )
    assert policy.next(1, 5, status_error(500), rng)[0] == 10
    assert policy.next(1, 5.001, status_error(500), rng)[0] is None
    assert policy.next(1, 14.7, status_error(500), rng)[1].endswith(
        "and the deadline leaves 0.3 s."
    )
    assert policy.next(1, 15.5, status_error(500), rng)[1].endswith(
        "and the deadline leaves 0.0 s."
    )


@pytest.mark.parametrize(
    ("asked", "wait"), [("120", 120.0), ("121", None), ("172800", None)]
)
def test_a_wait_beyond_the_policys_patience_is_not_begun(
    asked: str, wait: float | None
) -> None:
    """As in the SDK, a Retry-After above 120 s ends the attempts immediately, whatever the
    deadline.
    """
    policy = Policy(2, jitter=0, deadline=None)
    seconds, why = policy.next(
        1, 0, status_error(429, retry_after=asked), random.Random()
    )
    assert seconds == wait
    assert wait is not None or "longer than this policy's 120 s" in why


def test_a_patient_policy_waits_as_long_as_the_server_asks() -> None:
    """With deadline=None and patience=inf, the policy waits for an hour if the server asks for
    it.
    """
    policy = Policy(2, jitter=0, deadline=None, patience=math.inf)
    assert (
        policy.next(
            1, 0, status_error(429, retry_after="3600"), random.Random()
        )[0]
        == 3600
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (45, "45 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2 h"),
        (198_000, "55 h"),
    ],
)
def test_a_long_wait_is_said_in_minutes_or_hours(
    seconds: float, text: str
) -> None:
    """duration() gives a wait in the largest unit of which it has at least two."""
    assert duration(seconds) == text


WHOLE = "a whole number of at least 1 (1: no retry)"
SECONDS = "a number of seconds above 0"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("max_attempts", 0, WHOLE),
        ("max_attempts", 2.5, WHOLE),
        ("max_attempts", True, WHOLE),
        ("base", 0, SECONDS),
        ("base", math.inf, SECONDS),
        ("cap", -1, SECONDS),
        ("cap", 0, SECONDS),
        ("cap", math.inf, SECONDS),
        ("deadline", 0, f"{SECONDS}, or None"),
        ("jitter", 1.1, "a number from 0 to 1"),
        ("jitter", -0.1, "a number from 0 to 1"),
        ("factor", 0.5, "a number of at least 1"),
        ("factor", math.nan, "a number of at least 1"),
        ("factor", math.inf, "a number of at least 1"),
        ("patience", 0, SECONDS),
    ],
)
def test_values_out_of_range(name: str, value: Any, wanted: str) -> None:
    """An invalid policy is refused with the value and what is allowed."""
    with pytest.raises(ValueError, match=name) as refused:
        Policy(**{name: value})
    assert (
        str(refused.value)
        == f"Policy({name}={value!r}): {name} must be {wanted}."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_attempts", 1),
        ("base", 0.001),
        ("cap", 0.001),
        ("deadline", 0.001),
        ("deadline", math.inf),
        ("jitter", 0),
        ("jitter", 1),
        ("factor", 1),
        ("patience", 0.001),
        ("patience", math.inf),
    ],
)
def test_values_at_the_bounds(name: str, value: Any) -> None:
    """The smallest and the largest valid values are accepted."""
    assert getattr(Policy(**{name: value}), name) == value
