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
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from ..batches.api import BATCHES, is_below
from ..batches.files import FILES
from ..exchange import CHAT_COMPLETIONS, error_answer
from .admin import Admin
from .connection import drop
from .console import Console
from .endpoints import (
    PAGES,
    Batches,
    ChatCompletions,
    Models,
    ServedAnswer,
    healthz,
    response,
)
from .hosts import ELSEWHERE, name_in
from .joining import Joining
from .names import NameRefused
from .room import Refusal, Room, broken, refusal, too_many
from .throttle import TooMany


class App:
    """The ASGI application of a room. It takes uvicorn's own ``send``: see ``uvicorn_server``."""

    def __init__(self, room: Room) -> None:
        self.room, self.chat, self.batches = (
            room,
            ChatCompletions(room),
            Batches(room),
        )
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
        start, served = self.room.clock.now(), ServedAnswer()
        try:
            host = next(
                (value for name, value in scope["headers"] if name == b"host"),
                b"",
            ).decode("latin-1")
            if not self.room.hosts.answers(host):
                served = ServedAnswer(status=421)
                text = ELSEWHERE.format(name=ascii(name_in(host)[:100])[1:-1])
                await response(
                    self.room.own(error_answer(421, text, code="unknown_host"))
                )(scope, receive, send)
            elif (
                scope["path"] == CHAT_COMPLETIONS and scope["method"] == "POST"
            ):
                served = await self.chat.serve(scope, receive, send)
            elif scope["method"] == "OPTIONS":
                served = await self._other(scope, receive, send)
            elif is_below(BATCHES, scope["path"]) or is_below(
                FILES, scope["path"]
            ):
                served = await self.batches.serve(scope, receive, send)
            else:
                served = await self._other(scope, receive, send)
        # the server stops, and has waited long enough
        except asyncio.CancelledError:
            drop(send)
        finally:
            seconds, note = (
                self.room.clock.now() - start,
                "left" if served.left else "",
            )
            self.room.log.add(
                served.who,
                scope["method"],
                scope["path"],
                served.status,
                seconds,
                note,
            )

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
    """Everything but what an offline API answers itself: POST /v1/chat/completions, files and
    batches.
    """
    about_models, admin = Models(room), Admin(room)

    async def refused(request: Request, error: Exception) -> Response:
        """A path or a method that does not exist, in the API's words."""
        assert isinstance(error, HTTPException)
        method, path = request.method[:20], request.url.path[:200]
        if error.status_code == 405:
            text = (
                f"Not allowed to {method} on {path}. (HINT: Perhaps you meant to use a "
                "different HTTP method?)"
            )
            allowed = {"allow": (error.headers or {})["Allow"]}
            answer = error_answer(
                405, text, code="method_not_supported", headers=allowed
            )
        else:
            answer = error_answer(
                error.status_code, f"Invalid URL ({method} {path})"
            )
        return response(room.own(answer))

    async def answered(request: Request, error: Exception) -> Response:
        """What an endpoint has raised to refuse a request."""
        if isinstance(error, TooMany):
            return response(room.own(too_many(error)))
        if isinstance(error, NameRefused):
            error = refusal(400, str(error), "cannot_join")
        assert isinstance(error, Refusal)
        return response(room.own(error.answer))

    async def failed(request: Request, error: Exception) -> Response:
        """A mistake of ours; its traceback goes to the server's terminal."""
        return response(room.own(broken()))

    app = Starlette(
        routes=[
            # for the 405 of other methods
            Route(CHAT_COMPLETIONS, failed, methods=["POST"]),
            Route("/v1/models", about_models.all, methods=["GET"]),
            Route("/v1/models/{model:path}", about_models.one, methods=["GET"]),
            Route("/healthz", healthz, methods=["GET"]),
            *(Joining(room, room.roll).routes if room.roll else []),
            *(
                [admin.mount, *Console(room, admin).routes]
                if room.admin_token
                else []
            ),
        ],
        exception_handlers={
            HTTPException: refused,
            **dict.fromkeys((Refusal, TooMany, NameRefused), answered),
            Exception: failed,
        },
    )
    app.router.redirect_slashes = False
    return app
