"""What the fault board runs: a program that encounters a fault, with the real SDK and the offline
API in virtual time.
"""

from __future__ import annotations

import contextlib
import logging
import math
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from .. import models
from ..client import connect
from ..offline.faults import Fault
from ..offline.watched.ledger import LoggedAttempt
from ..offline.watched.verdict import Verdict, outcome_of, verdict_on
from ..retrying import clock_of, robust_completion
from ..retrying.sdk_jitter import seeded_jitter
from ..wired import wired_to

PROMPT = "What is the capital of France?"
TIMEOUT = 30.0  # seconds, for every strategy
SEED = 6
# what OPENAI_LOG=info shows, and our own
LOGGERS = (
    "openai",
    "httpx2",
    "coursekit.retrying",
)
RETRYING = "Retrying request"  # the beginning of the SDK's line about a wait

ONE, FOREVER = "one request", "for good"
SECONDS = {"3 s": 3, "20 s": 20, "90 s": 90}
DURATIONS = (ONE, *SECONDS, FOREVER)

# What goes wrong: the kind of fault, and the seconds in its Retry-After if the fault does not last
# for a set time.
FAULTS: dict[str, tuple[str, int | None]] = {
    "429 rate limit": ("rate_limit", 2),
    "429 no money left": ("quota", None),
    "500 server error": ("server_error", None),
    "503 overloaded": ("overloaded", 5),
    "no connection": ("connection", None),
    "no answer": ("timeout", None),
    "the answer breaks off": ("cut_stream", None),
    "the answer is broken JSON": ("malformed", None),
}
WRONG_REQUEST = "400 bad request"
PROBLEMS = (*FAULTS, WRONG_REQUEST)
# these never end on their own, so the duration has no meaning
PERMANENT = (
    "429 no money left",
    WRONG_REQUEST,
)

Program = Callable[[openai.OpenAI, dict[str, Any]], str | None]


