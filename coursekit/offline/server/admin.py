"""The admin endpoints: who is there, and faults for one learner or all, for a time. They ask for a
token of their own.

    GET    /admin/learners                what each learner's requests came to
    GET    /admin/learners/ada            and how well their program behaved: the verdict
    POST   /admin/learners                {"name": "ada"}: a class's key for this learner, the same
           each time
    POST   /admin/roll                    {"do": "rename", "learner": "ada 2", "to": "Ada K."}; or
           merge, remove, lower_hand; and clear: rows without a request
    GET    /admin/faults                  the faults at work
    POST   /admin/faults                  {"fault": "rate_limit", "seconds": 60, "learner": "ada"}
           puts one to work
    DELETE /admin/faults, /admin/faults/3 lifts all, or one

``fault`` is a kind, or an object with the arguments of ``Fault``; without ``times`` it strikes
every request. Without ``learner`` it strikes everybody, each counted alone.
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..exchange import error_answer, json_answer
from ..faults import Fault
from ..watched.verdict import verdict_on
from .endpoints import address_in, response
from .injection import Injection
from .joining import about, asked_name, entered
from .learners import Learner
from .room import Room

SECONDS = 60.0  # that a fault is at work when nothing else is asked
LONGEST = 86_400.0
FAULT_ORDER = 'Send JSON like {"fault": "rate_limit", "seconds": 60, "learner": "ada"}.'
ROLL_ORDER = (
    'Send JSON like {"do": "rename", "learner": "ada 2", "to": "Ada"}; or merge, remove, '
    "lower_hand, clear."
)
NO_TOKEN = (
    "This needs the admin token, which the server told when it started: Authorization: Bearer "
    "TOKEN."
)


class BadOrder(ValueError):
    """An order that cannot be carried out; the message says why."""


class Admin:
    """The endpoints below /admin."""

    def __init__(self, room: Room) -> None:
        self.room = room
        routes = [
            Route("/learners", self.learners, methods=["GET"]),
            Route("/learners", self.enroll, methods=["POST"]),
            Route("/roll", self.roll, methods=["POST"]),
            Route("/learners/{name:path}", self.learner, methods=["GET"]),
            Route("/faults", self.faults, methods=["GET"]),
            Route("/faults", self.inject, methods=["POST"]),
            Route("/faults", self.lift, methods=["DELETE"]),
            Route("/faults/{number:int}", self.lift, methods=["DELETE"]),
        ]
        self.mount = Mount(
            "/admin", routes=routes, middleware=[Middleware(Guarded, room)]
        )

    async def learners(self, request: Request) -> Response:
        learners = list(self.room.learners)
        return _json(
            200,
            {
                "learners": await run_in_threadpool(
                    lambda: [about(learner) for learner in learners]
                )
            },
        )

    async def learner(self, request: Request) -> Response:
        learner = self._known(request.path_params["name"])
        if learner is None:
            text = (
                f"There is no learner {request.path_params['name']!r:.50}. GET /admin/learners "
                "lists them."
            )
            return response(
                self.room.own(error_answer(404, text, code="unknown_learner"))
            )

        def told() -> dict[str, Any]:
            return {**about(learner), "verdict": verdict_on(learner.ledger).as_dict()}

        return _json(200, await run_in_threadpool(told))

    async def enroll(self, request: Request) -> Response:
        """For a hub, which joins its users to the class by itself. The key belongs to the account:
        somebody who joined under the same name before has another."""
        if self.room.roll is None:
            text = "Only the server of a class gives out keys: coursekit serve --class."
            return response(self.room.own(error_answer(404, text, code="no_class")))
        try:
            account = asked_name(await request.body())
            learner = self.room.roll.of_account(account)
            known, learner = (
                learner is not None,
                learner or self.room.roll.join(account, account),
            )
        except ValueError as error:
            return response(self.room.own(error_answer(400, str(error))))
        return _json(200 if known else 201, entered(request, self.room, learner))

    async def roll(self, request: Request) -> Response:
        """Rename, merge or remove a row, lower a hand, or clear away who has done nothing; see
        ``ROLL_ORDER``.
        """
        roll = self.room.roll
        try:
            if roll is None:
                raise BadOrder(
                    "Only the server of a class has a roll: coursekit serve --class."
                )
            order = _object(await request.body(), ROLL_ORDER)
            done = order.get("do")
            if done == "clear":
                idle = [
                    one
                    for one in roll
                    if not one.tally.statuses and not one.account and not one.under_way
                ]
                for one in idle:
                    roll.remove(one)
                return _json(
                    200, {"done": f"{len(idle)} rows without a request were removed."}
                )
            learner = roll.named(order.get("learner"))
            if learner is None:
                raise BadOrder(
                    f"There is no learner {order.get('learner')!r:.50}. GET /admin/learners lists "
                    "them."
                )
            old = learner.name
            if done == "rename":
                self.room.rename(roll, learner, order.get("to"))
                text = f"{old} is {learner.name} now."
            elif done == "merge":
                into = roll.named(order.get("to"))
                if into is None:
                    raise BadOrder(
                        f"There is no learner {order.get('to')!r:.50} to merge {old} into."
                    )
                await run_in_threadpool(roll.merge, learner, into)
                text = f"{old} and {into.name} are one row now."
            elif done == "remove":
                roll.remove(learner)
                text = f"{old} was removed. The key opens nothing any more."
            elif done == "lower_hand":
                learner.hand = None
                text = f"The hand of {old} is down."
            else:
                raise BadOrder(ROLL_ORDER)
        except ValueError as error:
            return response(self.room.own(error_answer(400, str(error))))
        return _json(200, {"done": text})

    async def faults(self, request: Request) -> Response:
        return _json(200, {"faults": self.at_work()})

    async def inject(self, request: Request) -> Response:
        try:
            order = _order(await request.body())
            learner = order.get("learner")
            if learner is not None and self._known(learner) is None:
                raise BadOrder(
                    f"There is no learner {learner!r:.50}. GET /admin/learners lists them."
                )
            injection = self.room.injections.add(
                _fault(order["fault"]), learner, _seconds(order)
            )
        except ValueError as error:
            return response(self.room.own(error_answer(400, str(error))))
        return _json(201, self._shown(injection))

    async def lift(self, request: Request) -> Response:
        lifted = self.room.injections.lift(request.path_params.get("number"))
        return _json(200, {"lifted": [self._shown(injection) for injection in lifted]})

    def at_work(self) -> list[dict[str, Any]]:
        """The faults at work, oldest first, as plain data."""
        return [self._shown(injection) for injection in self.room.injections.now()]

    def _known(self, name: Any) -> Learner | None:
        return next(
            (learner for learner in self.room.learners if learner.name == name), None
        )

    def _shown(self, injection: Injection) -> dict[str, Any]:
        fault = injection.fault
        arguments = {
            name: value
            for name in ("after", "probability", "retry_after", "seconds", "abrupt")
            if (value := getattr(fault, name)) not in (None, False)
        }
        return {
            "number": injection.number,
            "fault": {
                "kind": fault.kind,
                "times": None if fault.times == math.inf else fault.times,
                **arguments,
            },
            "learner": injection.learner,
            "seconds_left": round(max(0.0, injection.until - self.room.clock.now()), 3),
        }


class Guarded:
    """Middleware: without the admin token nothing is done and nothing is told, not even which paths
    there are.
    """

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app, self.room = app, room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = (
            dict(scope["headers"])
            .get(b"authorization", b"")
            .decode("latin-1")
            .removeprefix("Bearer ")
        )
        if self.room.gate.is_right(
            address_in(scope), given, str(self.room.admin_token)
        ):
            await self.app(scope, receive, send)
        else:
            refused = self.room.own(
                error_answer(401, NO_TOKEN, code="invalid_admin_token")
            )
            await response(refused)(scope, receive, send)


def _object(raw: bytes, otherwise: str) -> dict[str, Any]:
    """The JSON object in a body. Raises BadOrder with the text where there is none."""
    try:
        order = json.loads(raw)
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise BadOrder(otherwise)
    return order


def _order(raw: bytes) -> dict[str, Any]:
    order = _object(raw, FAULT_ORDER)
    if "fault" not in order:
        raise BadOrder(FAULT_ORDER)
    for name in order:
        if name not in ("fault", "seconds", "learner"):
            raise BadOrder(
                f"An order has fault, seconds and learner, and no {name!r:.50}. A fault's own "
                "arguments go into it."
            )
    return order


def _fault(asked: Any) -> Fault:
    if isinstance(asked, str):
        asked = {"kind": asked}
    if not isinstance(asked, dict) or not all(isinstance(name, str) for name in asked):
        raise BadOrder(
            'fault is a kind like "rate_limit", or an object like {"kind": "slow", "seconds": 2}.'
        )
    if asked.get("times") is None:
        asked = {**asked, "times": math.inf}
    try:
        return Fault(**asked)
    except TypeError as error:
        raise BadOrder(f"No such fault: {error}.") from error


def _seconds(order: dict[str, Any]) -> float:
    seconds = order.get("seconds", SECONDS)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 < seconds <= LONGEST
    ):
        raise BadOrder(f"seconds is a number above 0, up to {LONGEST:,.0f}.")
    return float(seconds)


def _json(status: int, value: object) -> Response:
    return response(json_answer(status, value))
