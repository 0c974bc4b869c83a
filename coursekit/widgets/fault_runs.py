"""What the fault board runs: a fault, a way to take it, the real SDK, and the offline API on
virtual time.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai

from .. import models
from ..client import connect
from ..offline.faults import Fault
from ..offline.watched.ledger import Attempt
from ..offline.watched.verdict import Verdict, outcome_of, verdict_on
from ..retrying import clock_of, robust_completion
from ..retrying.sdk_jitter import seeded_jitter
from ..wired import wired_to

PROMPT = "What is the capital of France?"
TIMEOUT = 30.0  # seconds, of every strategy
SEED = 6
EVER = math.inf
TIMES = {"once": 1, "twice": 2, "3 times": 3, "5 times": 5, "every time": EVER}

# What goes wrong: the fault's arguments; or, for a wrong request, arguments of create().
FAULTS: dict[str, dict[str, Any]] = {
    "429 rate limit, Retry-After 2 s": {"kind": "rate_limit", "retry_after": 2},
    "429 rate limit, Retry-After 90 s": {"kind": "rate_limit", "retry_after": 90},
    "429 no money left": {"kind": "quota"},
    "500 server error": {"kind": "server_error"},
    "503 overloaded, Retry-After 5 s": {"kind": "overloaded", "retry_after": 5},
    "no connection": {"kind": "connection"},
    "no answer": {"kind": "timeout"},
    "the answer breaks off": {"kind": "cut_stream"},
    "the answer is broken JSON": {"kind": "malformed"},
}
WRONG_REQUEST = "400 wrong request"
PROBLEMS = (*FAULTS, WRONG_REQUEST)
LASTING = (
    "429 no money left",
    WRONG_REQUEST,
)  # do not pass by themselves: ``times`` has no meaning

Ask = Callable[[openai.OpenAI, dict[str, Any]], str | None]


def _once(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """What the SDK does by itself, with as many retries as the client has."""
    reply = client.chat.completions.create(
        model=models.role("CHAT"),
        messages=[{"role": "user", "content": PROMPT}],
        timeout=TIMEOUT,
        **params,
    )
    text: str | None = reply.choices[0].message.content
    return text


def _no_retry(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    return _once(client.with_options(max_retries=0), params)


def _tutorial(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """The tutorial's loop: three attempts at rate limits and timeouts, around a client that retries
    by itself.
    """
    clock = clock_of(client)
    for wait in (1, 2):
        try:
            return _once(client, params)
        except openai.RateLimitError:
            clock.wait(clock.now() + wait)
        except openai.APITimeoutError:
            pass
        except openai.APIConnectionError as error:
            raise RuntimeError(f"Cannot reach OpenAI API: {error}") from error
    return _once(client, params)


def _everything(client: openai.OpenAI, params: dict[str, Any]) -> str | None:
    """What many write: whatever goes wrong, once more in a second."""
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


STRATEGIES: dict[str, Ask] = {
    "no retry": _no_retry,
    "the SDK alone (2 retries)": _once,
    "the tutorial's loop around the SDK": _tutorial,
    "anything again after 1 s (5 retries)": _everything,
    "robust_completion": _robust,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What to run.

    problem   one of PROBLEMS
    times     one of TIMES: how many requests it strikes; of LASTING problems, all
    strategy  one of STRATEGIES
    """

    problem: str = PROBLEMS[0]
    times: str = "every time"
    strategy: str = "the tutorial's loop around the SDK"

    @property
    def strikes(self) -> float:
        """How many requests the problem strikes."""
        return EVER if self.problem in LASTING else TIMES[self.times]


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request on the wire. Times are seconds since the first was sent.

    by      who sent it: "first", "SDK" or "program"
    met     what came of it, in words: "200", "429 rate_limit_exceeded", "timeout", …
    answered  whether a whole answer arrived
    told    seconds of Retry-After; None: nothing was said
    """

    at: float
    ended: float
    by: str
    met: str
    answered: bool
    told: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """What a setting led to.

    calls    all requests, in order; at least one
    answer   the text; None: an error was raised
    error    its class and message
    seconds  until the program knew
    verdict  the offline API's
    """

    setting: Setting
    calls: tuple[HttpCall, ...]
    answer: str | None
    error: str
    seconds: float
    verdict: Verdict


def run(setting: Setting, recordings: str | Path | None = None) -> Run:
    """Let it happen: the same result each time. No real time passes, nothing is spent.

    recordings  where the answer is found; None: the course's own
    """
    wrong = setting.problem == WRONG_REQUEST
    faults = None if wrong else Fault(**FAULTS[setting.problem], times=setting.strikes)
    client = connect("replay", faults=faults, speed="instant", recordings=recordings)
    answer, error = None, ""
    with seeded_jitter(SEED):
        try:
            answer = STRATEGIES[setting.strategy](
                client, {"temperature": 3} if wrong else {}
            )
        except (openai.OpenAIError, ValueError, RuntimeError) as raised:
            error = f"{type(raised).__name__}: {raised}"
            error += "".join(f"\n{note}" for note in getattr(raised, "__notes__", []))
    wired = wired_to(client)
    ledger = list(wired.ledger or ()) if wired else []
    calls = tuple(_call(attempt, number) for number, attempt in enumerate(ledger))
    return Run(
        setting, calls, answer, error, clock_of(client).now(), verdict_on(ledger)
    )


def _call(attempt: Attempt, number: int) -> HttpCall:
    by = "SDK" if attempt.retry else "program" if number else "first"
    met = outcome_of(attempt)
    return HttpCall(
        attempt.at, attempt.ended_at, by, met, met == "200", attempt.told_to_wait
    )
