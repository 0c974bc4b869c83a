"""The teacher's console: one page that shows the class live and injects faults.

    GET  /console             the page; without the cookie 401, and a form that asks for the
         console's token
    POST /console/login       token=…: sets the cookie
    POST /console/logout      ends the session in every browser that has logged in
    GET  /console/events      server-sent events: the class, whenever something has changed
    GET  /console/roster.csv  the learners, for a spreadsheet
    POST /console/roll, POST and DELETE /console/faults    as under /admin

The cookie is HttpOnly, SameSite=Strict, and limited to paths under /console, because browsers send
a cookie to every port of a host. A request that changes something must come from a page of this
server, as its Origin header shows. The Content-Security-Policy lets the page load nothing from
elsewhere, and forbids inline scripts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from ...course import DATA
from .admin import Admin
from .endpoints import address_in
from .origin import require_own_page
from .refused import refusal
from .room import Room
from .watching import Watch, roster

COOKIE = "coursekit-console"
COOKIE_RULES: Any = {
    "path": "/console",
    "httponly": True,
    "samesite": "strict",
}
DAY = 86_400
SECONDS = 1.0  # between two looks at the class
SILENCE = 15.0  # seconds after which a stream without news shows that it lives
GUESSING = 0.5  # seconds that a wrong token takes
FORM = 1000  # bytes of the login form
NO_COOKIE = (
    "This needs the console's token, which the server printed when it started: "
    "log in at /console."
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # not "no-referrer", which would take the Origin from the forms
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

Endpoint = Callable[[Request], Awaitable[Response]]


class Console:
    """The paths above, for a room with an admin token."""

    def __init__(self, room: Room, admin: Admin) -> None:
        self.room, self.watch = room, Watch(room, admin.at_work)
        # a class saves its session, so that the teacher stays logged in when the server restarts
        self._sessions: Any = room.roll or SimpleNamespace(
            session=secrets.token_hex(16)
        )
        self._files = {
            path.name: path.read_bytes()
            for path in (DATA / "console").iterdir()
        }
        guarded = [
            ("GET", "console.js", self.script),
            ("GET", "roster.csv", self.roster),
            ("GET", "events", self.events),
            ("POST", "roll", admin.roll),
            ("POST", "faults", admin.inject),
            ("DELETE", "faults", admin.lift),
            ("DELETE", "faults/{number:int}", admin.lift),
        ]
        self.routes = [
            Route("/console", self.page),
            Route("/console/console.css", self.style),
            Route("/console/login", self.login, methods=["POST"]),
            Route("/console/logout", self.logout, methods=["POST"]),
        ]
        for method, path, endpoint in guarded:
            checked = self.guarded(endpoint)
            self.routes.append(
                Route(f"/console/{path}", checked, methods=[method])
            )

    async def page(self, request: Request) -> Response:
        if self._is_open(request):
            return self._file("console.html", "text/html")
        return self._file("login.html", "text/html", 401)

    async def login(self, request: Request) -> Response:
        require_own_page(request)
        form = (await request.body())[:FORM].decode(errors="replace")
        given = parse_qs(form).get("token", [""])[0].strip()
        if not self.room.gate.is_right(
            address_in(request.scope), given, str(self.room.admin_token)
        ):
            await asyncio.sleep(GUESSING)
            # with the line that says that the token was wrong
            again = self._files["login.html"].replace(b" hidden", b"")
            return Response(again, 401, HEADERS, "text/html; charset=utf-8")
        answer = RedirectResponse("/console", 303, HEADERS)
        answer.set_cookie(
            COOKIE,
            self._session,
            max_age=DAY,
            **COOKIE_RULES,
        )
        return answer

    async def logout(self, request: Request) -> Response:
        require_own_page(request)
        if self._is_open(request):
            self._sessions.session = secrets.token_hex(16)
        answer = RedirectResponse("/console", 303, HEADERS)
        answer.delete_cookie(COOKIE, **COOKIE_RULES)
        return answer

    async def style(self, request: Request) -> Response:
        """Also for the login form: it reveals nothing."""
        return self._file("console.css", "text/css")

    async def script(self, request: Request) -> Response:
        return self._file("console.js", "text/javascript")

    async def roster(self, request: Request) -> Response:
        view = await self.watch.now()
        headers = {
            **HEADERS,
            "content-disposition": 'attachment; filename="roster.csv"',
        }
        return Response(
            roster(view["learners"]).encode("utf-8-sig"),
            200,
            headers,
            "text/csv; charset=utf-8",
        )

    async def events(self, request: Request) -> Response:
        return StreamingResponse(
            self._news(self._session),
            media_type="text/event-stream",
            headers=HEADERS,
        )

    async def _news(self, session: str) -> AsyncIterator[bytes]:
        last, silent = "", 0.0
        while session == self._session:
            view = json.dumps(await self.watch.now(), separators=(",", ":"))
            if view != last:
                yield f"retry: 1000\ndata: {view}\n\n".encode()
                last, silent = view, 0.0
            elif silent >= SILENCE:
                yield b": still here\n\n"
                silent = 0.0
            await asyncio.sleep(SECONDS)
            silent += SECONDS

    def guarded(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, after a login; a change is accepted only from the console's own page."""

        async def checked(request: Request) -> Response:
            if not self._is_open(request):
                raise refusal(401, NO_COOKIE, "not_logged_in")
            if request.method != "GET":
                require_own_page(request)
            return await endpoint(request)

        return checked

    @property
    def _session(self) -> str:
        """The cookie's value, made from the token and the session. A class saves its session, so a
        teacher stays logged in across restarts, until a logout.
        """
        made = hmac.new(
            str(self.room.admin_token).encode(),
            self._sessions.session.encode(),
            hashlib.sha256,
        )
        return made.hexdigest()

    def _is_open(self, request: Request) -> bool:
        return hmac.compare_digest(
            request.cookies.get(COOKIE, "").encode(), self._session.encode()
        )

    def _file(self, name: str, kind: str, status: int = 200) -> Response:
        return Response(
            self._files[name], status, HEADERS, f"{kind}; charset=utf-8"
        )
