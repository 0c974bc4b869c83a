"""How fast requests may be sent: a discrete-event simulation of four ways to send them under two
limits.

The limits are those of the offline API, and use the same code (``offline.limits.account``), so a
simulated run and a real one agree (a test checks that). Nothing waits: times are seconds of the
simulation. A refused request is not retried; retries are a separate subject.

Taught in 05 §3.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import models
from .offline.limits.account import MINUTE, Account
from .wired import wired_to

SEQUENTIAL, UNBOUNDED, SEMAPHORE, PACED = (
    "sequential",
    "unbounded",
    "semaphore",
    "paced",
)
STRATEGIES = (SEQUENTIAL, UNBOUNDED, SEMAPHORE, PACED)
REFUSED_AFTER = (
    0.1  # seconds: a 429 is sent before the request reaches the model
)


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be sent, and what limits it.

    requests     how many, 1 or more
    concurrency  how many may be in flight at once (for "semaphore" and "paced")
    latency      seconds from a request to its answer, above 0
    rpm, tpm     requests and tokens that the account may use each minute
    tokens       how many each request takes from the second limit

    Raises ValueError for any other value.
    """

    requests: int = 60
    concurrency: int = 5
    latency: float = 1.5
    rpm: int = 30
    tpm: int = 40_000
    tokens: int = 600

    def __post_init__(self) -> None:
        for name in ("requests", "concurrency", "rpm", "tpm", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} cannot be used. Give a whole number above 0."
                )
        if not 0 < self.latency < math.inf:
            raise ValueError(
                f"latency={self.latency!r} cannot be used. Give a number of seconds above 0."
            )


@dataclass(frozen=True, slots=True)
class Span:
    """One request on a timeline: seconds from ``start`` to ``end``, and the HTTP status of its
    answer.
    """

    start: float
    end: float
    status: int = 200


@dataclass(frozen=True, slots=True)
class RunSpan(Span):
    """A request of a run against an API that fails.

    model        the model it was sent to
    outcome      "answered"; "incomplete": status 200, but not the whole answer; "refused": by the
                 account's own limit; "struck": a failure; "gone": the model was shut down; "no
                 money"
    tokens_left  tokens in the model's bucket after this request; None: its answer did not say
    """

    model: str = ""
    outcome: str = "answered"
    tokens_left: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run.

    answered, refused  the number of requests with status 200, and with 429
    seconds            from the first request to the end of the last
    in_flight          requests in flight, averaged over that time
    """

    answered: int
    refused: int
    seconds: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Requests per minute that each limit allows by itself; ``binding`` names the lowest.

    concurrency  by Little's law: rate = requests in flight / latency
    rpm          unchanged
    tpm          tokens per minute / tokens per request
    """

    concurrency: float
    rpm: float
    tpm: float

    @property
    def binding(self) -> str:
        return min(
            ("concurrency", "rpm", "tpm"),
            key=lambda name: float(getattr(self, name)),
        )


def rates_of(load: Load) -> Rates:
    """What each limit allows, in requests per minute."""
    return Rates(
        MINUTE * load.concurrency / load.latency,
        float(load.rpm),
        load.tpm / load.tokens,
    )


def simulate(
    strategy: str, load: Load, *, refused_after: float = REFUSED_AFTER
) -> list[Span]:
    """The requests of a run, in the order in which they are sent.

    strategy       "sequential": each waits for the one before; "unbounded": all at once;
                   "semaphore": at most ``load.concurrency`` in flight; "paced": the same, and none
                   is sent before the account has room for it
    refused_after  seconds until a 429 arrives, if that is less than the latency

    Raises ValueError for any other strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(
            f"There is no strategy {strategy!r}. Choose one of {', '.join(STRATEGIES)}."
        )
    account, model = Account(rpm=load.rpm, tpm=load.tpm), models.SMALL
    slots = {SEQUENTIAL: 1, UNBOUNDED: load.requests}.get(
        strategy, load.concurrency
    )
    free = [0.0] * min(slots, load.requests)  # when each slot is free: a heap
    spans = []
    for _ in range(load.requests):
        start = heapq.heappop(free)
        if strategy == PACED:
            start = account.room_at(model, load.tokens, start)
        _, refusal = account.admit(model, load.tokens, start)
        took = (
            load.latency
            if refusal is None
            else min(refused_after, load.latency)
        )
        spans.append(
            Span(
                start, start + took, 200 if refusal is None else refusal.status
            )
        )
        heapq.heappush(free, start + took)
    return spans


def outcome_of(spans: Sequence[Span]) -> Outcome:
    """The result of these requests; all zeros if there are none."""
    seconds = max((span.end for span in spans), default=0.0) - min(
        (span.start for span in spans), default=0.0
    )
    busy = sum(span.end - span.start for span in spans)
    statuses = [span.status for span in spans]
    return Outcome(
        statuses.count(200),
        statuses.count(429),
        seconds,
        busy / seconds if seconds else 0.0,
    )


def least_seconds(load: Load) -> float:
    """The shortest time in which all requests can be answered: the longest that any one of the
    limits requires.

    An idle account accepts a whole minute's worth at once and then refills evenly, so the last
    request can be sent at (requests - rpm) / (rpm / 60 s), and likewise for tokens. Each batch of
    ``concurrency`` requests takes ``latency``.
    """
    by_rpm = (load.requests - load.rpm) * MINUTE / load.rpm
    by_tpm = (load.requests * load.tokens - load.tpm) * MINUTE / load.tpm
    by_slots = math.ceil(load.requests / load.concurrency) * load.latency
    return max(max(by_rpm, by_tpm, 0.0) + load.latency, by_slots)


def spans_of(client: Any) -> list[Span]:
    """What a client really did: its requests, from the offline API's ledger, the first at second 0.

    client  from ``connect()`` or ``connect_async()`` in replay mode

    Raises ValueError for a client without a ledger, as in live mode.
    """
    wired = wired_to(client)
    if wired is None or wired.ledger is None:
        raise ValueError(
            f"There is no ledger of what this {type(client).__name__} did. Only the offline API "
            "keeps one: "
            'pass a client from connect(mode="replay") or connect_async(mode="replay").'
        )
    attempts = sorted(wired.ledger, key=lambda attempt: attempt.at)
    return [
        Span(a.at - attempts[0].at, a.ended_at - attempts[0].at, a.status)
        for a in attempts
    ]
