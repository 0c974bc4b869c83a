"""A stand-in for xllamacpp that serves chat completions as it does, word by word, without a model.

The words of a reply hang on prompt, seed and temperature. Reply to "loop": it never ends. To "boom": llama.cpp fails.
"""

from __future__ import annotations

import random
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = ["Paris", " is", " a", " snail", " by", " the", " sea", ",", " or", " not", " ♥"]
CONTEXT = 2048


class Server:
    """``requests`` are those of all servers, ``loaded`` the paths of their models, in order."""

    requests: list[dict[str, Any]] = []  # noqa: RUF012
    loaded: list[str] = []  # noqa: RUF012
    pause = 0.0  # seconds between two tokens
    busy = threading.Lock()

    def __init__(self, params: Any) -> None:
        assert (params.n_parallel, params.cache_prompt, params.n_ctx) == (1, False, CONTEXT)
        if Path(params.model.path).read_bytes() == b"damaged":
            raise RuntimeError("Failed to init server, please check the input params.")
        type(self).loaded.append(params.model.path)

    def handle_chat_completions(self, request: dict[str, Any], callback: Callable[[dict[str, Any]], bool]) -> None:
        assert self.busy.acquire(blocking=False), "two requests at once"
        try:
            type(self).requests.append(request)
            self._answer(request, callback)
        finally:
            self.busy.release()

    def _answer(self, request: dict[str, Any], callback: Callable[[dict[str, Any]], bool]) -> None:
        text = " ".join(message["content"] for message in request["messages"])
        sent = len(text.split()) + 8
        if "boom" in text:
            raise RuntimeError("grammar error")
        if sent >= CONTEXT:
            error = {"code": 400, "message": "request exceeds", "type": "exceed_context_size_error",
                     "n_prompt_tokens": sent, "n_ctx": CONTEXT}  # fmt: skip
            callback({"error": error})
            return
        seed = 0 if request["temperature"] == 0 else request["seed"]
        rng = random.Random(f"{text} {seed}")
        length = 10**6 if "loop" in text else rng.randrange(4, 12)
        written, reason = 0, "length"
        callback(_chunk({"role": "assistant", "content": None}))
        while written < request["max_tokens"]:
            if written == length:
                reason = "stop"
                break
            word = rng.choice(WORDS)
            written += 1
            logprobs = {"content": [_logprob(word, 20)]} if request.get("logprobs") else None
            time.sleep(self.pause)
            if callback(_chunk({"content": word}, logprobs)):
                return
        callback(_chunk({}, None, reason))
        used = written + (reason == "stop")  # the end is a token, too
        callback({"choices": [], "usage": {"prompt_tokens": sent, "completion_tokens": used}})


def _chunk(delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **({"logprobs": logprobs} if logprobs else {})}
    return {"id": "chatcmpl-llama", "object": "chat.completion.chunk", "model": "/tmp/m.gguf", "choices": [choice]}


def _logprob(word: str, more: int) -> dict[str, Any]:
    """llama.cpp gives 20 alternatives, and numbers that no JSON of the API has."""
    said = {"id": 7, "token": word, "bytes": list(word.encode()), "logprob": -0.5}
    return {**said, "top_logprobs": [{**said, "logprob": -0.5 if i == 0 else -3e38} for i in range(more)]}


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, *, weights: bytes = b"weights") -> Path:
    """Put the stand-in in the place of xllamacpp; the file of a model for it."""
    stand_in = types.ModuleType("xllamacpp")
    server = type("Server", (Server,), {"requests": [], "loaded": [], "pause": 0.0, "busy": threading.Lock()})
    params = lambda: types.SimpleNamespace(model=types.SimpleNamespace())  # noqa: E731
    stand_in.__dict__.update(Server=server, CommonParams=params)
    monkeypatch.setitem(sys.modules, "xllamacpp", stand_in)
    monkeypatch.setattr("coursekit.local_model.llama.util.find_spec", lambda name: name == "xllamacpp")
    path = folder / "Tiny-1M.gguf"
    path.write_bytes(weights)
    return path


def server() -> type[Server]:
    """The class that is installed."""
    return sys.modules["xllamacpp"].Server  # type: ignore[no-any-return]
