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
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...course import lessons
from ..exchange import ApiAnswer, error_answer, json_answer
from .endpoints import address_in, response
from .learners import Learner
from .origin import ELSEWHERE, from_other_page
from .roll import CannotJoin, Roll
from .room import Room
from .throttle import TooMany

NO_TOKEN = (
    "This class asks for its access token, which the teacher tells: Authorization: Bearer "
    "TOKEN."
)
WHAT_TO_SHARE = (
    'Share JSON like {"chapter": "01_basics", "passed": {"01_basics": 3}}: chapters of the '
    'course, or "".'
)
EXERCISES = 100  # of a chapter: far more than there are
TRIES = 1000  # failed checks in a row that are counted
QUESTION = 200  # characters of a raised hand
PLACE = re.compile(
    r"\w{1,40}/\w{1,60}"
)  # an exercise or a quiz question within a chapter


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
            return self._refused(403, ELSEWHERE, "cross_origin")
        given, address = (
            request.headers.get("authorization", "").removeprefix("Bearer "),
            address_in(request.scope),
        )
        token = self.room.access_token
        if token is not None and not self.room.gate.is_right(address, given, token):
            return self._refused(401, NO_TOKEN, "invalid_access_token")
        if (seconds := self.room.joins.wait(address)) > 0:
            raise TooMany("learners join", seconds)
        try:
            learner = self.roll.join(asked_name(await request.body()))
        except CannotJoin as error:
            return self._refused(400, str(error), "cannot_join")
        self.room.joins.take(address)
        return response(
            self.room.own(json_answer(201, entered(request, self.room, learner)))
        )

    async def me(self, request: Request) -> Response:
        learner = self._learner(request)
        if isinstance(learner, ApiAnswer):
            return response(self.room.own(learner))
        told = await run_in_threadpool(about, learner)
        return response(
            self.room.own(json_answer(200, {**told, "share": self.room.shares}))
        )

    async def share(self, request: Request) -> Response:
        learner = self._learner(request)
        if isinstance(learner, ApiAnswer):
            return response(self.room.own(learner))
        if not _shared(await request.body(), learner, self.room.clock.now()):
            return self._refused(400, WHAT_TO_SHARE, "cannot_share")
        learner.at = self.room.clock.now()
        return response(self.room.own(json_answer(200, {"name": learner.name})))

    def _learner(self, request: Request) -> Learner | ApiAnswer:
        return self.roll.of(request.headers.get("authorization", ""))

    def _refused(self, status: int, message: str, code: str) -> Response:
        return response(self.room.own(error_answer(status, message, code=code)))


def about(learner: Learner) -> dict[str, Any]:
    """A learner as plain data. May count tokens: not for an event loop."""
    return {
        "name": learner.name,
        "under_way": learner.under_way,
        **learner.tally.as_dict(),
        "chapter": learner.chapter,
        "passed": learner.passed,
    }


def asked_name(raw: bytes) -> str:
    """The name in a request's body. Raises CannotJoin where there is none."""
    try:
        name = json.loads(raw)["name"]
    except (ValueError, LookupError, TypeError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise CannotJoin('Send JSON like {"name": "Ada"}.')
    return name


def entered(request: Request, room: Room, learner: Learner) -> dict[str, Any]:
    """What a learner gets who has joined; ``share``: whether the class shares."""
    assert room.roll is not None
    key = room.roll.key(learner)
    return {
        "name": learner.name,
        "key": key,
        "base_url": f"{request.base_url}v1",
        "share": room.shares,
    }


def _shared(raw: bytes, learner: Learner, now: float) -> bool:
    """Take what a learner shares, all of it or nothing. Returns whether it can be taken."""
    stems = {lesson.stem for lesson in lessons()}
    try:
        told = json.loads(raw)
        chapter, passed = (
            told.get("chapter", learner.chapter),
            dict(told.get("passed", learner.passed)),
        )
        failed, votes = told.get("failed", {}), told.get("votes", {})
        hand = told.get("hand", learner.hand)
        counts = [*passed.values(), *(failed or {}).values(), *(votes or {}).values()]
        places = [*(failed or {}), *(votes or {})]
        right = (
            isinstance(chapter, str)
            and chapter in {"", *stems}
            and set(passed) <= stems
            and all(type(count) is int and 0 <= count < TRIES for count in counts)
            and all(0 < count < EXERCISES for count in passed.values())
            and all(
                PLACE.fullmatch(place) and place.partition("/")[0] in stems
                for place in places
            )
            and len(places) <= EXERCISES
            and (hand is None or isinstance(hand, str))
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False
    if not right:
        return False
    learner.chapter, learner.passed = chapter, passed
    learner.failed = (
        {}
        if failed is None
        else {place: n for place, n in {**learner.failed, **failed}.items() if n}
    )
    learner.votes = {} if votes is None else {**learner.votes, **votes}
    if hand is not None and learner.hand is None:
        learner.hand_at = now
    learner.hand = (
        None if hand is None else "".join(filter(str.isprintable, hand))[:QUESTION]
    )
    return True
