"""The admin endpoints: the learners, and faults for one or all of them, for a limited time. They
need a separate token.

    GET    /admin/learners                what each learner's requests add up to
    GET    /admin/learners/ada            and how well their program behaved: the verdict
    POST   /admin/learners                {"name": "ada"}: a class's key for this learner, the same
           each time
    POST   /admin/roll                    {"do": "rename", "learner": "ada 2", "to": "Ada K."}; or
           merge, remove, lower_hand; and clear: rows without a request
    GET    /admin/faults                  the faults at work
    POST   /admin/faults                  {"fault": "rate_limit", "seconds": 60, "learner": "ada"}
           injects one
    DELETE /admin/faults, /admin/faults/3 ends all, or one

``fault`` is a kind, or an object with the arguments of ``Fault``; without ``times`` it strikes
every request. Without ``learner`` it strikes everyone, and counts for each separately.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ..exchange import ApiRequest
from ..faults import Fault
from ..watched.verdict import verdict_on
from .endpoints import address_in, bearer, json_response
from .injection import Injection
from .joining import about, entered, name_in
from .learners import Learner
from .refused import refusal
from .roll import Roll
from .room import Room

SECONDS = 60.0  # that a fault is at work if the order does not say
LONGEST = 86_400.0
FAULT_ORDER = (
    'Send JSON like {"fault": "rate_limit", "seconds": 60, "learner": "ada"}.'
)
FAULT = 'fault is a kind like "rate_limit", or an object like {"kind": "slow", "seconds": 2}.'
ROLL_ORDER = (
    'Send JSON like {"do": "rename", "learner": "ada 2", "to": "Ada"}; or merge, remove, '
    "lower_hand, clear."
)
NO_TOKEN = (
    "This needs the admin token, which the server printed when it started: "
    "Authorization: Bearer TOKEN."
)
NO_CLASS = "Only the server of a class can do this: coursekit serve --class."


class Admin:
    """The endpoints under /admin."""

    def __init__(self, room: Room) -> None:
        self.room = room
        routes = [
            Route("/learners", self.learners),
            Route("/learners", self.enroll, methods=["POST"]),
            Route("/roll", self.roll, methods=["POST"]),
            Route("/learners/{name:path}", self.learner),
            Route("/faults", self.faults),
            Route("/faults", self.inject, methods=["POST"]),
            Route("/faults", self.lift, methods=["DELETE"]),
            Route("/faults/{number:int}", self.lift, methods=["DELETE"]),
        ]
        guarded = [Middleware(Guarded, room)]
        self.mount = Mount("/admin", routes=routes, middleware=guarded)

    async def learners(self, request: Request) -> Response:
        learners = list(self.room.learners)
        rows = await run_in_threadpool(
            lambda: [about(learner) for learner in learners]
        )
        return json_response({"learners": rows})

    async def learner(self, request: Request) -> Response:
        learner = self._named(request.path_params["name"], 404)
        ledger = learner.ledger
        row = await run_in_threadpool(
            lambda: {**about(learner), "verdict": verdict_on(ledger).as_dict()}
        )
        return json_response(row)

    async def enroll(self, request: Request) -> Response:
        """For a hub, which enrolls its users in the class itself. The key belongs to the account: a
        learner who joined earlier under the same name has a different one.
        """
        if self.room.roll is None:
            raise refusal(404, NO_CLASS, "no_class")
        account = name_in(await request.body())
        learner = self.room.roll.of_account(account)
        status = 201 if learner is None else 200
        learner = learner or self.room.roll.join(account, account)
        return json_response(entered(request, self.room, learner), status)

    async def roll(self, request: Request) -> Response:
        """Rename, merge or remove a row, lower a hand, or clear away rows without a request; see
        ``ROLL_ORDER``.
        """
        if self.room.roll is None:
            raise refusal(400, NO_CLASS)
        order = _object(await request.body(), ROLL_ORDER)
        return json_response(
            {"done": await self._carried_out(self.room.roll, order)}
        )

    async def _carried_out(self, roll: Roll, order: dict[str, Any]) -> str:
        if order.get("do") == "clear":
            return f"{roll.clear()} rows without a request were removed."
        learner = self._named(order.get("learner"))
        old = learner.name
        match order.get("do"):
            case "rename":
                self.room.rename(roll, learner, order.get("to"))
                return f"{learner.name} is the new name of {old}."
            case "merge":
                into = self._named(order.get("to"))
                await run_in_threadpool(roll.merge, learner, into)
                return f"{old} and {into.name} are now one row."
            case "remove":
                roll.remove(learner)
                return f"{old} was removed. The key no longer works."
            case "lower_hand":
                learner.hand = None
                return f"The hand of {old} is down."
        raise refusal(400, ROLL_ORDER)

    async def faults(self, request: Request) -> Response:
        return json_response({"faults": self.at_work()})

    async def inject(self, request: Request) -> Response:
        order = _object(await request.body(), FAULT_ORDER)
        fault, seconds = _fault(order), _seconds(order)
        learner = order.get("learner")
        if learner is not None:
            self._named(learner)
        try:
            injection = self.room.injections.add(fault, learner, seconds)
        except ValueError as error:
            raise refusal(400, str(error)) from error
        return json_response(self._row(injection), 201)

    async def lift(self, request: Request) -> Response:
        lifted = self.room.injections.lift(request.path_params.get("number"))
        return json_response(
            {"lifted": [self._row(injection) for injection in lifted]}
        )

    def at_work(self) -> list[dict[str, Any]]:
        """The faults at work, oldest first, as plain data."""
        return [
            self._row(injection) for injection in self.room.injections.now()
        ]

    def _named(self, name: Any, status: int = 400) -> Learner:
        """The learner of this name. Raises Refusal with the status if there is none."""
        if learner := self.room.learners.named(name):
            return learner
        text = (
            f"There is no learner {name!r:.50}. GET /admin/learners lists them."
        )
        raise refusal(status, text, "unknown_learner")

    def _row(self, injection: Injection) -> dict[str, Any]:
        fault = {
            name: value
            for name, value in asdict(injection.fault).items()
            if value not in (None, False)
        }
        if fault["times"] == math.inf:
            fault["times"] = None
        left = max(0.0, injection.until - self.room.clock.now())
        return {
            "number": injection.number,
            "fault": fault,
            "learner": injection.learner,
            "seconds_left": round(left, 3),
        }


class Guarded:
    """Middleware: without the admin token nothing is done or shown, not even which paths exist."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self.app, self.room = app, room

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        token = str(self.room.admin_token)
        if not self.room.gate.is_right(address_in(scope), bearer(scope), token):
            raise refusal(401, NO_TOKEN, "invalid_admin_token")
        await self.app(scope, receive, send)


