"""Checks for chapter 06: telling errors apart, counting requests, a breaker, and a complete retry
function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from ...foundation.portable import Portable
from ...offline.clock import VirtualClock
from ...retrying import Policy
from ..engine import Case, Chapter, Function, call
from ..engine.answers import api_error, error_named, stream_error

START = 1000.0  # the clock's start: a deadline counts from the call, not from 0
MANY = 100  # calls: only a loop that does not count them reaches this number
VALUES = {
    "fine": "Paris.",
    "none": None,
    "empty": "",
    "zero": 0,
    "false": False,
}

chapter = Chapter(__file__)


@chapter.exercise
def out_of_money(error: dict[str, Any], expects: bool, why: str = "") -> Case:
    """Whether an error says that the account is empty."""
    return _judged(error, expects, why)


@chapter.exercise
def requests_sent(
    loops: list[int],
    max_retries: int,
    failures: float,
    expects: int,
    why: str = "",
) -> Case:
    """The number of HTTP requests in nested retries."""
    return call(loops, max_retries, failures, expects=expects, why=why)


@chapter.exercise
def classify(error: dict[str, Any], expects: str, why: str = "") -> Case:
    """Whether to retry, fix, or stop after an error."""
    return _judged(error, expects, why)


def _judged(row: dict[str, Any], expects: Any, why: str) -> Case:
    error = error_of(**row)
    text = f"({error_text(error)})"
    return call(error, expects=expects, why=why, text=text)


@chapter.exercise
def Breaker(
    limit: int, pause: float, steps: Sequence[Sequence[Any]], why: str = ""
) -> Case:
    """A circuit breaker: it keeps calls away from a server that does not answer."""
    made = [(seconds, _result(word), more) for seconds, word, *more in steps]

    def run(breaker: Callable[..., Any]) -> list[str]:
        clock = VirtualClock(START)
        one, other = breaker(limit, pause, clock), breaker(limit, pause, clock)
        return [
            _step(other if "other" in more else one, clock, seconds, result)
            for seconds, result, more in made
        ]

    expected = [
        "raised BreakerOpen, fn not called" if "open" in more else _did(result)
        for _, result, more in made
    ]

    def given() -> str:
        calls = [
            (f"{seconds:g} s later " if seconds else "")
            + ("on another Breaker " if "other" in more else "")
            + f"fn {_does(result)}"
            for seconds, result, more in made
        ]
        return (
            f"Breaker({limit}, {pause:g}, clock), calls that take 1 s:"
            f" {'; '.join(calls)}"
        )

    return Case(given, run, expected, why)


def _step(
    breaker: Any, clock: VirtualClock, seconds: float, result: Any
) -> str:
    """Make one call through the breaker, and report how it ended."""
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


@chapter.exercise
def retry(
    answers: list[str],
    called: list[float],
    over: float,
    policy: Mapping[str, Any] | None = None,
    took: float = 0.0,
    seed: int = 1,
    why: str = "",
) -> Case:
    """Retry while it can help, with a limit on attempts, with waits, and with a deadline."""
    results = list(map(_result, answers))
    made = Policy(**{"max_attempts": 4, **(policy or {})})

    def run(function: Function) -> Any:
        clock = VirtualClock(START)
        times: list[float] = []

        def fn() -> Any:
            if len(times) == MANY:
                raise SystemExit(f"fn was called {MANY} times")
            times.append(round(clock.now() - START, 6))
            clock.wait(clock.now() + took)
            return _do(results[min(len(times), len(results)) - 1])

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
            "fn called at (s)": times,
            "over at (s)": round(clock.now() - START, 6),
        }

    last = min(len(called), len(results))
    end = _did(results[last - 1])
    if isinstance(results[last - 1], BaseException):
        end += f", the error of call {last}"
    expected = {"result": end, "fn called at (s)": called, "over at (s)": over}

    def given() -> str:
        deadline = made.deadline and round(made.deadline, 3)
        takes = f" and takes {took:g} s" if took else ""
        forever = "" if isinstance(results[-1], str) else ", forever"
        return (
            f"retry(fn, policy, clock, rng): max_attempts {made.max_attempts},"
            f" deadline {deadline}; fn{takes} "
            + ", then ".join(map(_does, results))
            + forever
        )

    return Case(given, run, expected, why)


class ProxyError(Portable, Exception):
    """An error from a library other than the SDK, with its own code."""

    def __init__(self, code: str | None) -> None:
        super().__init__("The proxy passed an error on.")
        self.code = code


def error_of(
    kind: str = "error", status: int = 0, code: str | None = None, **more: Any
) -> BaseException:
    """Return an error for an entry in exercises.toml: an error of a kind, or the API's answer with
    a status and more.
    """
    if status:
        return api_error(status, code=code, kind=kind, **more)
    if kind == "proxy":
        return ProxyError(code)
    return stream_error(code) if kind == "stream" else error_named(kind)


def error_text(error: BaseException) -> str:
    """Describe an error in a few words: its class, status, code, type, and wait."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    facts = {
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "type": getattr(error, "type", None),
        "Retry-After": headers.get("retry-after"),
    }
    shown = [
        f"{name} {value}"
        for name, value in facts.items()
        if value and value != "error"
    ]
    return ", ".join([type(error).__name__, *shown])


def _result(word: str) -> Any:
    """Return what a scripted function does: an exception to raise, or the value to return."""
    return error_named(word) or VALUES.get(word, word)


def _does(result: Any) -> str:
    if isinstance(result, BaseException):
        return f"raises {error_text(result)}"
    return f"returns {result!r}"


def _did(result: Any) -> str:
    """Describe the outcome of a call that should raise or return this."""
    if isinstance(result, BaseException):
        return f"raised {type(result).__name__}"
    return f"returned {result!r}"


def _do(result: Any) -> Any:
    if isinstance(result, BaseException):
        raise result
    return result
