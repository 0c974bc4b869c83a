"""What the cases of chapter 06 share: errors as the SDK raises them, and functions that fail by a
script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from ...foundation.portable import Portable
from ...offline.clock import VirtualClock
from ...retrying import Policy
from ...retrying import classify as judge
from ..engine import Case, Function
from ..engine.answers import api_error, connection_error, reply, stream_error

START = 1000.0  # of the clock: a deadline counts from the call, not from 0
MANY = 100  # calls: only a loop that does not count them gets there


class ProxyError(Portable, Exception):
    """An error of another library than the SDK, with a code of its own."""

    def __init__(self, code: str | None) -> None:
        super().__init__("The proxy passed an error on.")
        self.code = code


def cut_reply() -> Exception:
    """What ``.parse()`` raises for a reply that was cut off."""
    import openai

    return openai.LengthFinishReasonError(
        completion=reply("{", finish_reason="length")
    )


def wait(seconds: int) -> Exception:
    """A 429 with a Retry-After."""
    headers = {"retry-after": f"{seconds}"}
    return api_error(
        429, "Slow down.", code="rate_limit_exceeded", headers=headers
    )


ERRORS: dict[str, Callable[[], BaseException]] = {
    "connection": connection_error,
    "timeout": lambda: connection_error(timeout=True),
    "stream": stream_error,
    "json": lambda: json.JSONDecodeError("Expecting value", "<html>", 0),
    "cut": cut_reply,
    "builtin": lambda: TimeoutError("asyncio.timeout()"),
    "typo": lambda: AttributeError("completion"),
    "bug": lambda: ValueError("a bug"),
    "interrupt": KeyboardInterrupt,
    "quota": lambda: api_error(429, code="insufficient_quota"),
    "wait 7": lambda: wait(7),
    "wait 90": lambda: wait(90),
    **{
        f"{status}": partial(api_error, status)
        for status in (400, 404, 429, 500, 502, 503)
    },
}
VALUES = {
    "fine": "Paris.",
    "none": None,
    "empty": "",
    "zero": 0,
    "false": False,
}


def error_of(
    kind: str = "error", status: int = 0, code: str | None = None, **more: Any
) -> BaseException:
    """An error out of exercises.toml: of a kind, or the API's answer with a status and more."""
    if status:
        return api_error(status, code=code, kind=kind, **more)
    if kind == "proxy":
        return ProxyError(code)
    return stream_error(code) if kind == "stream" else ERRORS[kind]()


def error_text(error: BaseException) -> str:
    """An error in a few words: its class, status, code, type and wait."""
    facts = {
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "Retry-After": (
            getattr(getattr(error, "response", None), "headers", {}).get(
                "retry-after"
            )
        ),
    }
    shown = [
        f"{name} {value}"
        for name, value in facts.items()
        if value and value != "error"
    ]
    return ", ".join([type(error).__name__, *shown])


def _result(word: str) -> Any:
    """What a scripted function does: an exception to raise, or the value to return."""
    return ERRORS[word]() if word in ERRORS else VALUES.get(word, word)


def _does(result: Any) -> str:
    return (
        f"raises {error_text(result)}"
        if isinstance(result, BaseException)
        else f"returns {result!r}"
    )


def _did(result: Any) -> str:
    """The outcome, in words, of a call that should raise or return this."""
    return (
        f"raised {type(result).__name__}"
        if isinstance(result, BaseException)
        else f"returned {result!r}"
    )


def _do(result: Any) -> Any:
    if isinstance(result, BaseException):
        raise result
    return result


