"""Reports models that would not answer before anything is sent: models that OpenAI has shut down
and, on another server, a role's model that the server does not list.

``GET /v1/models`` is called once for each client, with that client's key. A server that does not
have this endpoint, or whose list does not show what it accepts (a gateway's "openai/*", Azure's
deployments), decides for itself. It also decides about any model that does not play a role, because
a server may accept more names than it lists.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping

import httpx2

from . import models
from .foundation.files import DAMAGED_JSON
from .settings import Mode, today_of

CHAT_COMPLETIONS = "/chat/completions"  # after any base path
SECONDS = 5.0  # to wait for the list; without it, the request's own error says what is wrong
# lists the models that can be deployed, but accepts the names of deployments
OWN_NAMES = (".azure.com",)
SHOWN = 20  # of a server's models
MARK = "coursekit_list"


class ServerModels:
    """The model lists of the servers that a client uses; ``env`` holds the settings."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._listed: dict[str, frozenset[str]] = {}
        self._lock, self._async_lock = threading.Lock(), asyncio.Lock()

    def check(self, request: httpx2.Request, client: httpx2.Client) -> None:
        """Raise ModelNotServed instead of sending a request for a role's model that the server does
        not list.
        """
        if (name := self._name(request)) is None:
            return
        base = _base(request)
        with self._lock:
            if base not in self._listed:
                try:
                    answer = client.send(_question(request))
                except httpx2.HTTPError:
                    return
                self._listed[base] = _ids(answer)
        self._refuse(base, name)

    async def check_async(
        self, request: httpx2.Request, client: httpx2.AsyncClient
    ) -> None:
        """Do the same as ``check``, for an async client."""
        if (name := self._name(request)) is None:
            return
        base = _base(request)
        async with self._async_lock:
            if base not in self._listed:
                try:
                    answer = await client.send(_question(request))
                except httpx2.HTTPError:
                    return
                self._listed[base] = _ids(answer)
        self._refuse(base, name)

    def _name(self, request: httpx2.Request) -> str | None:
        """Return the requested model if it plays a role and the server's list shows what the server
        accepts.
        """
        if not request.url.path.endswith(
            CHAT_COMPLETIONS
        ) or request.url.host.endswith(OWN_NAMES):
            return None
        body = json.loads(request.content)
        name = body.get("model") if isinstance(body, Mapping) else None
        return name if name in models.playing(self._env).values() else None

    def _refuse(self, base: str, name: str) -> None:
        listed = self._listed[base]
        if (
            not listed
            or name in listed
            or f"{name}:latest" in listed
            or any("*" in each for each in listed)
        ):
            return
        playing = models.playing(self._env)
        missing = [
            f"{each} (models.{role})"
            for role, each in playing.items()
            if each not in listed
        ]
        has = sorted(listed)
        more = f" and {len(has) - SHOWN} more" if len(has) > SHOWN else ""
        role = next(role for role, each in playing.items() if each == name)
        live = self._env.get("COURSEKIT_MODE") == Mode.LIVE
        mode = "" if live else "COURSEKIT_MODE=live and "
        raise models.ModelNotServed(
            f"The server at {base} does not list {', '.join(missing)}. Nothing was "
            "sent.\n"
            f"It has: {', '.join(has[:SHOWN])}{more}.\n"
            f"Put {mode}COURSEKIT_{role}={has[0]} into .env, or COURSEKIT_MODEL={has[0]} for all "
            "roles, and run the notebook again from its first cell."
        )


def refuse_dead_model(
    request: httpx2.Request, mode: str, env: Mapping[str, str]
) -> None:
    """Raise ModelShutDown instead of sending the real API a request for a model that it no longer
    has.
    """
    if not request.url.path.endswith(CHAT_COMPLETIONS):
        return
    name = json.loads(request.content).get("model")
    if not isinstance(name, str) or not models.known(name):
        return  # newer than the table, or mistyped: the API decides
    try:
        models.get(name, today_of(env))
    except models.ModelShutDown as error:
        name = models.get(name).name
        roles = [role for role in models.ROLES if models.role(role) == name]
        cure = "\n"
        if roles and mode == Mode.LIVE:
            cure = (
                f"\nUse models.{roles[0]} with COURSEKIT_MODE=live: it names a model that is "
                "available. "
            )
        raise models.ModelShutDown(
            f"{error} Nothing was sent, and nothing was spent.{cure}"
            "Use coursekit.migration.migrate(params, to_model) to move the request to "
            "another model. In replay mode, the recordings for the old model still work."
        ) from None


def is_list(request: httpx2.Request) -> bool:
    """Return whether this is our own request for the list."""
    return MARK in request.extensions


def _base(request: httpx2.Request) -> str:
    return str(request.url.copy_with(query=None)).removesuffix(CHAT_COMPLETIONS)


def _question(request: httpx2.Request) -> httpx2.Request:
    headers = {
        name: value
        for name, value in request.headers.items()
        if name != "host" and not name.startswith("content-")
    }
    limits = httpx2.Timeout(SECONDS).as_dict()
    url = httpx2.URL(_base(request) + "/models", params=request.url.params)
    return httpx2.Request(
        "GET", url, headers=headers, extensions={"timeout": limits, MARK: True}
    )


def _ids(response: httpx2.Response) -> frozenset[str]:
    """Return the ids in an answer to GET /v1/models; none if the answer is an error or some other
    page.
    """
    if not response.is_success:
        return frozenset()
    try:
        rows = response.json()["data"]
        return frozenset(
            row["id"] for row in rows if isinstance(row["id"], str)
        )
    except DAMAGED_JSON:
        return frozenset()
