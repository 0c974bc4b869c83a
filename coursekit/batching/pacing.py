"""When the next request may go: two budgets, requests and tokens, given or learned from the
x-ratelimit headers.

Why not aiolimiter: it cannot take into account what the headers say is left, a limit that changes,
or an account that others use as well. It is right if you only know a fixed rate.
Taught in 05 §5 and §6.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..offline.limits.estimate import estimated_tokens, output_limit
from ..tokens import as_dict

MINUTE, DAY = 60.0, 86_400.0
CATCH_UP = 1.0  # seconds' worth of a given rate that may be sent at once, after a pause
EARLY = 0.05  # seconds by which a request is held back, because some travel faster than others
LATEST = 8  # answers whose headers count
# of a time as Go prints it
GO_PART = re.compile(r"(\d*\.?\d+)(ms|[hms])")
GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class Tokens(NamedTuple):
    """What a limiter may take for a request: its prompt, estimated by characters, or the most that
    its answer may have, if that is more.
    """

    prompt: int
    reserved: int


def tokens_of(params: Mapping[str, Any]) -> Tokens:
    """The tokens of a request, as ``offline.limits.estimate`` calculates them."""
    messages = params.get("messages")
    if isinstance(messages, list):
        messages = [as_dict(message) for message in messages]
    prompt = estimated_tokens({"messages": messages})
    return Tokens(prompt, max(prompt, output_limit(params)))


@dataclass(frozen=True, slots=True)
class Reservation:
    """A request that was sent: its number, when, and everything that had been sent by then, itself
    included.
    """

    number: int
    at: float
    tokens: Tokens
    sent: tuple[float, float]  # requests, tokens


class GivenRate:
    """A rate that the caller gave: sent evenly, with at most one second's worth at once.

    A request may be sent as soon as the earlier ones are paid off; it then runs up a debt of its
    own size.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self.rate = per_minute / MINUTE
        self._credit, self._at = 0.0, now
        self._estimated = self._used = 0.0

    def earliest(self, now: float) -> float:
        self._refill(now)
        return now if self._credit >= 0 else now - self._credit / self.rate

    def take(self, cost: float, now: float) -> None:
        self._refill(now)
        self._credit -= cost * self._correction

    def settle(self, estimated: float, used: float) -> None:
        """Enter what a request of that estimate really used: the difference is paid back, and the
        next estimates improve.
        """
        self._credit += estimated * self._correction - used
        self._estimated += estimated
        self._used += used

    @property
    def _correction(self) -> float:
        return self._used / self._estimated if self._estimated else 1.0

    def _refill(self, now: float) -> None:
        self._credit = min(
            self.rate * CATCH_UP, self._credit + (now - self._at) * self.rate
        )
        self._at = now


class LearntLimit:
    """A limit of the server, as the headers of its answers report it: a bucket that refills
    continuously.

    What is left now = what was left at an answer's request + rate · time since then - what was sent
    since then. That request arrived a little after it was sent, so each answer overstates what is
    left by what was refilled meanwhile; hence the lowest of the latest few counts.
    """

    def __init__(self) -> None:
        self.limit, self.rate = math.inf, math.inf
        self._bases: deque[float] = deque(maxlen=LATEST)

    def earliest(
        self, cost: float, sent: float, now: float, early: float
    ) -> float:
        if not self._bases:  # nothing learned yet
            return now
        need = min(cost + self.rate * early, self.limit)
        left = self._left(sent, now)
        return now if left >= need else now + (need - left) / self.rate

    def learn(
        self, limit: float, left: float, period: float, at: float, sent: float
    ) -> None:
        """An answer's headers: ``left`` of ``limit`` per ``period`` (s) at time ``at``, when
        ``sent`` had been sent.
        """
        rate = limit / period
        if rate != self.rate:
            self._bases.clear()
        self.limit, self.rate = limit, rate
        self._bases.append(left - rate * at + sent)

    def _left(self, sent: float, now: float) -> float:
        # each answer gives one estimate; every one is too high, so the lowest is nearest
        left = min(self._bases) + self.rate * now - sent
        if left > self.limit:  # full: what would run over is lost
            self._bases = deque(
                [self.limit - self.rate * now + sent], maxlen=LATEST
            )
        return min(left, self.limit)


class Budget:
    """Requests, or tokens: the rate that was given, the limit that was learned, and what was sent.

    per_minute  None: no rate was given
    """

    def __init__(self, per_minute: float | None, now: float) -> None:
        self.given = None if per_minute is None else GivenRate(per_minute, now)
        self.learnt = LearntLimit()
        self.sent = 0.0

    def earliest(self, cost: float, now: float, early: float) -> float:
        time = self.learnt.earliest(cost, self.sent, now, early)
        # the lower rate decides
        if self.given is not None and self.given.rate < self.learnt.rate:
            time = max(time, self.given.earliest(now))
        return time

    def take(self, reserved: float, taken: float, now: float) -> None:
        """Send a request for which a limiter may take ``reserved``, and is expected to take
        ``taken``.
        """
        self.sent += taken
        if self.given is not None:
            self.given.take(reserved, now)


