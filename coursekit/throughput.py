"""How fast requests can be sent: a discrete-event simulation of four ways to send them under two
limits.

The limits are those of the offline API and use the same code (``offline.limits.account``), so a
simulated run and a real one agree (a test checks this). Nothing waits: times are simulated seconds.
A refused request is not retried, because retries are a separate subject. Taught in 05 §3 and its
lab.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from . import models
from .offline.limits.account import MINUTE, Account
from .wired import wired_to

STRATEGIES = ("sequential", "unbounded", "semaphore", "paced")
SEQUENTIAL, UNBOUNDED, SEMAPHORE, PACED = STRATEGIES
# seconds: a 429 is sent before the request reaches the model
REFUSED_AFTER = 0.1


@dataclass(frozen=True, slots=True)
class Load:
    """The requests to be sent, and the limits on them.

    requests     how many, 1 or more
    concurrency  how many can be in flight at once (for "semaphore" and "paced")
    latency      seconds from a request to its answer, above 0
    rpm, tpm     requests and tokens that the account can use per minute
    tokens       how many tokens each request takes from the second limit

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
                    f"{name}={getattr(self, name)!r} is not valid. Give a whole number above 0."
                )
        if not 0 < self.latency < math.inf:
            raise ValueError(
                f"latency={self.latency!r} is not valid. Give a number of seconds above 0."
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
    """A request in a run against an API that fails.

    model        the model that the request was sent to
    outcome      "answered"; "incomplete": status 200, but the answer is not complete; "refused": by
                 the account's own limit; "struck": by a failure; "gone": the model was shut down;
                 "no money"
    tokens_left  tokens in the model's bucket after this request; None: the answer did not say
    """

    model: str = ""
    outcome: str = "answered"
    tokens_left: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's result.

    answered, refused  the number of requests with status 200, and the number with 429
    seconds            from the first request to the end of the last
    in_flight          requests in flight, averaged over that time
    """

    answered: int
    refused: int
    seconds: float
    in_flight: float


@dataclass(frozen=True, slots=True)
class Rates:
    """The requests per minute that each limit would allow on its own; ``binding`` names the lowest.

    concurrency  by Little's law: rate = requests in flight / latency
    rpm          the account's limit
    tpm          tokens per minute / tokens per request
    """

    concurrency: float
    rpm: float
    tpm: float

    @property
    def binding(self) -> str:
        return min(asdict(self).items(), key=lambda item: item[1])[0]


def rates_of(load: Load) -> Rates:
    """Return what each limit allows, in requests per minute."""
    return Rates(
        MINUTE * load.concurrency / load.latency,
        float(load.rpm),
        load.tpm / load.tokens,
    )


def simulate(
    strategy: str, load: Load, *, refused_after: float = REFUSED_AFTER
) -> list[Span]:
    """Return the requests in a run, in the order in which they are sent.

    strategy       "sequential": each waits for the one before; "unbounded": all at once;
                   "semaphore": at most ``load.concurrency`` are in flight; "paced": the same, and
                   each is sent only when the account has room for it
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
    # the times at which slots become free, as a heap
    free = [0.0] * min(slots, load.requests)
    spans = []
    for _ in range(load.requests):
        start = heapq.heappop(free)
        if strategy == PACED:
            start = account.room_at(model, load.tokens, start)
        _, refusal = account.admit(model, load.tokens, start)
        end, status = start + load.latency, 200
        if refusal is not None:
            end = start + min(refused_after, load.latency)
            status = refusal.status
        spans.append(Span(start, end, status))
        heapq.heappush(free, end)
    return spans


def outcome_of(spans: Sequence[Span]) -> Outcome:
    """Return the result of these requests; all zeros if there are none."""
    if not spans:
        return Outcome(0, 0, 0.0, 0.0)
    first = min(span.start for span in spans)
    seconds = max(span.end for span in spans) - first
    busy = sum(span.end - span.start for span in spans)
    statuses = [span.status for span in spans]
    return Outcome(
        statuses.count(200),
        statuses.count(429),
        seconds,
        busy / seconds if seconds else 0.0,
    )


def least_seconds(load: Load) -> float:
    """Return the shortest time in which all requests can be answered, which is the longest time
    that any one of the limits requires.

    An idle account accepts a whole minute's worth at once and then refills evenly, so the last
    request can be sent at (requests - rpm) / (rpm / 60 s), and likewise for tokens. Each batch of
    ``concurrency`` requests takes ``latency``.
    """
    by_rpm = (load.requests - load.rpm) * MINUTE / load.rpm
    by_tpm = (load.requests * load.tokens - load.tpm) * MINUTE / load.tpm
    by_slots = math.ceil(load.requests / load.concurrency) * load.latency
    return max(max(by_rpm, by_tpm, 0.0) + load.latency, by_slots)


def spans_of(client: Any) -> list[Span]:
    """Return a client's actual requests from the offline API's ledger, with the first at second 0.

    client  from ``connect()`` or ``connect_async()`` in replay mode

    Raises ValueError for a client without a ledger, such as one in live mode.
    """
    wired = wired_to(client)
    if wired is None or wired.ledger is None:
        raise ValueError(
            f"There is no ledger for this {type(client).__name__}. Only the offline API "
            "keeps one: "
            'pass a client from connect(mode="replay") or connect_async(mode="replay").'
        )
    attempts = sorted(wired.ledger, key=lambda attempt: attempt.at)
    return [
        Span(a.at - attempts[0].at, a.ended_at - attempts[0].at, a.status)
        for a in attempts
    ]
