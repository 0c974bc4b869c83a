"""Who is at the server: each key is a learner, with an offline API, limits, a ledger and a tally of their own."""

from __future__ import annotations

import hmac
import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..exchange import ApiAnswer, Layer
from ..keys import key_refusal
from ..ledger import Ledger
from .tally import Tally

NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
MOST = 200  # learners; of more, the one who was away for longest is forgotten
ATTEMPTS = 500  # that are kept of each, for the verdict: half a megabyte


@dataclass(slots=True)
class Learner:
    """``api`` answers; ``ledger`` and ``tally`` tell what that came to; ``under_way``: the requests that are open;
    ``seen``: the turn of the last request, ``at`` its time on the server's clock; ``chapter`` and ``passed`` (chapter:
    number of exercises): what a learner of a class shares with the teacher, nothing unless they choose to."""

    name: str
    api: Layer
    ledger: Ledger = field(default_factory=lambda: Ledger(ATTEMPTS))
    tally: Tally = field(default_factory=Tally)
    under_way: int = 0
    seen: int = 0
    at: float = -math.inf
    chapter: str = ""
    passed: dict[str, int] = field(default_factory=dict)


class Learners:
    """Learners by their keys. A key is all that it takes; the first request with it makes the learner.

    api_of        makes the offline API of a learner, given the name
    access_token  None: any key is accepted, and learners are named "learner-1", "learner-2", … (a name never shows a
                  key). Otherwise a key is this token, or the token, a hyphen and the learner's name: TOKEN-ada.
    """

    def __init__(self, api_of: Callable[[str], Layer], access_token: str | None = None) -> None:
        self._api_of, self._token = api_of, access_token
        self._by_key: dict[str, Learner] = {}
        self._count, self._turn = 0, itertools.count()

    def __contains__(self, key: object) -> bool:
        """Whether a key is accepted."""
        if self._token is None or not isinstance(key, str):
            return self._token is None
        given, rest = key[: len(self._token)], key[len(self._token) :]
        right = hmac.compare_digest(given.encode(), self._token.encode())
        return right and (rest == "" or (rest[0] == "-" and NAME.fullmatch(rest[1:]) is not None))

    def __iter__(self) -> Iterator[Learner]:
        """Those who are known, in the order in which they came."""
        return iter(list(self._by_key.values()))

    def of(self, authorization: str) -> Learner | ApiAnswer:
        """The learner whose Authorization header this is, or the 401 for it."""
        key = authorization[7:] if authorization.startswith("Bearer ") else authorization.partition(" ")[2].strip()
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
            away = [(learner.seen, known) for known, learner in self._by_key.items() if not learner.under_way]
            if away:
                del self._by_key[min(away)[1]]
        self._count += 1
        name = f"learner-{self._count}" if self._token is None else key[len(self._token) + 1 :] or "everyone"
        return Learner(name, self._api_of(name))