class Pacer:
    """Says when the next request to a model may go.

    rpm, tpm  requests and tokens per minute that the caller gave; None: none
    now       seconds on the run's clock

    If the server's own limit is the same or lower, its headers decide, and what they show as left
    can be sent immediately. Given neither, the first request goes alone, to learn the limits. A
    server without such headers is not limited here.

    According to the documentation, the server takes max_completion_tokens for a request; genuine
    headers since April 2025 show only the prompt. So the pacer assumes the first, until an answer's
    headers show that less was taken.
    """

    def __init__(
        self, rpm: float | None, tpm: float | None, now: float
    ) -> None:
        self._requests, self._tokens = Budget(rpm, now), Budget(tpm, now)
        self._limits_seen = rpm is not None or tpm is not None
        self._reserves = True
        self._under_way = self._number = self._newest = 0
        self._closed_until, self._early = -math.inf, EARLY

    def earliest(self, tokens: Tokens, now: float) -> float:
        """The time from which a request of ``tokens`` may go; infinite: an answer has to arrive
        first.
        """
        if not self._limits_seen:
            return math.inf if self._under_way else max(now, self._closed_until)
        return max(
            self._closed_until,
            self._requests.earliest(1, now, self._early),
            self._tokens.earliest(self._taken(tokens), now, self._early),
        )

    def take(self, tokens: Tokens, now: float) -> Reservation:
        """Send a request now."""
        self._number += 1
        self._under_way += 1
        self._requests.take(1, 1, now)
        self._tokens.take(tokens.reserved, self._taken(tokens), now)
        sent = (self._requests.sent, self._tokens.sent)
        return Reservation(self._number, now, tokens, sent)

    def back(
        self,
        reservation: Reservation,
        headers: Mapping[str, str] | None,
        used: int | None = None,
        answered: bool = False,
    ) -> None:
        """A request has ended.

        headers   of the answer; None: there was none
        used      tokens, as its usage says; None: not known
        answered  this is the answer to the first request: if it reports no limits, the server
                  reports none
        """
        self._under_way -= 1
        self._limits_seen = self._limits_seen or answered
        reserved = reservation.tokens.reserved
        if isinstance(used, int) and self._tokens.given is not None:
            self._tokens.given.settle(reserved, used)
        # an older request says less, and about an older limit
        if headers is None or reservation.number < self._newest:
            return
        seen = limit_in(headers, "requests"), limit_in(headers, "tokens")
        budgets = self._requests, self._tokens
        for limit, budget, sent in zip(
            seen, budgets, reservation.sent, strict=True
        ):
            if limit is not None:
                budget.learnt.learn(*limit, reservation.at, sent)
                self._newest = reservation.number
                self._limits_seen = True
        if seen[1] is not None and seen[1].used < reserved:
            self._reserves = False

    def refused(self, until: float) -> None:
        """A 429 that asks to wait: nothing is sent before ``until``, and everything after that a
        little later.
        """
        self._closed_until = max(self._closed_until, until)
        self._early = min(CATCH_UP, 2 * self._early)

    def _taken(self, tokens: Tokens) -> int:
        return tokens.reserved if self._reserves else tokens.prompt


class SeenLimit(NamedTuple):
    """What the headers of an answer say about a limit: how much per ``period`` (s), and how much of
    it was left.
    """

    limit: float
    left: float
    period: float

    @property
    def used(self) -> float:
        return self.limit - self.left


def limit_in(headers: Mapping[str, str], unit: str) -> SeenLimit | None:
    """The limit in the x-ratelimit headers; None if they have none.

    unit  "requests" or "tokens"
    The limit is for a minute or for a day. The reset shows which: it is the time in which what was
    used is refilled.
    """
    try:
        limit = float(headers[f"x-ratelimit-limit-{unit}"])
        left = float(headers[f"x-ratelimit-remaining-{unit}"])
        reset = go_seconds(headers.get(f"x-ratelimit-reset-{unit}", ""))
    except (KeyError, ValueError):
        return None
    if not (limit > 0 and math.isfinite(limit) and math.isfinite(left)):
        return None
    # until it is refilled from empty
    whole = reset * limit / max(1.0, limit - left)
    return SeenLimit(
        limit, left, MINUTE if whole < math.sqrt(MINUTE * DAY) else DAY
    )


def go_seconds(text: str) -> float:
    """Seconds of a time as Go prints it: "120ms", "8.64s", "1m26.4s"; 0 for "". Raises
    ValueError.
    """
    parts = GO_PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r:.40} is not a duration")
    return sum(float(number) * GO_UNITS[unit] for number, unit in parts)
