"""COURSEKIT_TRACE=1: a line on stderr for each request, with the layer that answered it.

    POST /v1/chat/completions gpt-4o -> Replay: 200 written after 0.81 s
    POST /v1/chat/completions gpt-4o -> Validation: 400 unknown_parameter after 0.00 s
    POST /v1/chat/completions gpt-4o -> Missing: RecordingNotFound

Each layer is wrapped; the last one that a request has reached is the one that answered it.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar

from .exchange import ApiAnswer, ApiRequest, Layer

SETTING = "COURSEKIT_TRACE"
_reached: ContextVar[str] = ContextVar("reached", default="")


class _Step:
    """Records that a request has reached ``layer``."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def answer(self, request: ApiRequest) -> ApiAnswer:
        _reached.set(type(self.layer).__name__)
        return self.layer.answer(request)


class _Trace:
    """Prints a line for each request."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def answer(self, request: ApiRequest) -> ApiAnswer:
        try:
            answer = self.layer.answer(request)
        except Exception as error:
            _print(request, type(error).__name__)
            raise
        outcome = answer.kind or answer.source
        _print(request, f"{answer.status} {outcome} after {answer.after:.2f} s")
        return answer


def step(layer: Layer) -> Layer:
    """The layer, named in the trace if tracing is on."""
    return _Step(layer) if _is_on() else layer


def trace(outermost: Layer) -> Layer:
    """All layers together, with a line for each request if tracing is on."""
    return _Trace(outermost) if _is_on() else outermost


def _is_on() -> bool:
    return os.environ.get(SETTING) == "1"


def _print(request: ApiRequest, outcome: str) -> None:
    what = f"{request.method} {request.path}"
    if isinstance(request.body, dict) and request.body.get("model"):
        what += f" {request.body['model']}"
    print(f"{what} -> {_reached.get()}: {outcome}", file=sys.stderr)
