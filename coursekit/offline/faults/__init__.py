"""Faults on purpose: failures of the real API and the network, on request.

A fault is a plain value. Each client has its own ``Faults`` layer, which counts how often a fault
has struck. So a cell that creates its client again shows the same failures each time.
"""

from __future__ import annotations

import difflib
import math
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..exchange import (
    NEVER,
    ORGANIZATION,
    ApiAnswer,
    ApiRequest,
    Layer,
    error_answer,
    request_id,
)
from ..limits.account import usual_limits
from ..limits.errors import failure, insufficient_quota, rate_limited
from .within import cut, drip, garble, report

INSTEAD = (
    "rate_limit",
    "quota",
    "server_error",
    "overloaded",
    "timeout",
    "connection",
)
WITHIN = ("cut_stream", "malformed", "stream_error", "slow")
KINDS = INSTEAD + WITHIN
ARGUMENTS_OF = {
    "retry_after": ("rate_limit", "server_error", "overloaded"),
    "seconds": ("slow",),
    "abrupt": ("cut_stream",),
}
DAY = 86_400
# by argument: the least, the most, whether only whole numbers, and the same in words
RANGES: Mapping[str, tuple[float, float, bool, str]] = {
    "times": (1, math.inf, True, "a whole number of at least 1, or math.inf"),
    "after": (0, sys.maxsize, True, "a whole number of at least 0"),
    "probability": (0, 1, False, "a number from 0 to 1"),
    "retry_after": (
        0.001,
        DAY,
        False,
        "a number of seconds from 0.001 to 86400",
    ),
    "seconds": (0, DAY, False, "a number of seconds from 0 to 86400"),
    "lasts": (0.001, DAY, False, "a number of seconds from 0.001 to 86400"),
}
LIMITED = "gpt-4o"  # a rate_limit fault shows this model's usual limits
ASKS_TO_WAIT = ("rate_limit", "overloaded")
TOLERANCE = 0.0015  # seconds; Retry-After is given in whole milliseconds


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, for ``connect(faults=[...])``.

    kind    instead of an answer:
              "rate_limit"    429 rate_limit_exceeded with Retry-After: wait, then ask again
              "quota"         429 insufficient_quota: no retry helps
              "server_error"  500
              "overloaded"    503
              "timeout"       silence, until the caller's own timeout (the SDK's default is 600 s:
                              give the client one)
              "connection"    no connection
            within an answer:
              "cut_stream"    the stream ends before the model has finished
              "malformed"     an event that is broken JSON
              "stream_error"  an event that reports an error, after the 200
              "slow"          a drip: each event is ``seconds`` late, so that no longer read
                              timeout fires
    times   how many requests it strikes, math.inf for all. Default: 1; with ``probability``, all
    after   for the kinds instead of an answer: how many requests pass first (default 0); for those
            within an answer: how many chunks with content arrive first (default: half of them)
    probability  0 … 1: strikes each request with this probability. Without it, faults are a script:
                 they strike in the order of the list, each once the one before it is used up
    retry_after  seconds in the header Retry-After: for rate_limit (default 1), server_error and
                 overloaded (default: no such header)
    lasts   instead of times: the seconds, from its first strike, during which it strikes every
            request. A request that arrives before its Retry-After is over starts them again. Unless
            retry_after is given, rate_limit and overloaded ask for the seconds that are left
    seconds  for slow: how late each event is (default 1)
    abrupt  for cut_stream: True breaks the connection, which the SDK reports. False closes it
            cleanly, without an error: the missing finish_reason is the only sign

    The kinds within an answer also strike a request that is not streamed: cut_stream breaks the
    connection in the middle of the body (the SDK retries, and the API bills again), malformed cuts
    the JSON, stream_error is a 500, slow sends the body in ten pieces. An answer that is already an
    error is unchanged.

    Raises ValueError for an unknown kind, a value out of range, or an argument of another kind.
    """

    kind: str
    times: float | None = None
    after: int | None = None
    probability: float | None = None
    retry_after: float | None = None
    seconds: float | None = None
    abrupt: bool = False
    lasts: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            close = difflib.get_close_matches(
                str(self.kind), KINDS, n=1, cutoff=0.5
            )
            meant = f' Did you mean "{close[0]}"?' if close else ""
            raise ValueError(
                f"There is no fault {self.kind!r}.{meant} The kinds: {', '.join(KINDS)}."
            )
        if self.times is None:
            once = self.probability is None and self.lasts is None
            object.__setattr__(self, "times", 1 if once else math.inf)
        elif self.lasts is not None:
            self._check("lasts", False, "left out where times is given")
        alone = self.probability is None
        self._check("lasts", alone, "left out where probability is given")
        for name, (least, most, whole, wanted) in RANGES.items():
            within = _is_within(getattr(self, name), least, most, whole)
            self._check(name, within, wanted)
        for name, kinds in ARGUMENTS_OF.items():
            unset = getattr(self, name) is None or getattr(self, name) is False
            wanted = f"left out: it is only for {', '.join(kinds)}"
            self._check(name, unset or self.kind in kinds, wanted)

    def _check(self, name: str, good: bool, wanted: str) -> None:
        value = getattr(self, name)
        if value is not None and not good:
            raise ValueError(
                f'Fault("{self.kind}", {name}={value!r:.40}): {name} must be {wanted}.'
            )


class Faults:
    """Strikes requests with faults, and passes the others to the next layer.

    faults  see ``Fault``
    rng     decides about faults with a probability, and makes request ids
    now     the time by which faults last, in seconds
    """

    def __init__(
        self,
        inner: Layer,
        faults: Iterable[Fault],
        rng: random.Random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.inner, self.rng, self.now = inner, rng, now
        self._script: list[_Count] = []
        self._chances: list[_Count] = []
        self._lock = threading.Lock()
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Put further faults at the end of the script, or among those that strike by chance."""
        with self._lock:
            for fault in faults:
                scripted = fault.probability is None
                (self._script if scripted else self._chances).append(
                    _Count(fault)
                )

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._script, self._chances = [], []

    def answer(self, request: ApiRequest) -> ApiAnswer:
        count = self._next() if self._script or self._chances else None
        if count is None:
            return self.inner.answer(request)
        fault = count.fault
        if fault.kind in INSTEAD:
            return self._instead(fault, request, count.retry_after)
        answer = self.inner.answer(request)
        if answer.forward is not None:
            return _needs_a_recording(fault, answer.source)
        return self._within(fault, answer) if answer.status == 200 else answer

    def _next(self) -> _Count | None:
        """The fault that strikes this request."""
        with self._lock:
            now = self.now()
            while self._script and self._script[0].is_over(now):
                del self._script[0]
            if self._script and self._script[0].strikes(now):
                return self._script[0]
            for count in self._chances:
                drawn = self.rng.random() < (count.fault.probability or 0)
                if drawn and not count.is_over(now) and count.strikes(now):
                    return count
        return None

    def _instead(
        self, fault: Fault, request: ApiRequest, retry_after: float | None
    ) -> ApiAnswer:
        match fault.kind:
            case "rate_limit":
                return _limited(request, retry_after or 1.0)
            case "quota":
                return insufficient_quota()
            case "timeout":
                return ApiAnswer(after=NEVER)
            case "connection":
                return ApiAnswer(status=0)
        return failure(fault.kind, request_id(self.rng), retry_after)

    def _within(self, fault: Fault, answer: ApiAnswer) -> ApiAnswer:
        match fault.kind:
            case "cut_stream":
                return cut(answer, fault.after, fault.abrupt)
            case "malformed":
                return garble(answer, fault.after)
            case "slow":
                seconds = 1.0 if fault.seconds is None else fault.seconds
                return drip(answer, fault.after, seconds)
        if answer.events is None:
            return failure("server_error", request_id(self.rng))
        return report(answer, fault.after)