def _sdk_alone(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """Make the call with the SDK alone, with as many retries as the client has."""
    reply = client.chat.completions.create(
        model=models.role("CHAT"),
        messages=[{"role": "user", "content": PROMPT}],
        timeout=TIMEOUT,
        **params,
    )
    content: str | None = reply.choices[0].message.content
    return content


def _no_retry(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    return _sdk_alone(client.with_options(max_retries=0), params)


def _nested_loop(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """Make the call in the loop that many tutorials use: three attempts after rate limits and
    timeouts, around a client that has its own retries.
    """
    clock = clock_of(client)
    for wait in (1, 2):
        try:
            return _sdk_alone(client, params)
        except openai.RateLimitError:
            clock.wait(clock.now() + wait)
        except openai.APITimeoutError:
            pass
        except openai.APIConnectionError as error:
            raise RuntimeError(f"Cannot reach OpenAI API: {error}") from error
    return _sdk_alone(client, params)


def _hammering(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """Retry after a second, whatever goes wrong."""
    clock = clock_of(client)
    for _ in range(5):
        with contextlib.suppress(openai.OpenAIError, ValueError):
            return _no_retry(client, params)
        clock.wait(clock.now() + 1)
    return _no_retry(client, params)


def _robust(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    return robust_completion(
        client, PROMPT, timeout=TIMEOUT, rng=random.Random(SEED), **params
    )


STRATEGIES: dict[str, Program] = {
    "no retry": _no_retry,
    "the SDK alone (2 retries)": _sdk_alone,
    "a loop of 3 around the SDK": _nested_loop,
    "retry anything after 1 s (5 retries)": _hammering,
    "robust_completion": _robust,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What to run: one of PROBLEMS, one of DURATIONS (ignored for PERMANENT problems), and one of
    STRATEGIES.
    """

    problem: str = PROBLEMS[0]
    duration: str = FOREVER
    strategy: str = "a loop of 3 around the SDK"

    @property
    def fault(self) -> Fault | None:
        """Return the offline API's fault; None: there is none, because the request itself is
        wrong.
        """
        if self.problem == WRONG_REQUEST:
            return None
        kind, retry_after = FAULTS[self.problem]
        if self.problem not in PERMANENT and self.duration in SECONDS:
            return Fault(kind, lasts=SECONDS[self.duration])
        once = self.duration == ONE and self.problem not in PERMANENT
        return Fault(
            kind, times=1 if once else math.inf, retry_after=retry_after
        )


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request on the wire. Times are seconds since the first was sent.

    by           who sent it: "first", "SDK", or "program"
    outcome      the outcome in words: "200", "429 rate_limit_exceeded", "timeout", …
    answered     whether a complete answer arrived
    retry_after  seconds that the server asked the client to wait; None: it did not say
    """

    at: float
    ended: float
    by: str
    outcome: str
    answered: bool
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class FaultRun:
    """The outcome of a setting.

    calls    all requests, in order; at least one
    answer   the answer's text; None: an error was raised
    error    the error's class and message
    seconds  until the program had its answer or its error
    verdict  the offline API's verdict
    log      (seconds, logger, message) of what the SDK and coursekit logged, in order
    """

    setting: Setting
    calls: tuple[HttpCall, ...]
    answer: str | None
    error: str
    seconds: float
    verdict: Verdict
    log: tuple[tuple[float, str, str], ...] = ()


def run(setting: Setting, recordings: str | Path | None = None) -> FaultRun:
    """Run a setting. The result is the same each time, no real time passes, and nothing is spent.

    recordings  a folder with the answer; None: the course's own
    """
    client = connect(
        "replay", faults=setting.fault, speed="instant", recordings=recordings
    )
    clock = clock_of(client)
    params = {"temperature": 3} if setting.problem == WRONG_REQUEST else {}
    answer, error = None, ""
    with seeded_jitter(SEED), _listening(clock.now) as lines:
        try:
            answer = STRATEGIES[setting.strategy](client, params)
        except (openai.OpenAIError, ValueError, RuntimeError) as raised:
            notes = getattr(raised, "__notes__", [])
            error = "\n".join([f"{type(raised).__name__}: {raised}", *notes])
    wired = wired_to(client)
    ledger = list(wired.ledger or ()) if wired else []
    calls = tuple(
        _call(attempt, number) for number, attempt in enumerate(ledger)
    )
    return FaultRun(
        setting,
        calls,
        answer,
        error,
        clock.now(),
        verdict_on(ledger),
        tuple(lines),
    )


def _call(attempt: LoggedAttempt, number: int) -> HttpCall:
    by = "program" if number else "first"
    if attempt.retry:
        by = "SDK"
    outcome = outcome_of(attempt)
    return HttpCall(
        attempt.at,
        attempt.ended_at,
        by,
        outcome,
        outcome == "200",
        attempt.retry_after,
    )


class _Lines(logging.Handler):
    """A handler that keeps what this thread logs at INFO and above, with the client's time."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self.now, self.lines = now, list[tuple[float, str, str]]()
        self._thread, self._before = threading.get_ident(), now()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread != self._thread:
            return
        at = self.now()
        if str(record.msg).startswith(RETRYING) and isinstance(
            record.args, tuple
        ):
            # The SDK is about to sleep, and on a virtual clock this wait is already over, after 0
            # real seconds. The line gets the clock's seconds, which a real client would sleep.
            record.args = (at - self._before, *record.args[1:])
            at = self._before
        self._before = self.now()
        if record.levelno >= logging.INFO:
            self.lines.append((at, record.name, record.getMessage()))


@contextlib.contextmanager
def _listening(
    now: Callable[[], float],
) -> Iterator[list[tuple[float, str, str]]]:
    """Collect the lines that are logged in the meantime, and restore the loggers afterwards."""
    handler = _Lines(now)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        # only the SDK's DEBUG lines show the time when a request ended
        logger.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
