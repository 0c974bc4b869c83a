"""A stand-in for an OpenAI-compatible server, such as Ollama. It listens on this machine and
answers as the test requires.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.ports import free_port

HANG = 60.0  # seconds that only a hang reaches


@dataclass
class Upstream:
    """The running server: its answers, and the requests it received.

    words      the words of each reply; in a stream, one chunk each
    models     what GET /v1/models lists; None: 404
    owned_by   the owner of each of these models
    key        the required key; None: any key is accepted
    usage      whether replies have a usage
    go_on      what a stream waits for before its second chunk
    dies       whether a stream's connection is reset after the first chunk
    left       set when a caller has left while a stream was being written
    """

    url: str
    words: tuple[str, ...] = ("Hello", " there")
    models: list[str] | None = field(
        default_factory=lambda: ["llama3.2:1b", "other"]
    )
    owned_by: str = "library"
    key: str | None = None
    status: int = 200
    usage: bool = True
    dies: bool = False
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def reply(upstream: Upstream, model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(upstream.words)}
    value: dict[str, Any] = {
        "id": "chatcmpl-9",
        "object": "chat.completion",
        "created": 1795000000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    if upstream.usage:
        value["usage"] = {
            "prompt_tokens": 9,
            "completion_tokens": len(upstream.words),
            "total_tokens": 11,
        }
    return value


def chunk(
    model: str, delta: dict[str, Any], reason: str | None = None
) -> bytes:
    value = {
        "id": "chatcmpl-9",
        "object": "chat.completion.chunk",
        "created": 1795000000,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
    return b"data: " + json.dumps(value).encode() + b"\n\n"


@contextlib.contextmanager
def upstream() -> Iterator[Upstream]:  # noqa: C901 - a server is one class in a function
    """A server that runs until the end of the ``with``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.headers.append(
                {name.lower(): value for name, value in self.headers.items()}
            )
            if (
                told.key is not None
                and self.headers.get("authorization") != f"Bearer {told.key}"
            ):
                self._whole(401, {"error": {"message": "No key."}})
            elif told.models is None:
                self._whole(404, {"error": {"message": "No such page."}})
            else:
                self._whole(
                    200,
                    {
                        "data": [
                            {"id": name, "owned_by": told.owned_by}
                            for name in told.models
                        ]
                    },
                )

        def do_POST(self) -> None:
            body = json.loads(
                self.rfile.read(int(self.headers["content-length"]))
            )
            told.headers.append(
                {name.lower(): value for name, value in self.headers.items()}
            )
            told.requests.append(body)
            if told.status != 200:
                self._whole(
                    told.status,
                    {"error": {"message": "Not now.", "type": "busy"}},
                )
            elif body.get("stream"):
                self._stream(body)
            else:
                self._whole(200, reply(told, body["model"]))

        def _whole(self, status: int, value: Any) -> None:
            raw = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, body: dict[str, Any]) -> None:
            model = body["model"]
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            try:
                self._piece(
                    chunk(
                        model, {"role": "assistant", "content": told.words[0]}
                    )
                )
                if told.dies:
                    # SO_LINGER: the connection is reset, not closed
                    reset = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, reset
                    )
                    self.connection.close()
                    self.close_connection = True
                    return
                told.go_on.wait(HANG)
                for word in told.words[1:]:
                    self._piece(chunk(model, {"content": word}))
                self._piece(chunk(model, {}, "stop"))
                self._piece(b"data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                told.left.set()
                self.close_connection = True

        def _piece(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Upstream(f"http://127.0.0.1:{server.server_port}/v1")
    told.go_on.set()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield told
    finally:
        told.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


def free_address() -> str:
    """An address on this machine at which nothing listens."""
    return f"http://127.0.0.1:{free_port()}/v1"
