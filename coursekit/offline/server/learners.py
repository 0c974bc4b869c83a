"""The learners of a server: each key is a learner, with an offline API, limits, a ledger and a
tally of their own.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..exchange import ApiAnswer, Layer
from ..keys import key_refusal
from ..watched.ledger import Ledger, LoggedAttempt
from .tally import Tally

KEY_END = re.compile(r"(-[A-Za-z0-9._-]{1,40})?")  # with the name
MOST = 200  # learners; beyond that, the one away longest is forgotten
ATTEMPTS = 500  # remembered for each learner, for the verdict: half a megabyte


@dataclass(slots=True, eq=False, weakref_slot=True)
class Learner:
    """``api`` answers; ``ledger`` and ``tally`` record the outcome; ``under_way``: the requests in
    flight; ``seen``: the turn of the last request, ``at`` its time on the server's clock.

    In a class: ``ids`` make the learner's keys (several after a merge); ``account``: the hub user
    who got the key, "" for those who joined by name; ``chapter``, ``passed`` (chapter: number of
    exercises), ``failed`` (exercise: failed checks since it was last passed) and ``votes`` (quiz
    question: option) are what a learner shares with the teacher; ``hand``: the question of a raised
    hand, None while it is down, ``hand_at`` when it went up.

    ``error``: the last request that failed, ``errors_in_a_row`` the failures since the last answer,
    leaving out those that the teacher's own faults caused. ``turn`` is held while a thread answers
    a request that takes long.
    """

    name: str
    api: Layer
    ledger: Ledger = field(default_factory=lambda: Ledger(ATTEMPTS))
    tally: Tally = field(default_factory=Tally)
    under_way: int = 0
    seen: int = 0
    at: float = -math.inf
    chapter: str = ""
    passed: dict[str, int] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)
    account: str = ""
    failed: dict[str, int] = field(default_factory=dict)
    votes: dict[str, int] = field(default_factory=dict)
    hand: str | None = None
    hand_at: float = -math.inf
    error: LoggedAttempt | None = None
    errors_in_a_row: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def note(self, attempt: LoggedAttempt, *, struck: bool) -> None:
        """A request is over; ``struck``: a fault that the teacher injected was at work."""
        if attempt.status == 200:
            self.errors_in_a_row = 0
        elif not struck:
            self.error, self.errors_in_a_row = attempt, self.errors_in_a_row + 1


class Learners:
    """Learners by their keys. The first request with a key creates the learner.

    api_of        makes the offline API of a learner, given the name
    access_token  None: any key is accepted, and learners are named "learner-1", "learner-2", … (a
                  name never shows a key). Otherwise a key is this token, or the token, a hyphen and
                  the learner's name: TOKEN-ada.
    """

    def __init__(
        self, api_of: Callable[[str], Layer], access_token: str | None = None
    ) -> None:
        self._api_of, self._token = api_of, access_token
        self._by_key: dict[str, Learner] = {}
        self._count, self._turn = 0, itertools.count()

    def __contains__(self, key: object) -> bool:
        """Whether a key is accepted."""
        if self._token is None:
            return True
        if not isinstance(key, str):
            return False
        given, rest = key[: len(self._token)], key[len(self._token) :]
        right = hmac.compare_digest(given.encode(), self._token.encode())
        return right and KEY_END.fullmatch(rest) is not None

    def __iter__(self) -> Iterator[Learner]:
        """The learners, in the order of their first requests."""
        # a merged learner has several keys
        return iter(list(dict.fromkeys(self._by_key.values())))

    def named(self, name: object) -> Learner | None:
        """The learner with exactly this name; None: there is none."""
        return next((learner for learner in self if learner.name == name), None)

    def of(self, authorization: str) -> Learner | ApiAnswer:
        """The learner whose Authorization header this is, or the 401 for it."""
        key = authorization.removeprefix("Bearer ")
        if key == authorization:
            key = authorization.partition(" ")[2].strip()
        learner = self._by_key.get(key)
        if learner is None:
            refused = key_refusal({"authorization": authorization}, self)
            if refused is not None:
                return refused
            learner = self._by_key[key] = self._new(key)
        learner.seen = next(self._turn)
        return learner

    def _new(self, key: str) -> Learner:
        if len(self._by_key) >= MOST:
            away = {
                key: learner.seen
                for key, learner in self._by_key.items()
                if not learner.under_way
            }
            if away:
                del self._by_key[min(away, key=away.__getitem__)]
        self._count += 1
        name = f"learner-{self._count}"
        if self._token is not None:
            name = key[len(self._token) + 1 :] or "everyone"
        return Learner(name, self._api_of(name))
