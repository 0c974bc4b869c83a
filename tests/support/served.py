"""The offline API's server for tests: it runs in a thread, on a free port on this machine, and is
stopped cleanly at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import openai
import uvicorn

from coursekit.offline.recordings import Recordings
from coursekit.offline.server.access_log import AccessLog
from coursekit.offline.server.connection import ConnectionLimits
from coursekit.offline.server.room import Room
from coursekit.offline.server.running import listen, uvicorn_server
from support.waiting import HANG, until

ADMIN = "admin-token-of-the-tests"


@dataclass
class Served:
    """A running server, with ways to send it requests."""

    room: Room
    folder: Path
    port: int
    log: io.StringIO
    server: uvicorn.Server
    http: httpx2.Client
    clients: list[openai.OpenAI] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "key", **options: Any) -> openai.OpenAI:
        """The SDK's client, which is closed before the server stops."""
        options = {"max_retries": 0, "timeout": HANG, **options}
        self.clients.append(
            openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, **options)
        )
        return self.clients[-1]

    def async_client(
        self, key: str = "key", **options: Any
    ) -> openai.AsyncOpenAI:
        """The SDK's async client. Close it in its event loop."""
        options = {"max_retries": 0, "timeout": HANG, **options}
        return openai.AsyncOpenAI(
            base_url=f"{self.url}/v1", api_key=key, **options
        )

    def admin(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = ADMIN,
    ) -> httpx2.Response:
        """A request to an admin endpoint, with the admin token, unless another token or None is
        given.
        """
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        return self.http.request(
            method, self.url + path, headers=headers, json=body
        )

    def post(self, raw: bytes, **headers: str) -> httpx2.Response:
        """POST /v1/chat/completions with these bytes as the body."""
        named = {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        url = f"{self.url}/v1/chat/completions"
        usual = {
            "authorization": "Bearer key",
            "content-type": "application/json",
        }
        return self.http.post(url, content=raw, headers={**usual, **named})

    def logged(self, expected: str = "\n") -> str:
        """The access log, as soon as it has ``expected`` in it."""
        until(lambda: expected in self.log.getvalue())
        return self.log.getvalue()

    def connect(self) -> socket.socket:
        """A raw connection. Reading from it fails if nothing arrives for so long that only a hang
        explains it.
        """
        return socket.create_connection(("127.0.0.1", self.port), timeout=HANG)

    def holds(self, connection: socket.socket) -> bool:
        """Whether the server still has this connection open."""
        open_ones: list[Any] = list(self.server.server_state.connections)
        return any(one.client == connection.getsockname() for one in open_ones)

    def bytes(self, sent: bytes) -> bytes:
        """What a raw connection receives until the server closes it."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(sent)
            return read_all(connection)


class PromptServer(uvicorn.Server):
    """It stops immediately if no client is still connected. uvicorn itself checks ten times a second
    whether it should stop, and then always waits 0.1 s for connections to close. In a run of all
    tests, that adds up to 30 s.
    """

    def leave(self) -> None:
        """Stop; call this from any thread."""
        self.should_exit = True
        # before its loop starts and after it has ended, should_exit is enough
        with contextlib.suppress(AttributeError, RuntimeError):
            self._loop.call_soon_threadsafe(self._leaving.set)

    async def main_loop(self) -> None:
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 0.1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def shutdown(
        self, sockets: list[socket.socket] | None = None
    ) -> None:
        """Clients have hung up, so their connections and requests end within a few turns of the
        loop. If some do not, uvicorn waits for them.
        """
        state = self.server_state
        for _ in range(20):
            if not (state.connections or state.tasks):
                break
            await asyncio.sleep(0.001)
        else:
            await super().shutdown(sockets)
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()


@contextlib.contextmanager
def served(
    *folders: Path,
    limits: ConnectionLimits | None = None,
    kind: type[Room] = Room,
    **options: Any,
) -> Iterator[Served]:
    """A server for the recordings in these folders; ``options`` are those of Room. It answers
    immediately.
    """
    log = io.StringIO()
    options = {"speed": None, "admin_token": ADMIN, **options}
    room = kind(
        Recordings(folders), log=AccessLog(log, seconds=0.01), **options
    )
    listener = listen("127.0.0.1", 0)
    server = PromptServer(uvicorn_server(room, limits).config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, daemon=True
    )
    thread.start()
    running = Served(
        room,
        folders[0],
        listener.getsockname()[1],
        log,
        server,
        httpx2.Client(verify=False, timeout=HANG),
    )
    try:
        yield running
    finally:
        for client in (running.http, *running.clients):
            client.close()
        server.leave()
        thread.join(HANG)
        room.close()
        assert not thread.is_alive(), "the server did not stop"


def read_all(connection: socket.socket) -> bytes:
    """Everything that arrives until the other side closes the connection."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def request_bytes(body: Any, key: str = "key", more: str = "") -> bytes:
    """A complete request to POST /v1/chat/completions; ``body`` is bytes or is converted to
    JSON.
    """
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{more}"
    head += "Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


def error_of(answer: bytes) -> tuple[int, dict[str, Any]]:
    """A raw answer's status and error object, which must have the API's format."""
    head, _, body = answer.partition(b"\r\n\r\n")
    error = json.loads(body)["error"]
    assert list(error) == ["message", "type", "param", "code"]
    return int(head.split()[1]), error
