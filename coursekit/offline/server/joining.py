"""The endpoints of a class for its learners.

POST /join   {"name": "Ada"} with the access token, where there is one: a key for all of /v1
GET  /me     what the learner's requests came to; with the learner's key
PUT  /me     {"chapter": "01_basics", "passed": {"01_basics": 3}}, or one of them: what a learner shares of their
             own will. Nothing else tells the teacher of it.
"""

from __future__ import annotations

import json
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

NO_TOKEN = "This class asks for its access token, which the teacher tells: Authorization: Bearer TOKEN."
WHAT_TO_SHARE = 'Share JSON like {"chapter": "01_basics", "passed": {"01_basics": 3}}: chapters of the course, or "".'
EXERCISES = 100  # of a chapter: far more than there are


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
        given, address = request.headers.get("authorization", "").removeprefix("Bearer "), address_in(request.scope)
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
        return response(self.room.own(json_answer(201, entered(request, self.room, learner))))

    async def me(self, request: Request) -> Response:
        learner = self._learner(request)
        if isinstance(learner, ApiAnswer):
            return response(self.room.own(learner))
        return response(self.room.own(json_answer(200, await run_in_threadpool(about, learner))))

    async def share(self, request: Request) -> Response:
        learner = self._learner(request)
        if isinstance(learner, ApiAnswer):
            return response(self.room.own(learner))
        shared = _shared(await request.body(), learner)
        if shared is None:
            return self._refused(400, WHAT_TO_SHARE, "cannot_share")
        learner.chapter, learner.passed = shared
        learner.at = self.room.clock.now()
        return response(self.room.own(json_answer(200, {"name": learner.name})))

    def _learner(self, request: Request) -> Learner | ApiAnswer:
        return self.roll.of(request.headers.get("authorization", ""))

    def _refused(self, status: int, message: str, code: str) -> Response:
        return response(self.room.own(error_answer(status, message, code=code)))


def about(learner: Learner) -> dict[str, Any]:
    """A learner as plain data. May count tokens: not for an event loop."""
    return {
        "name": learner.name, "under_way": learner.under_way, **learner.tally.as_dict(),
        "chapter": learner.chapter, "passed": learner.passed,
    }  # fmt: skip


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
    return {"name": learner.name, "key": key, "base_url": f"{request.base_url}v1", "share": room.shares}


def _shared(raw: bytes, learner: Learner) -> tuple[str, dict[str, int]] | None:
    """The chapter and the number of passed exercises by chapter, the learner's so far where nothing is told of them;
    None for anything else."""
    stems = {lesson.stem for lesson in lessons()}
    try:
        told = json.loads(raw)
        chapter, passed = told.get("chapter", learner.chapter), told.get("passed", learner.passed)
        counts = {stem: count for stem, count in passed.items() if type(count) is int and 0 < count < EXERCISES}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not isinstance(chapter, str) or chapter not in {"", *stems} or len(counts) < len(passed) or set(counts) - stems:
        return None
    return chapter, counts
