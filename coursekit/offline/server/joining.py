"""The endpoints of a class for its learners.

POST /join   {"name": "Ada"} with the access token, if there is one: a key for all of /v1
GET  /me     what the learner's requests add up to; with the learner's key
PUT  /me     {"chapter": "01_basics", "passed": {"01_basics": 3}, "failed": {"01_basics/reply_text":
     4}, "votes": {"01_basics/1": 2}}, or some of them: what a learner shares; {"hand": "a
     question"} raises the hand, null lowers it
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ...course import lessons
from ...foundation.files import DAMAGED_JSON
from ..exchange import ApiAnswer, ApiRequest
from .endpoints import address_in, bearer, json_response
from .learners import Learner
from .origin import ELSEWHERE, from_other_page
from .refused import Refusal, refusal
from .roll import Roll
from .room import Room
from .throttle import TooMany

NO_TOKEN = (
    "This class needs its access token, which your teacher gives you: Authorization: Bearer "
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


class Joining:
    """The endpoints above, for the room of a class."""

    def __init__(self, room: Room, roll: Roll) -> None:
        self.room, self.roll = room, roll
        self.routes = [
            Route("/join", self.join, methods=["POST"]),
            Route("/me", self.me),
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
            sent = shared_in(await request.body(), self.room.places)
        except DAMAGED_JSON as error:
            raise refusal(400, WHAT_TO_SHARE, "cannot_share") from error
        apply(sent, learner, self.room.clock.now())
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


def name_in(raw: bytes) -> Any:
    """The name in a request's body, as it was sent; None if there is none."""
    order = ApiRequest("", "", raw).json
    return order.get("name") if isinstance(order, dict) else None


def entered(request: Request, room: Room, learner: Learner) -> dict[str, Any]:
    """The answer to a learner who has joined; ``share``: whether the class shares."""
    assert room.roll is not None
    return {
        "name": learner.name,
        "key": room.roll.key(learner),
        "base_url": f"{request.base_url}v1",
        "share": room.shares,
    }


def shared_in(
    raw: bytes, places: Collection[str] | None = None
) -> dict[str, Any]:
    """What a body shares, all of it or nothing. A learner cannot have passed more exercises than
    there are: larger counts are reduced to that. Raises one of ``DAMAGED_JSON`` for anything else.

    places  as for ``Room``
    """
    sent: dict[str, Any] = json.loads(raw)
    stems = {lesson.stem for lesson in lessons()}

    def is_place(name: str) -> bool:
        if places is not None:
            return name in places
        return bool(PLACE.fullmatch(name)) and _stem(name) in stems

    if sent.get("chapter", "") not in ("", *stems):
        raise ValueError("chapter")
    if not isinstance(sent.get("hand"), str | None):
        raise ValueError("hand")
    if "passed" in sent:
        _check_counts(sent["passed"], stems.__contains__, range(1, MOST))
    if "passed" in sent and places is not None:
        there = Counter(
            _stem(place) for place in places if not _is_question(place)
        )
        sent["passed"] = {
            stem: min(count, there[stem])
            for stem, count in sent["passed"].items()
            if there[stem]
        }
    if sent.get("failed") is not None:
        _check_counts(
            sent["failed"],
            lambda name: is_place(name) and not _is_question(name),
            range(TRIES),
        )
    if sent.get("votes") is not None:
        _check_counts(
            sent["votes"],
            lambda name: is_place(name) and _is_question(name),
            range(TRIES),
        )
    return sent


def apply(sent: Mapping[str, Any], learner: Learner, now: float) -> None:
    """Note what a learner has shared; null ends it. ``now``: the server's clock."""
    learner.chapter = sent.get("chapter", learner.chapter)
    learner.passed = sent.get("passed", learner.passed)
    if "failed" in sent:
        failed = _updated(learner.failed, sent["failed"])
        learner.failed = {
            place: count for place, count in failed.items() if count
        }
    if "votes" in sent:
        learner.votes = _updated(learner.votes, sent["votes"])
    if "hand" in sent:
        question = sent["hand"]
        if question is not None:
            question = "".join(filter(str.isprintable, question))[:QUESTION]
            if learner.hand is None:
                learner.hand_at = now
        learner.hand = question


def _updated(
    counts: dict[str, int], sent: dict[str, int] | None
) -> dict[str, int]:
    return {} if sent is None else counts | sent


def _check_counts(
    counts: Any, is_name: Callable[[str], bool], allowed: range
) -> None:
    """Raise ValueError unless these are allowed whole numbers, by names that exist."""
    for name, count in counts.items():
        if type(count) is not int or count not in allowed or not is_name(name):
            raise ValueError(name)
    if len(counts) > MOST:
        raise ValueError("too many")


def _stem(place: str) -> str:
    return place.partition("/")[0]


def _is_question(place: str) -> bool:
    return place.rpartition("/")[2].isdecimal()
