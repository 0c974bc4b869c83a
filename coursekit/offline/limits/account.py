"""An account with limits: requests and tokens per minute for each model, and dollars to spend.

Limits are token buckets that refill continuously, as the arithmetic of genuine 429s shows: "Limit
30000, Used 29937, Requested 385. Please try again in 644ms" is (29937 + 385 - 30000) / (30000 / 60
s). A refused request counts as a request ("unsuccessful requests contribute to your per-minute
limit") and takes no tokens. A program that keeps retrying keeps the bucket full, which is why a
genuine 429 for requests always names the whole interval ("Limit 3, Used 3, Requested 1. Please try
again in 20s").
"""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from ... import models
from ..clock import Clock, ScaledClock
from ..exchange import ApiAnswer
from .errors import (
    go_duration,
    insufficient_quota,
    rate_limited,
    request_too_large,
)

MINUTE = 60.0
LONG_CONTEXT = "-long-context"
ARGUMENTS = ("rpm", "tpm", "spend", "models", "reserve_output", "organization")
TINY = 1e-6  # of a request or a token: what is left over by floating point


@dataclass(frozen=True, slots=True)
class MinuteLimits:
    """Requests and tokens per minute."""

    rpm: int
    tpm: int

    def headers(self, requests: float, tokens: float) -> dict[str, str]:
        """The six x-ratelimit headers when ``requests`` and ``tokens`` are used."""
        return {
            "x-ratelimit-limit-requests": str(self.rpm),
            "x-ratelimit-limit-tokens": str(self.tpm),
            "x-ratelimit-remaining-requests": _remaining(self.rpm, requests),
            "x-ratelimit-remaining-tokens": _remaining(self.tpm, tokens),
            "x-ratelimit-reset-requests": _reset(self.rpm, requests),
            "x-ratelimit-reset-tokens": _reset(self.tpm, tokens),
        }


def _remaining(limit: int, used: float) -> str:
    return str(max(0, math.floor(limit - used + TINY)))


def _reset(limit: int, used: float) -> str:
    return go_duration(math.floor(used * MINUTE / limit * 1000 + TINY))


@dataclass(eq=False, kw_only=True)
class Account:
    """The limits of an account. Clients that are given the same account share them.

    rpm, tpm   requests and tokens per minute, for each model separately; None: its usual limits
               (models.toml)
    spend      dollars until insufficient_quota; None: no limit
    models     limits of single models, which override rpm and tpm:
               {"gpt-4o": {"rpm": 3, "tpm": 40_000}}
    reserve_output  whether a request takes its max_completion_tokens (for each of n) if these are
                    more than its prompt. The documentation says so; genuine headers since April
                    2025 show only the prompt.

    spent      dollars so far (Decimal)

    Clients that share an account also share a clock: that of the first one. Raises ValueError for a
    value that is not a limit.
    """

    rpm: int | None = None
    tpm: int | None = None
    spend: float | Decimal | None = None
    models: Mapping[str, Mapping[str, int]] | None = None
    reserve_output: bool = True
    organization: str = "org-offline"

    def __post_init__(self) -> None:
        _limit("rpm", self.rpm)
        _limit("tpm", self.tpm)
        if self.spend is not None:
            self.spend = _dollars(self.spend)
        self._special = {
            limited(name): _limits_of_model(name, limits)
            for name, limits in (self.models or {}).items()
        }
        self.spent = Decimal(0)
        self._clock: Clock | None = None
        self._buckets: dict[str, tuple[MinuteLimits, _Bucket, _Bucket]] = {}
        self._lock = threading.Lock()

    def clock(self, offered: Clock) -> Clock:
        """The account's clock: the first one offered. Raises ValueError for another speed."""
        with self._lock:
            self._clock = self._clock or offered
        if _speed(self._clock) != _speed(offered):
            raise ValueError(
                f"Clients of this account use speed {_speed(self._clock)!r}, but this one uses "
                f"{_speed(offered)!r}. Clients that share an account share its time: give them "
                "the same speed=, or give each its own account."
            )
        return self._clock

    def admit(
        self, model: str, tokens: int, now: float
    ) -> tuple[dict[str, str], ApiAnswer | None]:
        """Count a request of ``tokens`` at ``now`` (s): the headers of its answer, and the refusal
        if there is one.
        """
        with self._lock:
            if self.spend is not None and self.spent >= self.spend:
                return {}, insufficient_quota()
            pool = limited(model, tokens)
            limits, requests, used = self._of(pool)
            if pool != model and _named(model):
                model = f"{model} (for limit {pool})"
            names = model, self.organization
            requests.refill(now)
            used.refill(now)
            if requests.level + 1 > limits.rpm + TINY:
                requests.level = limits.rpm
                headers = limits.headers(requests.level, used.level)
                wait = MINUTE / limits.rpm
                refusal = rate_limited(
                    *names, "requests", limits.rpm, limits.rpm, 1, wait, headers
                )
                return headers, refusal
            requests.level += 1
            if tokens > limits.tpm:
                headers = limits.headers(requests.level, used.level)
                return headers, request_too_large(
                    *names, limits.tpm, tokens, headers
                )
            if used.level + tokens > limits.tpm + TINY:
                headers = limits.headers(requests.level, used.level)
                whole = math.ceil(used.level - TINY)
                wait = (whole + tokens - limits.tpm) * MINUTE / limits.tpm
                refusal = rate_limited(
                    *names, "tokens", limits.tpm, whole, tokens, wait, headers
                )
                return headers, refusal
            used.level += tokens
            return limits.headers(requests.level, used.level), None

    def room_at(self, model: str, tokens: int, now: float) -> float:
        """When both limits have room for a request of ``tokens``, at ``now`` (s) or later.

        Nothing is counted. More tokens than the limit never fit: they count as the limit.
        """
        with self._lock:
            limits, requests, used = self._of(limited(model, tokens))
            now = max(now, requests.at)
            requests.refill(now)
            used.refill(now)
            over_rpm = requests.level + 1 - limits.rpm
            over_tpm = used.level + min(tokens, limits.tpm) - limits.tpm
            return now + max(
                0.0, over_rpm / requests.rate, over_tpm / used.rate
            )

    def bill(self, dollars: Decimal) -> None:
        """Add to ``spent``."""
        with self._lock:
            self.spent += dollars

    def limits(self, model: str) -> MinuteLimits:
        """The limits of a model."""
        name = limited(model)
        usual, special = usual_limits(name), self._special.get(name, {})
        return MinuteLimits(
            special.get("rpm", self.rpm) or usual.rpm,
            special.get("tpm", self.tpm) or usual.tpm,
        )

    def _of(self, name: str) -> tuple[MinuteLimits, _Bucket, _Bucket]:
        model = name.removesuffix(LONG_CONTEXT)
        if name not in self._special and not models.known(model):
            name = model = ""  # shared: made-up names must not fill the memory
        if name not in self._buckets:
            limits = self.limits(model)
            buckets = _Bucket(limits.rpm / MINUTE), _Bucket(limits.tpm / MINUTE)
            self._buckets[name] = limits, *buckets
        return self._buckets[name]


