"""retry() and retry_async(): call, classify the error, wait, and call again.

The loop is our own, not tenacity's or stamina's, because it has to read Retry-After, keep one
deadline across attempts and waits, look at the body's ``code``, and wait on a clock that is passed
in. This logic is the subject of chapter 06, and with either library it would all be in callbacks.
Taught in 06 §9.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..wired import Clock, wired_to
from .classify import Decision, classify
from .policy import Policy

T = TypeVar("T")
LOG = logging.getLogger("coursekit.retrying")
# as is usual for a library, silent until the program sets up logging
LOG.addHandler(logging.NullHandler())


class RealClock:
    """Real time."""

    def real(self, seconds: float) -> float:
        return seconds

    def now(self) -> float:
        return time.monotonic()

    def wait(self, until: float) -> None:
        time.sleep(max(0.0, until - self.now()))

    async def wait_async(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - self.now()))


def clock_of(client: Any) -> Clock:
    """Return the clock of a client from ``connect()``, so that waits and answers use the same time;
    for any other client, real time.
    """
    wired = wired_to(client)
    return wired.clock if wired else RealClock()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as passed to ``on_attempt``. Times are seconds.

    number      counted from 1
    started     seconds since the first attempt began
    seconds     how long the attempt took
    error       the exception; None: the attempt succeeded
    decision    what to do about the error; None without one
    wait        seconds until the next attempt; None: there is none
    why         the decision and the reason for it; "" after success
    request_id  the ID that OpenAI's support asks for; None if no answer arrived
    """

    number: int
    started: float
    seconds: float
    error: Exception | None = None
    decision: Decision | None = None
    wait: float | None = None
    why: str = ""
    request_id: str | None = None


def retry(
    fn: Callable[[], T],
    *,
    policy: Policy | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    on_attempt: Callable[[Attempt], object] | None = None,
) -> T:
    """Call ``fn`` until it succeeds, or until the policy rules out another attempt.

    fn          makes one attempt; in it, switch off the SDK's own retries
                (``client.with_options(max_retries=0)``), or the two multiply
    policy      None: ``Policy()``
    clock       ``clock_of(client)``; None: real time
    rng         draws the jitter; None: a new one
    on_attempt  is called with an ``Attempt`` after each attempt; for example, ``attempts.append``

    Returns what ``fn`` returns. Raises the exception from the last attempt, with a note that says
    why there was no further attempt. The logger "coursekit.retrying" gets a record at INFO for each
    retry and at WARNING when giving up, with ``request_id``, ``attempt``, ``status`` and ``code``
    as attributes. It never gets the error itself, whose request carries the key.
    """
    run = _Run(policy, clock, rng, on_attempt)
    while True:
        run.begin()
        try:
            result = fn()
        # classified, and raised again unless a retry can help
        except Exception as error:
            until = run.failed(error)
            if until is None:
                raise
        else:
            run.succeeded(result)
            return result
        run.clock.wait(until)


async def retry_async(
    fn: Callable[[], Awaitable[T]],
    *,
    policy: Policy | None = None,
    clock: Clock | None = None,
    rng: random.Random | None = None,
    on_attempt: Callable[[Attempt], object] | None = None,
) -> T:
    """Do the same as ``retry`` for a coroutine function. Cancelling ends it at once, even while it
    waits.
    """
    run = _Run(policy, clock, rng, on_attempt)
    while True:
        run.begin()
        try:
            result = await fn()
        except Exception as error:
            until = run.failed(error)
            if until is None:
                raise
        else:
            run.succeeded(result)
            return result
        await run.clock.wait_async(until)


class _Run:
    """What both forms share: the count, the times, the decision, and the notifications."""

    def __init__(
        self,
        policy: Policy | None,
        clock: Clock | None,
        rng: random.Random | None,
        on_attempt: Callable[[Attempt], object] | None,
    ) -> None:
        self.policy, self.clock = policy or Policy(), clock or RealClock()
        self.rng, self.on_attempt = rng or random.Random(), on_attempt
        self.number = 0
        self.first = self.start = self.clock.now()

    def begin(self) -> None:
        self.number += 1
        self.start = self.clock.now()

    def failed(self, error: Exception) -> float | None:
        """Return the time of the next attempt; None: there is none."""
        now, decision = self.clock.now(), classify(error)
        wait, why = self.policy.next(
            self.number, now - self.first, error, self.rng
        )
        self._log(error, wait, why)
        request_id = getattr(error, "request_id", None)
        self._report(error, decision, wait, why, request_id)
        if wait is not None:
            return now + wait
        # the error itself says what is wrong with a request
        if decision.action != "fix":
            error.add_note(
                f"Gave up after {self.number} attempt{'s'[: self.number > 1]}. {why}"
            )
        return None

    def succeeded(self, result: object) -> None:
        request_id = getattr(result, "_request_id", None)
        self._report(None, None, None, "", request_id)

    def _report(self, *outcome: Any) -> None:
        """Report an attempt that has just ended; ``outcome`` holds the fields of ``Attempt`` that
        follow its times.
        """
        if self.on_attempt is not None:
            took = self.clock.now() - self.start
            started = self.start - self.first
            self.on_attempt(Attempt(self.number, started, took, *outcome))

    def _log(self, error: Exception, wait: float | None, why: str) -> None:
        facts = {
            "attempt": self.number,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "request_id": getattr(error, "request_id", None),
        }
        then = "giving up" if wait is None else f"again in {wait:.2f} s"
        LOG.log(
            logging.WARNING if wait is None else logging.INFO,
            "attempt %(attempt)d: %(kind)s (status %(status)s, code %(code)s, "
            "request %(request_id)s): %(then)s. %(why)s",
            {**facts, "kind": type(error).__name__, "then": then, "why": why},
            extra=facts,
        )
