"""The endpoints: POST /v1/chat/completions, /v1/files, /v1/batches, GET /v1/models; and GET
/healthz, for monitoring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    error_answer,
    json_answer,
)
from ..model_list import listing, one_model
from .delivery import Delivery
from .learners import Learner
from .room import IN_FLIGHT, Room

# With an Origin, what the API sends to pages of any site. No cookie is read below /v1.
PAGES = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Request-ID"),
)


@dataclass(slots=True)
class ServedAnswer:
    """What the access log shows of an answer: whose it was, its status (0: dropped), and whether
    the client left.
    """

    who: str = "-"
    status: int = 0
    left: bool = False


async def serve(
    room: Room, scope: Scope, receive: Receive, send: Send
) -> ServedAnswer:
    """Serve what a learner's offline API answers: POST /v1/chat/completions, files and batches. On
    bare ASGI, because Starlette's routing and its Request would cost more than the answer.
    """
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
    }
    pages = PAGES if room.open_to_pages and "origin" in headers else ()
    delivery = Delivery(receive, send, room.clock, room.stretch, pages)
    raw = await delivery.body()
    if raw is None:
        return ServedAnswer(left=True)
    start = room.clock.now()
    learner = room.learner(headers.get("authorization", ""), address_in(scope))
    if isinstance(learner, ApiAnswer):
        await delivery.deliver(room.own(learner), start)
        return ServedAnswer(status=learner.status)
    if learner.under_way >= IN_FLIGHT:
        await delivery.deliver(room.own(crowded()), start)
        return ServedAnswer(learner.name, 429)
    learner.under_way += 1
    learner.at = start
    struck = bool(room.injections.now(learner.name))
    try:
        request, answer = await _answer(room, scope, learner, raw, headers)
        attempt = learner.ledger.open(request, answer, start)
        if answer.forward is None:
            learner.tally.add(request, answer)
            received = await delivery.deliver(answer, start)
        else:
            forwarded = room.forwarder.serve(delivery, answer, start)
            ended = await delivery.while_connected(forwarded)
            answer, received = ended or (answer, "left")
            attempt.answer = answer
            learner.tally.add(request, answer)
        left = received == "left"
        attempt.finish("left" if left else "all", room.clock.now())
        learner.note(attempt, struck=struck)
    finally:
        learner.under_way -= 1
    return ServedAnswer(learner.name, answer.status, left)


async def _answer(
    room: Room,
    scope: Scope,
    learner: Learner,
    raw: bytes,
    headers: Mapping[str, str],
) -> tuple[ApiRequest, ApiAnswer]:
    if scope["path"] != CHAT_COMPLETIONS:
        # files and batches, of which each learner has their own
        request = ApiRequest(scope["method"], scope["path"], raw, headers)
        return request, await room.answer_in_thread(learner, request)
    kind = headers.get("content-type", "").partition(";")[0]
    if kind.strip().lower() != "application/json":
        raw = b"{}"  # the API reads no parameters out of anything else
    return await room.answer(learner, raw, headers)


class Models:
    """GET /v1/models and /v1/models/{model}: the models that the offline API knows, with their
    announced end.
    """

    def __init__(self, room: Room) -> None:
        self.room = room

    async def all(self, request: Request) -> Response:
        return self._answered(request, listing())

    async def one(self, request: Request) -> Response:
        return self._answered(request, one_model(request.path_params["model"]))

    def _answered(self, request: Request, answer: ApiAnswer) -> Response:
        authorization = request.headers.get("authorization", "")
        learner = self.room.learner(authorization, address_in(request.scope))
        return response(
            self.room.own(learner if isinstance(learner, ApiAnswer) else answer)
        )


async def healthz(request: Request) -> Response:
    return json_response({"status": "ok"})


def address_in(scope: Scope) -> str:
    """The address from which a request was sent."""
    return str(scope["client"][0]) if scope.get("client") else ""


def crowded() -> ApiAnswer:
    """The 429 for a learner with too many requests in flight."""
    text = (
        f"You have {IN_FLIGHT} requests in flight on this server, which accepts no more. Send "
        "fewer at a time."
    )
    return error_answer(
        429,
        text,
        type="requests",
        code="rate_limit_exceeded",
        headers={"retry-after": "1"},
    )


def response(answer: ApiAnswer) -> Response:
    """A whole answer as a Starlette response."""
    return Response(answer.body, answer.status, dict(answer.headers))


def json_response(value: object, status: int = 200) -> Response:
    return response(json_answer(status, value))


def bearer(scope: Scope) -> str:
    """The token in a request's Authorization header, "" without one."""
    given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
    return str(given.removeprefix("Bearer "))
