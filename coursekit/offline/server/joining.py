"""The endpoints of a class for its learners.

POST /join   {"name": "Ada"} with the access token, where there is one: a key for all of /v1
GET  /me     what the learner's requests came to; with the learner's key
PUT  /me     {"chapter": "01_basics", "passed": {"01_basics": 3}, "failed": {"01_basics/reply_text":
     4}, "votes": {"01_basics/1": 2}}, or some of them: what a learner shares; {"hand": "a
     question"} raises the hand, null lowers it
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...course import lessons
from ..exchange import ApiAnswer
from .endpoints import address_in, bearer, json_response
from .learners import Learner
from .names import NameRefused
from .origin import ELSEWHERE, from_other_page
from .roll import Roll
from .room import Refusal, Room, refusal
from .throttle import TooMany

NO_TOKEN = (
    "This class asks for its access token, which the teacher gives you: Authorization: Bearer "
    "TOKEN."
)
WHAT_TO_SHARE = (
    'Share JSON like {"chapter": "01_basics", "passed": {"01_basics": 3}}: chapters, exercises and '
    'quiz questions of the course, or "".'
)
MOST = 100  # of passed exercises of a chapter, and of names in one message
TRIES = 1000  # failed checks in a row that are counted
QUESTION = 200  # characters of a raised hand
# an exercise or a quiz question within a chapter
PLACE = re.compile(r"\w{1,40}/\w{1,60}")
UNSENT: Any = object()


class Joining:
    """The endpoints above, for the room of a class."""

    def __init__(self, room: Room, roll: Roll) -> None:
        self.room, self.roll = room, roll
        self.routes = [
            Route("/join", self.join, methods=["POST"]),
            Route("/me", self.me, methods=["GET"]),
            Route("/me", self.share, methods=["PUT"]),
        ]

    async def join(self, request: Request) -> Response:
        if from_other_page(request):
            raise refusal(403, ELSEWHERE, "cross_origin")
        address, token = address_in(request.scope), self.room.access_token
        gate, given = self.room.gate, bearer(request.scope)
        if token is not None and not gate.is_right(address, given, token):
            raise refusal(401, NO_TOKEN, "invalid_access_token")
        if (seconds := self.room.joins.wait(address)) > 0:
            raise TooMany("learners join", seconds)
        learner = self.roll.join(name_in(await request.body()))
        self.room.joins.take(address)
        return json_response(entered(request, self.room, learner), 201)

    async def me(self, request: Request) -> Response:
        row = await run_in_threadpool(about, self._learner(request))
        return json_response({**row, "share": self.room.shares})

    async def share(self, request: Request) -> Response:
        learner = self._learner(request)
        try:
            shared = Shared.read(await request.body(), self.room.places)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise refusal(400, WHAT_TO_SHARE, "cannot_share") from error
        shared.apply(learner, self.room.clock.now())
        learner.at = self.room.clock.now()
        return json_response({"name": learner.name})

    def _learner(self, request: Request) -> Learner:
        learner = self.roll.of(request.headers.get("authorization", ""))
        if isinstance(learner, ApiAnswer):
            raise Refusal(learner)
        return learner


def about(learner: Learner) -> dict[str, Any]:
    """A learner as plain data. May count tokens: not for an event loop."""
    return {
        "name": learner.name,
        "under_way": learner.under_way,
        **learner.tally.as_dict(),
        "chapter": learner.chapter,
        "passed": learner.passed,
    }


def name_in(raw: bytes) -> str:
    """The name in a request's body. Raises CannotJoin if there is none."""
    try:
        name = json.loads(raw)["name"]
    except (ValueError, LookupError, TypeError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise NameRefused('Send JSON like {"name": "Ada"}.')
    return name


def entered(request: Request, room: Room, learner: Learner) -> dict[str, Any]:
    """What a learner gets who has joined; ``share``: whether the class shares."""
    assert room.roll is not None
    return {
        "name": learner.name,
        "key": room.roll.key(learner),
        "base_url": f"{request.base_url}v1",
        "share": room.shares,
    }


@dataclass(slots=True)
class Shared:
    """What a learner has sent to share. A field that was not sent is ``UNSENT``; None ends it."""

    chapter: Any
    passed: Any
    failed: Any
    votes: Any
    hand: Any

    @classmethod
    def read(cls, raw: bytes, places: Collection[str] | None = None) -> Shared:
        """From a body, all of it or nothing. A learner cannot have passed more than there
        is: larger counts are cut to that. Raises ValueError, LookupError, TypeError,
        AttributeError or RecursionError for anything else.

        places  as of ``Room``
        """
        body = json.loads(raw)
        shared = cls(
            **{each.name: body.get(each.name, UNSENT) for each in fields(cls)}
        )
        stems = {lesson.stem for lesson in lessons()}
        if shared.chapter not in (UNSENT, "", *stems):
            raise ValueError("chapter")
        if shared.hand not in (UNSENT, None) and not isinstance(
            shared.hand, str
        ):
            raise ValueError("hand")
        _check_counts(shared.passed, MOST, lambda stem: stem in stems, least=1)
        if shared.passed is not UNSENT and places is not None:
            there = Counter(
                _stem(place) for place in places if not _is_question(place)
            )
            shared.passed = {
                stem: min(count, there[stem])
                for stem, count in shared.passed.items()
                if there[stem]
            }
        if shared.failed is not None:
            _check_counts(
                shared.failed,
                TRIES,
                lambda name: (
                    _is_place(name, stems, places) and not _is_question(name)
                ),
            )
        if shared.votes is not None:
            _check_counts(
                shared.votes,
                TRIES,
                lambda name: (
                    _is_place(name, stems, places) and _is_question(name)
                ),
            )
        return shared

    def apply(self, learner: Learner, now: float) -> None:
        if self.chapter is not UNSENT:
            learner.chapter = self.chapter
        if self.passed is not UNSENT:
            learner.passed = self.passed
        if self.failed is not UNSENT:
            failed = (
                {**learner.failed, **self.failed}
                if self.failed is not None
                else {}
            )
            learner.failed = {
                place: count for place, count in failed.items() if count
            }
        if self.votes is not UNSENT:
            learner.votes = (
                {**learner.votes, **self.votes}
                if self.votes is not None
                else {}
            )
        if self.hand is not UNSENT:
            if self.hand is not None and learner.hand is None:
                learner.hand_at = now
            question = (
                None
                if self.hand is None
                else filter(str.isprintable, self.hand)
            )
            learner.hand = (
                None if question is None else "".join(question)[:QUESTION]
            )


def _check_counts(
    counts: Any, most: int, is_name: Callable[[str], object], least: int = 0
) -> None:
    """Raise ValueError unless these are whole numbers below ``most``, by names that are known."""
    if counts is UNSENT:
        return
    for name, count in counts.items():
        if (
            type(count) is not int
            or not least <= count < most
            or not is_name(name)
        ):
            raise ValueError(name)
    if len(counts) > MOST:
        raise ValueError("too many")


def _stem(place: str) -> str:
    return place.partition("/")[0]


def _is_question(place: str) -> bool:
    return place.rpartition("/")[2].isdecimal()


def _is_place(
    place: str, stems: set[str], places: Collection[str] | None
) -> bool:
    if places is not None:
        return place in places
    return bool(PLACE.fullmatch(place)) and _stem(place) in stems
