"""The server's application: routes, errors in the API's shape, and a line in the access log for
each request.
"""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from ..batches.api import BATCHES, is_below
from ..batches.files import FILES
from ..exchange import CHAT_COMPLETIONS, error_answer
from .admin import Admin
from .connection import drop
from .console import Console
from .endpoints import (
    PAGES,
    Models,
    ServedAnswer,
    healthz,
    response,
    serve,
)
from .hosts import ELSEWHERE, name_in
from .joining import Joining
from .refused import Refusal
from .room import Room, broken


class App:
    """The ASGI application of a room. It takes uvicorn's own ``send``: see ``uvicorn_server``."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.others = other_paths(room)
        exposed = [value.decode() for name, value in PAGES if b"expose" in name]
        self.for_pages = CORSMiddleware(
            self.others,
            allow_origins=["*"],
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=exposed,
        )

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        room, served = self.room, ServedAnswer()
        start = room.clock.now()
        try:
            served = await self._serve(scope, receive, send)
        # the server stops, and has waited long enough
        except asyncio.CancelledError:
            drop(send)
        finally:
            room.log.add(
                served.who,
                scope["method"],
                scope["path"],
                served.status,
                room.clock.now() - start,
                "left" if served.left else "",
            )

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send
    ) -> ServedAnswer:
        path, method = scope["path"], scope["method"]
        # nearly always the first header
        hosts = (value for name, value in scope["headers"] if name == b"host")
        host = next(hosts, b"").decode("latin-1")
        if not self.room.answers_to(host):
            text = ELSEWHERE.format(name=ascii(name_in(host)[:100])[1:-1])
            refused = error_answer(421, text, code="unknown_host")
            await response(self.room.own(refused))(scope, receive, send)
            return ServedAnswer(status=421)
        chat = path == CHAT_COMPLETIONS and method == "POST"
        if chat or (
            method != "OPTIONS"
            and (is_below(BATCHES, path) or is_below(FILES, path))
        ):
            return await serve(self.room, scope, receive, send)
        return await self._other(scope, receive, send)

    async def _other(
        self, scope: Scope, receive: Receive, send: Send
    ) -> ServedAnswer:
        served = ServedAnswer()

        async def noting(message: Message) -> None:
            nonlocal served
            if message["type"] == "http.response.start":
                served = ServedAnswer(status=message["status"])
            await send(message)

        pages = self.room.open_to_pages and scope["path"].startswith("/v1/")
        await (self.for_pages if pages else self.others)(scope, receive, noting)
        return served


def other_paths(room: Room) -> Starlette:
    """Every path except those that a learner's offline API answers: POST /v1/chat/completions,
    files and batches.
    """
    about_models, admin = Models(room), Admin(room)

    async def refused(request: Request, error: Exception) -> Response:
        """A path or a method that does not exist, in the API's words."""
        assert isinstance(error, HTTPException)
        method, path = request.method[:20], request.url.path[:200]
        answer = error_answer(
            error.status_code, f"Invalid URL ({method} {path})"
        )
        if error.status_code == 405:
            text = (
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a "
                "different HTTP method?)"
            )
            allowed = {"allow": (error.headers or {})["Allow"]}
            answer = error_answer(
                405, text, code="method_not_supported", headers=allowed
            )
        return response(room.own(answer))

    async def answered(request: Request, error: Exception) -> Response:
        """The answer of an endpoint that refused a request by raising it."""
        assert isinstance(error, Refusal)
        return response(room.own(error.answer))

    async def failed(request: Request, error: Exception) -> Response:
        """The answer to a bug of ours, whose traceback goes to the server's terminal."""
        return response(room.own(broken()))

    routes: list[BaseRoute] = [
        # for the 405 of other methods
        Route(CHAT_COMPLETIONS, failed, methods=["POST"]),
        Route("/v1/models", about_models.all),
        Route("/v1/models/{model:path}", about_models.one),
        Route("/healthz", healthz),
    ]
    if room.roll:
        routes += Joining(room, room.roll).routes
    if room.admin_token:
        routes += [admin.mount, *Console(room, admin).routes]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: refused,
            Refusal: answered,
            Exception: failed,
        },
    )
    app.router.redirect_slashes = False
    return app
