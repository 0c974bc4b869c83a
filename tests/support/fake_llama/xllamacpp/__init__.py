"""A stand-in for the package xllamacpp. PYTHONPATH makes the tests' server process import it
instead.

Its server answers every prompt with the text in the model's file. A file that contains "damaged"
cannot be loaded.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class CommonParams:
    def __init__(self) -> None:
        self.model, self.model_alias = SimpleNamespace(path=""), set()
        self.verbosity = 0


class Server:
    def __init__(self, params: CommonParams) -> None:
        text = Path(params.model.path).read_text()
        if text == "damaged":
            raise RuntimeError("failed to load model")
        (name,) = params.model_alias or {params.model.path}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                message = {"role": "assistant", "content": text}
                value = {
                    "id": "chatcmpl-1",
                    "object": "chat.completion",
                    "created": 1795000000,
                    "model": name,
                    "choices": [
                        {
                            "index": 0,
                            "message": message,
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {
                        "prompt_tokens": 5,
                        "completion_tokens": 2,
                        "total_tokens": 7,
                    },
                }
                raw = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        self._text, self._handler = text, Handler

    @property
    def listening_address(self) -> str:
        """Start listening. A test that loads the model in its own process does not need a
        server.
        """
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def handle_chat_completions(
        self, request: object, heard: Callable[[dict[str, Any]], bool]
    ) -> None:
        for word in self._text.split():
            heard({"choices": [{"delta": {"content": word}}]})
