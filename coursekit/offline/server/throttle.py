"""Limits by address: how often somebody may guess a token, and how many may join from one machine.

Many learners can share one address (a school's router, a hub), so the limits are those of a whole
room, and a learner with a valid token that cannot be guessed is never held up by what others at the
address do.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
from dataclasses import dataclass, field
from functools import lru_cache

from ..clock import Clock
from ..exchange import error_answer
from .refused import FINAL, Refusal

STRONG = 20  # characters; a token this long cannot be guessed, however often somebody tries
# wrong tokens from one address at once, and the seconds until one more
GUESSES, GUESS_EVERY = 20, 2.0
# learners who join from one address at once, and the seconds until one more
JOINS, JOIN_EVERY = 40, 5.0
ADDRESSES = 10_000  # that are remembered


class TooMany(Refusal):
    """Too many attempts from one address; the next one is allowed after ``seconds``."""

    def __init__(self, what: str, seconds: float) -> None:
        answer = error_answer(
            429,
            f"Too many {what} from this address. Try again in {seconds:.0f} seconds.",
            type="requests",
            code="too_many_attempts",
            headers={**FINAL, "retry-after": str(math.ceil(seconds))},
        )
        super().__init__(answer)


@dataclass(eq=False)
class Throttle:
    """A token bucket for each address: ``burst`` attempts at once, then one every ``every``
    seconds.
    """

    clock: Clock
    burst: int
    every: float
    # by address: when its bucket is full again
    _full_at: dict[str, float] = field(default_factory=dict)

    def wait(self, address: str) -> float:
        """Seconds until this address may try; 0.0: now."""
        now = self.clock.now()
        left = self._full_at.get(_network(address), now) - now
        return max(0.0, left - (self.burst - 1) * self.every)

    def take(self, address: str) -> None:
        """Count one attempt."""
        now = self.clock.now()
        if len(self._full_at) >= ADDRESSES:
            self._full_at = {
                where: at for where, at in self._full_at.items() if at > now
            }
        where = _network(address)
        self._full_at[where] = (
            max(self._full_at.get(where, now), now) + self.every
        )


class Gate:
    """Compares tokens, and refuses an address that has guessed too often."""

    def __init__(self, clock: Clock) -> None:
        self.guesses = Throttle(clock, GUESSES, GUESS_EVERY)

    def is_right(self, address: str, given: str, token: str) -> bool:
        """Whether ``given`` is the token. Raises TooMany, for a right one also, as long as the
        token is short enough to be guessed."""
        right = hmac.compare_digest(
            given.encode(errors="replace"), token.encode()
        )
        if right and len(token) >= STRONG:
            return True
        if (seconds := self.guesses.wait(address)) > 0:
            raise TooMany("wrong tokens", seconds)
        if not right:
            self.guesses.take(address)
        return right


@lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """What counts as one machine: an IPv4 address, or the 64 bits of an IPv6 address that a network
    gives to one.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = 64 if ip.version == 6 else 32
    return str(ipaddress.ip_network((ip, bits), strict=False))
