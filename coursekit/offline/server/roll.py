"""The roll of a class: learners join with a name and get a key, and what they did outlives the server."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...membership import KEY_PREFIX
from ..exchange import Layer
from .learners import MOST, Learner, Learners
from .tally import Tally

LONGEST = 40  # characters of a name


class CannotJoin(ValueError):
    """A name that is none, or a class that is full; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives a server: ``secret`` makes the keys, ``admin_token`` opens the console; ``learners`` are plain
    data, each with its name, meter, chapter and passed exercises."""

    secret: str = field(default_factory=lambda: secrets.token_hex(32))
    admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    learners: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def read(cls, told: Any) -> Kept:
        """From what ``Roll.as_dict`` told. Raises ValueError for anything else."""
        try:
            for learner in told["learners"]:
                plain(learner["name"])
                Tally().restore(learner["meter"])
                dict(learner["passed"])
            return cls(str(told["secret"]), str(told["admin_token"]), tuple(told["learners"]))
        except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"This is no class: {error!r}") from error


class Roll(Learners):
    """The learners of a class, in the order in which they joined. A key is known when somebody has joined with it.

    api_of  makes the offline API of a learner, given the name and the dollars that are spent already

    A key is an HMAC of the name, so that none need be kept, and a learner's is the same after a restart.
    """

    def __init__(self, api_of: Callable[[str, Decimal], Layer], kept: Kept) -> None:
        super().__init__(lambda name: api_of(name, Decimal(0)))
        self._kept = kept
        for known in kept.learners:
            learner = Learner(known["name"], api_of(known["name"], Decimal(str(known["meter"]["dollars"]))))
            learner.tally.restore(known["meter"])
            learner.chapter, learner.passed = str(known["chapter"]), dict(known["passed"])
            self._by_key[self.key(learner)] = learner

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def key(self, learner: Learner) -> str:
        """The learner's key. Nobody can guess it who does not know the secret."""
        made = hmac.new(self._kept.secret.encode(), learner.name.encode(), hashlib.sha256)
        return KEY_PREFIX + made.hexdigest()[:40]

    def join(self, asked: str) -> Learner:
        """A new learner. A name that is taken gets a number: Ada, Ada 2, Ada 3. Raises CannotJoin."""
        if len(self._by_key) >= MOST:
            raise CannotJoin(f"The class is full: {MOST} learners have joined.")
        name = plain(asked)
        taken = {learner.name.casefold() for learner in self}
        if name.casefold() in taken:
            numbered = (f"{name[: LONGEST - 4]} {number}" for number in itertools.count(2))
            name = next(one for one in numbered if one.casefold() not in taken)
        learner = Learner(name, self._api_of(name))
        self._by_key[self.key(learner)] = learner
        return learner

    def named(self, asked: str) -> Learner | None:
        """Who has joined with exactly this name. Raises CannotJoin for what is no name."""
        name = plain(asked)
        return next((learner for learner in self if learner.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, from which a ``Kept`` can be made. May count tokens: not for an event loop."""
        learners = [
            {"name": one.name, "meter": one.tally.as_dict(), "chapter": one.chapter, "passed": one.passed}
            for one in self
        ]
        return {"secret": self._kept.secret, "admin_token": self._kept.admin_token, "learners": learners}


def plain(asked: object) -> str:
    """A name as it is kept: single spaces, nothing that cannot be seen. Raises CannotJoin."""
    if not isinstance(asked, str):
        raise CannotJoin('Send JSON like {"name": "Ada"}.')
    name = " ".join(unicodedata.normalize("NFC", asked).split())
    if not 0 < len(name) <= LONGEST:
        raise CannotJoin(f"A name has 1 to {LONGEST} characters; this one has {len(name)}.")
    if any(unicodedata.category(character).startswith("C") for character in name):  # controls, also of direction
        raise CannotJoin("A name is made of characters that can be seen; this one has others in it.")
    return name
