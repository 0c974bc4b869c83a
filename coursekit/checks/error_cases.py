"""What the cases of chapter 06 share: errors as the SDK raises them, and functions that fail by a
script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from ..foundation.portable import Portable
from ..offline.clock import VirtualClock
from ..retrying import Policy, classify
from .answers import api_error, connection_error, reply
from .case import Case, Function

START = 1000.0  # of the clock: a deadline counts from the first call, not from 0
MANY = 100  # calls: whoever gets there does not count them


def in_stream(code: str | None = None) -> Exception:
    """The error of a stream that began with 200: an APIError without a status."""
    import httpx2
    import openai

    request = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")
    body = {"message": "The server had an error.", "code": code}
    return openai.APIError("The server had an error.", request, body=body)


class ProxyError(Portable, Exception):
    """An error of another library than the SDK, with a code of its own."""

    def __init__(self, code: str) -> None:
        super().__init__("The proxy passed an error on.")
        self.code = code


def cut_reply() -> Exception:
    """What ``.parse()`` raises for a reply that was cut."""
    import openai

    return openai.LengthFinishReasonError(completion=reply("{", finish_reason="length"))


def broken_json() -> Exception:
    """What reading an answer raises that is no JSON."""
    return json.JSONDecodeError("Expecting value", "<html>", 0)


def asked_to_wait(seconds: int) -> Exception:
    """A 429 with a Retry-After."""
    error: Any = api_error(429, "Slow down.", code="rate_limit_exceeded")
    error.response.headers["retry-after"] = str(seconds)
    return error  # type: ignore[no-any-return]


def error_text(error: BaseException) -> str:
    """An error in a few words: its class, status and code."""
    status, code = getattr(error, "status_code", None), getattr(error, "code", None)
    asked = getattr(getattr(error, "response", None), "headers", {}).get("retry-after")
    told = [
        type(error).__name__,
        *([f"status {status}"] if status else []),
        *([f"code {code!r}"] if code else []),
        *([f"Retry-After {asked}"] if asked else []),
    ]
    return ", ".join(told)


def answer_text(answer: Any) -> str:
    """What a scripted function does, in a few words."""
    return (
        f"raises {error_text(answer)}"
        if isinstance(answer, BaseException)
        else f"returns {answer!r}"
    )


def given(answer: Any) -> Any:
    """What a scripted function does: raise it, or return it."""
    if isinstance(answer, BaseException):
        raise answer
    return answer


def retried(
    answers: Sequence[Any], policy: Policy, seed: int, took: float, why: str
) -> Case:
    """The case of ``retry`` whose fn does each of ``answers`` in turn, the last one for ever, in
    ``took`` seconds.
    """

    def run(function: Function) -> Any:
        clock = VirtualClock(START)
        called: list[float] = []

        def fn() -> Any:
            if len(called) == MANY:
                raise SystemExit(f"fn was called {MANY} times")
            called.append(clock.now() - START)
            clock.wait(clock.now() + took)
            return given(answers[min(len(called), len(answers)) - 1])

        try:
            outcome = f"returned {function(fn, policy, clock, Random(seed))!r}"
        except (Exception, KeyboardInterrupt) as error:
            if not any(answer is error for answer in answers):
                raise
            outcome = _raised(error, answers)
        return {
            "came": outcome,
            "fn called at (s)": _rounded(called),
            "over at (s)": _rounded([clock.now() - START]),
        }

    told = ", then ".join(map(answer_text, answers))
    last = " for ever" if isinstance(answers[-1], BaseException) else ""
    takes = f", and takes {took:g} s" if took else ""
    deadline = "None" if policy.deadline is None else f"{policy.deadline:g}"
    shown = (
        f"retry(fn, policy, clock, rng): max_attempts {policy.max_attempts}, deadline "
        f"{deadline}; "
    )
    return Case(
        f"{shown}fn {told}{last}{takes}",
        run,
        _as_it_should(answers, policy, Random(seed), took),
        why,
    )


def _as_it_should(
    answers: Sequence[Any], policy: Policy, rng: Random, took: float
) -> dict[str, Any]:
    now = 0.0
    called: list[float] = []
    for attempt in range(1, policy.max_attempts + 1):
        answer = answers[min(attempt, len(answers)) - 1]
        called.append(now)
        now += took
        outcome = f"returned {answer!r}"
        if not isinstance(answer, BaseException):
            break
        outcome = _raised(answer, answers)
        if attempt == policy.max_attempts or classify(answer).action != "retry":
            break
        until = now + policy.wait(attempt, answer, rng)
        if policy.deadline is not None and until > policy.deadline:
            break
        now = until
    return {
        "came": outcome,
        "fn called at (s)": _rounded(called),
        "over at (s)": _rounded([now]),
    }


def _raised(error: BaseException, answers: Sequence[Any]) -> str:
    """Which of the errors was raised: the object itself counts, not an error like it."""
    number = next(number for number, answer in enumerate(answers, 1) if answer is error)
    return f"raised error {number}, {type(error).__name__}"


def _rounded(seconds: list[float]) -> list[float]:
    return [
        round(each, 6) for each in seconds
    ]  # a clock that does not begin at 0 rounds


Step = tuple[float, Any]  # the seconds before a call, and what fn does in it


def broken(
    limit: int,
    pause: float,
    steps: Sequence[Step],
    expected: Sequence[str],
    why: str = "",
) -> Case:
    """The case of one ``Breaker`` and some calls; fn takes a second of each."""

    def run(breaker: Callable[..., Any]) -> list[str]:
        clock = VirtualClock(START)
        one = breaker(limit, pause, clock)
        return [_step(one, clock, seconds, answer) for seconds, answer in steps]

    told = "; ".join(
        f"{f'{seconds:g} s later ' if seconds else ''}fn {answer_text(answer)}"
        for seconds, answer in steps
    )
    return Case(
        f"Breaker({limit}, {pause:g}, clock), calls that take 1 s: {told}",
        run,
        list(expected),
        why,
    )


def _step(breaker: Any, clock: VirtualClock, seconds: float, answer: Any) -> str:
    """One call, and what came of it in words."""
    clock.wait(clock.now() + seconds)
    called = 0

    def fn() -> Any:
        nonlocal called
        called += 1
        clock.wait(clock.now() + 1)
        return given(answer)

    try:
        came = f"returned {breaker.call(fn)!r}"
    except Exception as error:
        if error is not answer and type(error).__name__ != "BreakerOpen":
            raise
        came = f"raised {type(error).__name__}"
    return came + (
        ""
        if called == 1
        else f", fn called {called} times"
        if called
        else ", fn not called"
    )


def two_breakers(breaker: Callable[..., Any]) -> list[str]:
    """One breaker is open; what does another one do?"""
    clock = VirtualClock(START)
    one, other = breaker(1, 60, clock), breaker(1, 60, clock)
    failing = connection_error()
    return [
        _step(one, clock, 0, failing),
        _step(one, clock, 0, "Paris."),
        _step(other, clock, 0, "Paris."),
    ]
