"""The roll of a class: learners join with a name and get a key, and what they did outlives the
server.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...foundation.files import DAMAGED_JSON
from ...membership import KEY_PREFIX
from ..exchange import Layer
from .learners import MOST, Learner, Learners
from .names import LONGEST, NameRefused, alike, plain
from .tally import Tally

# What is saved of a class as text, apart from the session.
TEXTS = ("secret", "admin_token", "access_token")
# What is saved of a learner, apart from the meter.
SAVED = ("name", "ids", "account", "chapter", "passed", "failed", "votes")


def spoken_token() -> str:
    """An access token to write on a board: three groups of four letters that can be read aloud, 38
    bits.
    """
    consonants, vowels = "bdfghjklmnprstvz", "aeiou"

    def group() -> str:
        return "".join(
            secrets.choice(letters) for letters in (consonants, vowels) * 2
        )

    return "-".join(group() for _ in range(3))


@dataclass(frozen=True, slots=True)
class SavedClass:
    """What outlives a server: ``secret`` makes the keys, ``admin_token`` opens the console,
    ``access_token`` the class if the teacher has chosen no other, ``session`` identifies browsers
    logged in to the console; ``learners`` are plain data.
    """

    secret: str = field(default_factory=lambda: secrets.token_hex(32))
    admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    learners: tuple[Mapping[str, Any], ...] = ()
    access_token: str = field(default_factory=spoken_token)
    session: str = field(default_factory=lambda: secrets.token_hex(16))

    @classmethod
    def read(cls, value: Any) -> SavedClass:
        """From what ``Roll.as_dict`` returned. Raises ValueError for anything else."""
        try:
            for learner in value["learners"]:
                name = learner["name"]
                if not isinstance(name, str) or not 0 < len(name) <= LONGEST:
                    raise TypeError("not a name")
                Tally().restore(learner["meter"])
                dict(learner["passed"])
            value["secret"], value["admin_token"]  # every class has them
            texts = {
                name: str(value[name])
                for name in (*TEXTS, "session")
                if name in value
            }
            return cls(learners=tuple(value["learners"]), **texts)
        except DAMAGED_JSON as error:
            raise ValueError(f"This is not a saved class: {error!r}") from error


class Roll(Learners):
    """The learners of a class, in the order in which they joined. A key is valid once somebody has
    joined with it.

    api_of  makes the offline API of a learner, given the name and the dollars already spent

    A key is an HMAC of a random id, so that no key is in the class's file, and a learner keeps
    theirs when the server restarts or the teacher renames them. A name does not entitle anyone to
    a key: somebody who joins as "bo" is not the hub's user bo.
    """

    def __init__(
        self, api_of: Callable[[str, Decimal], Layer], saved: SavedClass
    ) -> None:
        super().__init__(lambda name: api_of(name, Decimal(0)))
        self._saved = saved
        self.session = saved.session
        for row in saved.learners:
            spent = Decimal(str(row["meter"]["dollars"]))
            api = api_of(row["name"], spent)
            # a class that was saved before there were ids has none
            saved_fields = {name: row[name] for name in SAVED if name in row}
            learner = Learner(api=api, **{"ids": [row["name"]], **saved_fields})
            learner.tally.restore(row["meter"])
            self._enter(learner)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def key(self, learner: Learner) -> str:
        """The learner's key. It cannot be guessed without the secret."""
        return self._key(learner.ids[0])

    def _key(self, id_: str) -> str:
        made = hmac.new(
            self._saved.secret.encode(), id_.encode(), hashlib.sha256
        )
        return KEY_PREFIX + made.hexdigest()[:40]

    def _enter(self, learner: Learner) -> None:
        self._by_key |= dict.fromkeys(map(self._key, learner.ids), learner)

    def join(self, wanted: object, account: str = "") -> Learner:
        """A new learner. A name that is taken, or looks like one that is, gets a number: Ada, Ada
        2. Raises NameRefused.
        """
        if len(list(self)) >= MOST:
            raise NameRefused(
                f"The class is full: {MOST} learners have joined. Ask the teacher to remove rows "
                "on the console."
            )
        name = self._free(plain(wanted))
        learner = Learner(
            name,
            self._api_of(name),
            ids=[secrets.token_hex(16)],
            account=account,
        )
        self._enter(learner)
        return learner

    def of_account(self, account: str) -> Learner | None:
        """The learner of a hub's user."""
        return next(
            (learner for learner in self if learner.account == account), None
        )

    def rename(self, learner: Learner, wanted: object) -> None:
        """The learner keeps key and meter. Raises NameRefused for a name that cannot be used, or is
        taken.
        """
        name = plain(wanted)
        if alike(name) in {
            alike(other.name) for other in self if other is not learner
        }:
            raise NameRefused(
                f"There is already a learner {name!r}. To combine two rows, merge them."
            )
        learner.name = name

    def merge(self, learner: Learner, into: Learner) -> None:
        """Treat the two as one person: from now on both keys belong to ``into``, and the counts are
        added.
        """
        if learner is into:
            raise NameRefused("A row cannot be merged into itself.")
        into.ids += learner.ids
        into.account = into.account or learner.account
        into.tally.absorb(learner.tally)
        if learner.at > into.at:
            for name in ("at", "error", "errors_in_a_row"):
                setattr(into, name, getattr(learner, name))
        into.chapter = into.chapter or learner.chapter
        into.passed = {
            stem: max(into.passed.get(stem, 0), n)
            for stem, n in (into.passed | learner.passed).items()
        }
        into.votes = learner.votes | into.votes
        self._enter(into)

    def remove(self, learner: Learner) -> None:
        """The learner's keys no longer work; joining again creates a new row."""
        for key in map(self._key, learner.ids):
            self._by_key.pop(key, None)

    def clear(self) -> int:
        """Remove learners who joined by name and never sent a request; returns how many."""
        idle = [
            one
            for one in self
            if not (one.tally.statuses or one.account or one.under_way)
        ]
        for one in idle:
            self.remove(one)
        return len(idle)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, from which a ``SavedClass`` can be made. May count tokens: not for an event
        loop.
        """
        learners = [
            {name: getattr(one, name) for name in SAVED}
            | {"meter": one.tally.as_dict()}
            for one in self
        ]
        texts = {name: getattr(self._saved, name) for name in TEXTS}
        return {**texts, "session": self.session, "learners": learners}

    def _free(self, name: str) -> str:
        taken = {alike(learner.name) for learner in self}
        free, number = name, 1
        while alike(free) in taken:
            number += 1
            free = f"{name[: LONGEST - 4]} {number}"
        return free