class _Count:
    """A fault, how many requests it lets pass, and how many, or until when, it strikes."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.passes = fault.after or 0 if fault.kind in INSTEAD else 0
        self.left = fault.times or 0
        self.until = math.inf
        self.retry_after = fault.retry_after
        self._early_before = 0.0

    def is_over(self, now: float) -> bool:
        return self.left <= 0 or now >= self.until

    def strikes(self, now: float) -> bool:
        if self.passes:
            self.passes -= 1
            return False
        self.left -= 1
        if self.fault.lasts is not None:
            self._last(self.fault.lasts, now)
        return True

    def _last(self, seconds: float, now: float) -> None:
        if self.until == math.inf or now < self._early_before:
            self.until = now + seconds
        if self.fault.kind in ASKS_TO_WAIT and self.fault.retry_after is None:
            self.retry_after = round(self.until - now, 3)
        self._early_before = now + (self.retry_after or 0.0) - TOLERANCE


def fault_list(given: Any) -> list[Fault]:
    """The faults that ``faults=`` gives: a Fault, several in order, or None.

    Raises ValueError for anything else.
    """
    if given is None:
        return []
    single = isinstance(given, Fault | str)
    faults: list[Any] = [given] if single else list(given)
    for fault in faults:
        if not isinstance(fault, Fault):
            raise ValueError(
                f"faults={given!r:.80} holds {fault!r:.40}, which is not a Fault.\n"
                'Give a list like [Fault("rate_limit", times=2), Fault("timeout")], with Fault '
                "from coursekit.offline."
            )
    return faults


def _needs_a_recording(fault: Fault, source: str) -> ApiAnswer:
    text = (
        f'Fault("{fault.kind}") changes a recorded answer, but there is no recording for '
        f"this request: {source} would answer it, and a fault cannot change that answer. Send a "
        "recorded request, or use a fault that replaces the answer: "
        f"{', '.join(INSTEAD)}."
    )
    headers = {"x-should-retry": "false"}
    return error_answer(
        400, text, code="fault_needs_a_recording", headers=headers
    )


def _limited(request: ApiRequest, wait: float) -> ApiAnswer:
    """A 429 for tokens with numbers that result in this wait: all tokens of a minute are used."""
    limits = usual_limits(LIMITED)
    per, limit = "min", limits.tpm
    if wait > 60:
        per, limit = "day", limits.tpm * 1440
    return rate_limited(
        request.model,
        ORGANIZATION,
        "tokens",
        limit,
        limit,
        math.ceil(wait * limits.tpm / 60),
        wait,
        limits.headers(requests=1, tokens=limits.tpm),
        per,
    )


def _is_within(value: Any, least: float, most: float, whole: bool) -> bool:
    """Whether a value is a number in a range; ``whole``: a whole one, or the end of the range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if whole and not (isinstance(value, int) or value == most):
        return False
    return least <= value <= most
