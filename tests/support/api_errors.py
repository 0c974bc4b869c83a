"""SDK errors, made from answers as they arrive over the wire."""

from __future__ import annotations

from functools import cache
from typing import Any

import httpx2
import openai

ASKED = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")


def status_error(
    status: int,
    code: str | None = None,
    *,
    type: str = "",
    message: str = "No.",
    **headers: str,
) -> openai.APIStatusError:
    """The exception that the SDK makes from an error answer; in header names, ``_`` stands for
    ``-``.
    """
    body = {
        "error": {
            "message": message,
            "type": type or None,
            "param": None,
            "code": code,
        }
    }
    told: Any = {
        name.replace("_", "-"): value
        for name, value in {"x_request_id": "req_1", **headers}.items()
    }
    answer = httpx2.Response(status, json=body, headers=told, request=ASKED)
    return _client()._make_status_error_from_response(answer)


def timed_out(cause: Exception | None = None) -> openai.APITimeoutError:
    error = openai.APITimeoutError(request=ASKED)
    error.__cause__ = cause or httpx2.ReadTimeout("late", request=ASKED)
    return error


def disconnected(cause: Exception) -> openai.APIConnectionError:
    error = openai.APIConnectionError(request=ASKED)
    error.__cause__ = cause
    return error


@cache  # making one takes longer than anything that a test does with it
def _client() -> openai.OpenAI:
    return openai.OpenAI(api_key="none")