class _Bucket:
    """A bucket: ``level`` is what is used of it, and falls by ``rate`` a second."""

    __slots__ = ("at", "level", "rate")

    def __init__(self, rate: float) -> None:
        self.rate, self.level, self.at = rate, 0.0, -math.inf

    def refill(self, now: float) -> None:
        if now <= self.at:  # threads may read the clock in another order
            return
        if self.level:
            self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now


@lru_cache(maxsize=1024)
def limited(model: str, tokens: int = 0) -> str:
    """The name whose limits count: a model's snapshots share its limits, and its long prompts have
    their own.
    """
    if not models.known(model):
        return model
    facts = models.get(model)
    long = facts.long_context is not None and tokens > facts.long_context
    return facts.name + LONG_CONTEXT if long else facts.name


def _named(model: str) -> bool:
    """Whether a refusal says whose limit it is, for one that is not the requested model's own."""
    return (
        models.known(model)
        and models.get(model).limit_named
        and not model.startswith("ft:")
    )


def usual_limits(model: str) -> MinuteLimits:
    """The limits of a model in models.toml; of an unknown model, those of the chat model."""
    facts = models.get(model if models.known(model) else models.role("CHAT"))
    return MinuteLimits(facts.requests_per_minute, facts.tokens_per_minute)


def account_of(rate_limit: Any) -> Account | None:
    """The account that ``rate_limit=`` means: an Account, its arguments in a dict, or None.

    Raises ValueError for anything else.
    """
    if rate_limit is None or isinstance(rate_limit, Account):
        return rate_limit
    if not isinstance(rate_limit, Mapping):
        raise ValueError(
            f"rate_limit={rate_limit!r:.60} is not a limit. Give a dict like "
            '{"rpm": 60, "tpm": 10_000, "spend": 0.50}, or an Account, which several clients can '
            "share."
        )
    for name in rate_limit:
        if name not in ARGUMENTS:
            close = difflib.get_close_matches(str(name), ARGUMENTS, n=1)
            hint = f' Did you mean "{close[0]}"?' if close else ""
            raise ValueError(
                f"rate_limit has no {name!r}.{hint} It takes {', '.join(ARGUMENTS)}."
            )
    return Account(**rate_limit)


def _limit(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError(
        f"{name}={value!r:.40} is not a limit. Give a whole number per minute, 1 or more."
    )


def _limits_of_model(name: str, limits: Mapping[str, int]) -> dict[str, int]:
    if (
        not isinstance(limits, Mapping)
        or not limits
        or set(limits) - {"rpm", "tpm"}
    ):
        raise ValueError(
            f'The limits of model {name!r} are {limits!r:.60}. Give {{"rpm": …, "tpm": …}} or one '
            "of the two."
        )
    for key, value in limits.items():
        if _limit(key, value) is None:
            raise ValueError(
                f"{key} of model {name!r} is None. Leave it out for the usual limit."
            )
    return dict(limits)


def _dollars(value: Any) -> Decimal:
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(
        value, bool
    )
    if is_number and 0 <= value < math.inf:
        return Decimal(str(value))
    raise ValueError(
        f"spend={value!r:.40} is not an amount. Give dollars, such as 0.50; "
        "0 refuses the first request."
    )


def _speed(clock: Clock) -> float | str:
    return clock.speed if isinstance(clock, ScaledClock) else "instant"
