"""A small HTTP server on 127.0.0.1 that stands for the real API in tests of record and live
mode.
"""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Handle = Callable[["Upstream"], None]


class Upstream(http.server.BaseHTTPRequestHandler):
    """Records each request's body and headers, and then lets ``handle`` answer."""

    protocol_version = "HTTP/1.1"
    handle_one: Handle
    seen: list[tuple[bytes, dict[str, str]]]

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append((raw, {k.lower(): v for k, v in self.headers.items()}))
        type(self).handle_one(self)

    do_GET = do_POST

    def whole(
        self,
        body: bytes,
        status: int = 200,
        kind: str = "application/json",
        **headers: str,
    ) -> None:
        self.begin(status, kind, {"content-length": str(len(body)), **headers})
        self.wfile.write(body)

    def begin(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {
            "content-type": kind,
            "x-request-id": "req_upstream",
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def stream(
        self, blocks: list[tuple[float, bytes]], *, whole: bool = True
    ) -> None:
        """Chunked SSE with one (seconds to wait first, data) pair per event. If it is not
        ``whole``, the connection breaks at the end.
        """
        self.begin(
            200,
            "text/event-stream; charset=utf-8",
            {"transfer-encoding": "chunked"},
        )
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for wait, data in blocks:
                time.sleep(wait)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            if whole:
                self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *args: Any) -> None: ...


@contextlib.contextmanager
def upstream(
    handle: Handle,
) -> Iterator[tuple[str, list[tuple[bytes, dict[str, str]]]]]:
    """The base URL of a server that answers with ``handle``, and the list of requests that it
    received.
    """
    seen: list[tuple[bytes, dict[str, str]]] = []
    kind = type(
        "Handler",
        (Upstream,),
        {"handle_one": staticmethod(handle), "seen": seen},
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