def retried(
    answers: Sequence[str],
    policy: Mapping[str, Any] | None = None,
    took: float = 0.0,
    deadline: bool = True,
    seed: int = 1,
    why: str = "",
) -> Case:
    """The case of ``retry`` whose fn does each of ``answers`` in turn, the last one forever, in
    ``took`` seconds.
    """
    results = [_result(word) for word in answers]
    facts = {
        "max_attempts": 4,
        **(policy or {}),
        **({} if deadline else {"deadline": None}),
    }
    made = Policy(**facts)

    def run(function: Function) -> Any:
        clock = VirtualClock(START)
        called: list[float] = []

        def fn() -> Any:
            if len(called) == MANY:
                raise SystemExit(f"fn was called {MANY} times")
            called.append(round(clock.now() - START, 6))
            clock.wait(clock.now() + took)
            return _do(results[min(len(called), len(results)) - 1])

        try:
            end = _did(function(fn, made, clock, Random(seed)))
        except (Exception, KeyboardInterrupt) as error:
            number = next(
                (n for n, result in enumerate(results, 1) if result is error), 0
            )
            if not number:
                raise
            end = f"{_did(error)}, the error of call {number}"
        return {
            "result": end,
            "fn called at (s)": called,
            "over at (s)": round(clock.now() - START, 6),
        }

    limits = (
        f"max_attempts {made.max_attempts}, deadline"
        f" {made.deadline and round(made.deadline, 3)}"
    )
    takes = f" and takes {took:g} s" if took else ""
    given = f"retry(fn, policy, clock, rng): {limits}; fn{takes} "
    shown = ", then ".join(map(_does, results)) + (
        "" if isinstance(results[-1], str) else ", forever"
    )
    return Case(
        given + shown,
        run,
        _as_it_should(results, made, Random(seed), took),
        why,
    )


def _as_it_should(
    results: Sequence[Any], policy: Policy, rng: Random, took: float
) -> dict[str, Any]:
    now, called = 0.0, []
    for attempt in range(1, policy.max_attempts + 1):
        result = results[min(attempt, len(results)) - 1]
        called.append(round(now, 6))
        now += took
        end = _did(result)
        if not isinstance(result, BaseException):
            break
        end += f", the error of call {min(attempt, len(results))}"
        if attempt == policy.max_attempts or judge(result).action != "retry":
            break
        until = now + policy.wait(attempt, result, rng)
        if policy.deadline is not None and until > policy.deadline:
            break
        now = until
    return {
        "result": end,
        "fn called at (s)": called,
        "over at (s)": round(now, 6),
    }


def broken(
    limit: int, pause: float, steps: Sequence[Sequence[Any]], why: str = ""
) -> Case:
    """The case of one ``Breaker`` and some calls.

    steps  of each call: the seconds before it, what fn does (in a second), and "open" if fn must
           not be called
    """
    made = [
        (seconds, _result(word), bool(is_open))
        for seconds, word, *is_open in steps
    ]

    def run(breaker: Callable[..., Any]) -> list[str]:
        clock = VirtualClock(START)
        one = breaker(limit, pause, clock)
        return [
            _step(one, clock, seconds, result) for seconds, result, _ in made
        ]

    expected = [
        "raised BreakerOpen, fn not called" if is_open else _did(result)
        for _, result, is_open in made
    ]

    def given() -> str:
        calls = [
            f"{f'{seconds:g} s later ' if seconds else ''}fn {_does(result)}"
            for seconds, result, _ in made
        ]
        return (
            f"Breaker({limit}, {pause:g}, clock), calls that take 1 s:"
            f" {'; '.join(calls)}"
        )

    return Case(given, run, expected, why)


def _step(
    breaker: Any, clock: VirtualClock, seconds: float, result: Any
) -> str:
    """One call of the breaker, and how it ended."""
    clock.wait(clock.now() + seconds)
    called = 0

    def fn() -> Any:
        nonlocal called
        called += 1
        clock.wait(clock.now() + 1)
        return _do(result)

    try:
        end = _did(breaker.call(fn))
    except (Exception, KeyboardInterrupt) as error:
        if error is not result and type(error).__name__ != "BreakerOpen":
            raise
        end = _did(error)
    counts = {0: ", fn not called", 1: ""}
    return end + counts.get(called, f", fn called {called} times")


def two_breakers() -> Case:
    """One breaker is open, another one is not."""

    def run(breaker: Callable[..., Any]) -> list[str]:
        clock, failing = VirtualClock(START), connection_error()
        one, other = breaker(1, 60, clock), breaker(1, 60, clock)
        return [
            _step(one, clock, 0, failing),
            _step(one, clock, 0, "Paris."),
            _step(other, clock, 0, "Paris."),
        ]

    given = (
        "two breakers, Breaker(1, 60, clock) each: the first one's fn fails, then both"
        " are called"
    )
    expected = [
        "raised APIConnectionError",
        "raised BreakerOpen, fn not called",
        "returned 'Paris.'",
    ]
    return Case(given, run, expected, "Each breaker keeps its own count.")