def _object(raw: bytes, otherwise: str) -> dict[str, Any]:
    """The JSON object in a body. Raises Refusal with the text ``otherwise`` if there is none."""
    order = ApiRequest("", "", raw).json
    if not isinstance(order, dict):
        raise refusal(400, otherwise)
    return order


def _fault(order: dict[str, Any]) -> Fault:
    """The fault in an order. It strikes without end unless the order says how often."""
    if "fault" not in order:
        raise refusal(400, FAULT_ORDER)
    for name in order.keys() - {"fault", "seconds", "learner"}:
        text = f"An order can have fault, seconds and learner, but not {name!r:.50}."
        raise refusal(400, f"{text} A fault's own arguments go inside fault.")
    given = order["fault"]
    if isinstance(given, str):
        given = {"kind": given}
    if not isinstance(given, dict):
        raise refusal(400, FAULT)
    if given.get("times") is None:
        given["times"] = math.inf
    try:
        return Fault(**given)
    except (TypeError, ValueError) as error:
        raise refusal(400, f"This is not a valid fault: {error}") from error


def _seconds(order: dict[str, Any]) -> float:
    seconds = order.get("seconds", SECONDS)
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not number or not 0 < seconds <= LONGEST:
        raise refusal(
            400, f"seconds is a number above 0, up to {LONGEST:,.0f}."
        )
    return float(seconds)
