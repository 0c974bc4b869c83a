"""How often to retry, how long to wait in between, and when to give up. Taught in 06 §7."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from ..foundation.arguments import is_number
from ..foundation.retry_after import seconds_to_wait
from .classify import classify


@dataclass(frozen=True, slots=True)
class Policy:
    """A retry policy. The wait before attempt n + 1 (n = 1, 2, …), with U drawn uniformly from [0,
    1):

        ceiling = min(cap, base · factor^(n-1))
        least   = Retry-After, if the server sends one, or else ceiling · (1 - jitter)
        wait    = least + ceiling · jitter · U              never shorter than the server requests

    ``jitter=1`` is "full jitter" (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015), and ``Policy(3, cap=8, jitter=0.25)`` waits as the SDK does, except that the SDK
    adds nothing to Retry-After.

    max_attempts  the total number of requests, including the first; 1 or more
    base          seconds, the first ceiling; > 0
    cap           seconds, the highest ceiling; > 0
    deadline      seconds after the first request; after that, no new request is sent; None: no
                  deadline. If a wait would end later, it is skipped: giving up at once is better
                  than giving up after a wait.
    jitter        0 … 1: the share of the wait that is random
    factor        by which the ceiling grows, 1 or more; 1 is a fixed wait
    patience      seconds: if the server asks for a longer wait, give up at once, as the SDK does
                  above 120 s

    Raises ValueError for a value out of range.
    """

    max_attempts: int = 5
    base: float = 0.5
    cap: float = 8.0
    deadline: float | None = 60.0
    jitter: float = 1.0
    factor: float = 2.0
    patience: float = 120.0

    def __post_init__(self) -> None:
        seconds = "a number of seconds above 0"
        checks = {
            "max_attempts": (
                is_number(self.max_attempts, whole=True)
                and self.max_attempts >= 1,
                "a whole number of at least 1 (1: no retry)",
            ),
            "base": (0 < self.base < math.inf, seconds),
            "cap": (0 < self.cap < math.inf, seconds),
            "deadline": (
                self.deadline is None or self.deadline > 0,
                f"{seconds}, or None",
            ),
            "jitter": (0 <= self.jitter <= 1, "a number from 0 to 1"),
            "factor": (1 <= self.factor < math.inf, "a number of at least 1"),
            "patience": (self.patience > 0, seconds),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise ValueError(
                    f"Policy({name}={getattr(self, name)!r}): {name} must be {wanted}."
                )

    def ceiling(self, attempt: int) -> float:
        """The longest wait of our own after attempt number ``attempt`` (1 or more), seconds."""
        try:
            return min(self.cap, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            return self.cap

    def wait(
        self, attempt: int, error: BaseException | None, rng: random.Random
    ) -> float:
        """Return the seconds to wait after attempt number ``attempt`` (from 1 on) failed with
        ``error``; see the formula above.
        """
        ceiling, least = self.ceiling(attempt), retry_after(error)
        if least is None:
            least = ceiling * (1 - self.jitter)
        return least + ceiling * self.jitter * rng.random()

    def next(
        self,
        attempt: int,
        elapsed: float,
        error: BaseException,
        rng: random.Random,
    ) -> tuple[float | None, str]:
        """Decide what to do after a failed attempt.

        attempt  its number, 1 or more
        elapsed  seconds since the first one began
        Returns the seconds to wait before the next one, and why; None for the seconds: give up.
        """
        decision = classify(error)
        if decision.action != "retry":
            return None, f"{decision.reason} {decision.advice}"
        if attempt >= self.max_attempts:
            why = f"That was attempt {attempt} of {self.max_attempts}."
            return None, f"{decision.reason} {why}"
        wanted = retry_after(error)
        if wanted is not None and wanted > self.patience:
            why = (
                f"the server asks you to wait {duration(wanted)}, longer than this policy's "
                f"{self.patience:g} s"
            )
            return None, f"{decision.reason} Not retried: {why}."
        seconds = self.wait(attempt, error, rng)
        if self.deadline is not None and elapsed + seconds > self.deadline:
            left = max(0.0, self.deadline - elapsed)
            why = f"the next wait would be {seconds:.1f} s"
            if wanted is not None:
                why = f"the server asks for {wanted:g} s"
            why += f", and the deadline leaves {left:.1f} s"
            return None, f"{decision.reason} Not retried: {why}."
        return seconds, decision.reason


def retry_after(error: BaseException | None) -> float | None:
    """Return how many seconds (> 0) the answer behind an error asks the client to wait; None if it
    does not say.

    error  an exception with ``.response.headers``, like the SDK's APIStatusError; for any other,
           the result is None
    """
    headers = getattr(getattr(error, "response", None), "headers", None)
    return seconds_to_wait(headers) if headers else None


def duration(seconds: float) -> str:
    """Format seconds as a person would write them: "45 s", "12 min", "55 h"."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
