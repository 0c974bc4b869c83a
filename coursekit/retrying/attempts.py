"""retry() and retry_async(): call, judge, wait, call again.

The loop is our own, not tenacity's or stamina's: it has to read Retry-After, keep one deadline
across attempts and waits, judge by the body's ``code``, and wait on a clock that is passed in. That
is the subject of chapter 06, and with either library it would all be callbacks. Taught in 06 §9.
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
# as libraries do: silent until the program sets up logging
LOG.addHandler(logging.NullHandler())


class RealClock:
    """Time as it passes."""

    def real(self, seconds: float) -> float:
        return seconds

    def now(self) -> float:
        return time.monotonic()

    def wait(self, until: float) -> None:
        time.sleep(max(0.0, until - self.now()))

    async def wait_async(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - self.now()))


def clock_of(client: Any) -> Clock:
    """The clock of a client of ``connect()``, so that our waits pass as its answers do; else real
    time.
    """
    wired = wired_to(client)
    return wired.clock if wired else RealClock()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt, as passed to ``on_attempt``. Times are seconds.

    number      1 or more
    started     seconds since the first attempt began
    seconds     how long it took
    error       None: it succeeded
    decision    what to do about the error; None without one
    wait        seconds until the next attempt; None: there is none
    why         what was decided, and why; "" after success
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
    """Call ``fn`` until it succeeds, or until the policy says that another attempt makes no sense.

    fn          makes one attempt; switch the SDK's own retries off in it
                (``client.with_options(max_retries=0)``), or the two multiply
    policy      None: ``Policy()``
    clock       ``clock_of(client)``; None: real time
    rng         draws the jitter; None: a new one
    on_attempt  is called with an ``Attempt`` after each one; for example, ``attempts.append``

    Returns what ``fn`` returns. Raises the last attempt's own exception, with a note that says why
    there was no further attempt. The logger "coursekit.retrying" gets a record at INFO for each
    retry and at WARNING when giving up, with ``request_id``, ``attempt``, ``status`` and ``code``
    as attributes; never the error itself, whose request carries the key.
    """
    run = _Run(policy, clock, rng, on_attempt)
    while True:
        run.begin()
        try:
            result = fn()
        # judged, and raised again unless a retry can help
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
    """Like ``retry``, but for a coroutine function. Cancelling ends it at once, even while it
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
    """What both forms share: the count, the times, the decision, and who is notified."""

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
        """The time of the next attempt; None: there is none."""
        now, decision = self.clock.now(), classify(error)
        wait, why = self.policy.next(
            self.number, now - self.first, error, self.rng
        )
        self._log(error, wait, why)
        request_id = getattr(error, "request_id", None)
        self._report(error, decision, wait, why, request_id)
        if wait is not None:
            return now + wait
        # what is wrong with a request, its error says itself
        if decision.action != "fix":
            error.add_note(
                f"Gave up after {self.number} attempt{'s'[: self.number > 1]}. {why}"
            )
        return None

    def succeeded(self, result: object) -> None:
        request_id = getattr(result, "_request_id", None)
        self._report(None, None, None, "", request_id)

    def _report(self, *outcome: Any) -> None:
        """Pass on an attempt that has just ended; ``outcome`` is what ``Attempt`` has after its
        times.
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
