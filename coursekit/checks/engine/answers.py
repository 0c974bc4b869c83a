"""Made-up answers for cases: the SDK's own objects, as a learner's function gets them. No text is
from a model.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from .describe import MADE_UP_ID, MADE_UP_MODEL

if TYPE_CHECKING:
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

# 2026-11-22
HEAD = {
    "id": MADE_UP_ID,
    "created": 1_795_348_800,
    "model": MADE_UP_MODEL,
}
URL = "https://api.openai.com/v1/chat/completions"


def message(role: str, content: str | None) -> dict[str, Any]:
    """Return one message in a request."""
    return {"role": role, "content": content}


def usage(
    prompt: int,
    completion: int,
    *,
    cached: int = 0,
    reasoning: int = 0,
    without: Iterable[str] = (),
) -> CompletionUsage:
    """Return a usage, as in ``reply.usage``.

    without  names of fields in the usage or its details that are None, because some servers do not
             send them
    """
    from openai.types import CompletionUsage

    prompt_details = {"cached_tokens": cached}
    completion_details = {"reasoning_tokens": reasoning}
    body = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }
    for name in without:
        for fields in (body, prompt_details, completion_details):
            fields.pop(name, None)
    return CompletionUsage.model_validate(body)


def reply(
    *choices: str | Mapping[str, Any] | None,
    finish_reason: str = "stop",
    refusal: str | None = None,
    usage: CompletionUsage | None = None,
) -> ChatCompletion:
    """Return a reply with these choices; there may be none.

    choices  for each choice, its content, or a table with its content, refusal, and finish_reason
    finish_reason, refusal  for the choices without their own
    """
    from openai.types.chat import ChatCompletion

    made = []
    for number, choice in enumerate(choices):
        own = choice if isinstance(choice, Mapping) else {"content": choice}
        message = {
            "role": "assistant",
            "content": own.get("content"),
            "refusal": own.get("refusal", refusal),
        }
        made.append(
            {
                "index": number,
                "finish_reason": own.get("finish_reason", finish_reason),
                "message": message,
            }
        )
    body = {**HEAD, "object": "chat.completion", "choices": made}
    if usage is not None:
        body["usage"] = usage.model_dump()
    return ChatCompletion.model_validate(body)


def chunk(
    content: str | None = None,
    *,
    index: int = 0,
    role: str | None = None,
    finish_reason: str | None = None,
) -> ChatCompletionChunk:
    """Return a chunk of a stream. If only an index is given, the delta is empty, as in a choice's
    last chunk.
    """
    delta = {
        name: value
        for name, value in (("role", role), ("content", content))
        if value is not None
    }
    return _chunk(
        [{"index": index, "delta": delta, "finish_reason": finish_reason}], None
    )


def usage_chunk(usage: CompletionUsage) -> ChatCompletionChunk:
    """Return the last chunk of a stream with ``include_usage``: it has usage, but no choices."""
    return _chunk([], usage.model_dump())


def streamed(reply: ChatCompletion) -> list[ChatCompletionChunk]:
    """Return a complete reply as a stream: each choice's text, and then its end."""
    pieces = []
    for choice in reply.choices:
        pieces += [
            chunk(choice.message.content, index=choice.index, role="assistant"),
            chunk(index=choice.index, finish_reason=choice.finish_reason),
        ]
    return pieces


def _chunk(
    choices: list[dict[str, Any]], usage: dict[str, Any] | None
) -> ChatCompletionChunk:
    from openai.types.chat import ChatCompletionChunk

    body = {
        **HEAD,
        "object": "chat.completion.chunk",
        "choices": choices,
        "usage": usage,
    }
    return ChatCompletionChunk.model_validate(body)


def api_error(
    status: int,
    message: str = "An error.",
    *,
    code: str | None = None,
    kind: str = "error",
    headers: dict[str, str] | None = None,
) -> Exception:
    """Return the exception that the SDK raises for this status: RateLimitError for 429, and so
    on.
    """
    import httpx2
    import openai

    classes: dict[int, type[openai.APIStatusError]] = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        409: openai.ConflictError,
        422: openai.UnprocessableEntityError,
        429: openai.RateLimitError,
    }
    other = (
        openai.InternalServerError if status >= 500 else openai.APIStatusError
    )
    error = {"message": message, "type": kind, "param": None, "code": code}
    sent = {"x-request-id": "req_check", **(headers or {})}
    answer = httpx2.Response(
        status,
        json={"error": error},
        headers=sent,
        request=httpx2.Request("POST", URL),
    )
    text = f"Error code: {status} - {{'error': {error}}}"
    return classes.get(status, other)(text, response=answer, body=error)


def stream_error(code: str | None = None) -> Exception:
    """Return an error in a stream that began with 200: an APIError without a status."""
    import httpx2
    import openai

    body = {"message": "The server had an error.", "code": code}
    return openai.APIError(
        "The server had an error.", httpx2.Request("POST", URL), body=body
    )


def connection_error(*, timeout: bool = False) -> Exception:
    """Return the exception that the SDK raises if there was no answer."""
    import httpx2
    import openai

    request = httpx2.Request("POST", URL)
    return (
        openai.APITimeoutError(request)
        if timeout
        else openai.APIConnectionError(request=request)
    )


def cut_reply() -> Exception:
    """Return what ``.parse()`` raises for a reply that was cut off."""
    import openai

    return openai.LengthFinishReasonError(
        completion=reply("{", finish_reason="length")
    )


def wait(seconds: int) -> Exception:
    """Return a 429 with a Retry-After."""
    headers = {"retry-after": f"{seconds}"}
    return api_error(
        429, "Slow down.", code="rate_limit_exceeded", headers=headers
    )


ERRORS: dict[str, Callable[[], Exception]] = {
    "connection": connection_error,
    "timeout": partial(connection_error, timeout=True),
    "stream": stream_error,
    "json": partial(json.JSONDecodeError, "Expecting value", "<html>", 0),
    "cut": cut_reply,
    "quota": partial(api_error, 429, code="insufficient_quota"),
    "wait 7": partial(wait, 7),
    "wait 90": partial(wait, 90),
}


def error_named(word: str) -> Any:
    """Return a new error for a name in a row: one of ERRORS, the API's answer with this status, or
    an exception of this class. None for any other word.
    """
    if word in ERRORS:
        return ERRORS[word]()
    if word.isdigit():
        return api_error(int(word))
    kind = error_kind(word)
    return None if kind is None else kind("a bug")


def error_kind(name: str) -> Any:
    """Return the exception class with this name, Python's or the SDK's. None: there is none."""
    import openai

    return getattr(builtins, name, None) or getattr(openai, name, None)
