"""Made-up answers for cases: the SDK's own objects, as a learner's function gets them. No text here
is a model's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from ..wired import status_error
from .describe import MADE_UP_ID, MADE_UP_MODEL

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

CREATED = 1_795_348_800  # 2026-11-22


def usage(
    prompt: int,
    completion: int,
    *,
    cached: int = 0,
    reasoning: int = 0,
    details: bool = True,
) -> CompletionUsage:
    """``reply.usage``; details False: as servers send it that tell no details."""
    from openai.types import CompletionUsage

    body: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    if details:
        body["prompt_tokens_details"] = {"cached_tokens": cached}
        body["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return CompletionUsage.model_validate(body)


def reply(
    *contents: str | None,
    finish_reason: str = "stop",
    refusal: str | None = None,
    model: str = MADE_UP_MODEL,
    usage: CompletionUsage | None = None,
    tool_calls: list[dict[str, Any]] | None = None,
    id: str = MADE_UP_ID,
) -> ChatCompletion:
    """A whole reply with one choice for each content; without any, one that has no choices."""
    from openai.types.chat import ChatCompletion

    message: dict[str, Any] = {"role": "assistant", "refusal": refusal}
    if tool_calls is not None:
        message["tool_calls"] = tool_calls
    choices = [
        {
            "index": number,
            "finish_reason": finish_reason,
            "message": {**message, "content": content},
        }
        for number, content in enumerate(contents)
    ]
    body: dict[str, Any] = {
        "id": id,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": choices,
    }
    if usage is not None:
        body["usage"] = usage.model_dump()
    return ChatCompletion.model_validate(body)


def chunk(
    content: str | None = None,
    *,
    index: int = 0,
    role: str | None = None,
    finish_reason: str | None = None,
    refusal: str | None = None,
    model: str = MADE_UP_MODEL,
) -> ChatCompletionChunk:
    """A piece of a stream. Without content, role or reason it has an empty delta, as the last one
    of a choice has.
    """
    told = {"role": role, "content": content, "refusal": refusal}
    delta = {name: value for name, value in told.items() if value is not None}
    return _chunk(
        [{"index": index, "delta": delta, "finish_reason": finish_reason}], None, model
    )


def usage_chunk(
    usage: CompletionUsage, model: str = MADE_UP_MODEL
) -> ChatCompletionChunk:
    """The last piece of a stream with ``include_usage``: usage, and no choices."""
    return _chunk([], usage.model_dump(), model)


def stream(
    texts: Iterable[str],
    *,
    finish_reason: str | None = "stop",
    usage: CompletionUsage | None = None,
    model: str = MADE_UP_MODEL,
) -> list[ChatCompletionChunk]:
    """All pieces of a stream: the role, a delta for each text, the end (finish_reason None: cut
    there), the usage.
    """
    pieces = [
        chunk("", role="assistant", model=model),
        *(chunk(text, model=model) for text in texts),
    ]
    if finish_reason is not None:
        pieces.append(chunk(finish_reason=finish_reason, model=model))
    return [*pieces, *([] if usage is None else [usage_chunk(usage, model)])]


def _chunk(
    choices: list[dict[str, Any]], usage: dict[str, Any] | None, model: str
) -> ChatCompletionChunk:
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk.model_validate(
        {
            "id": MADE_UP_ID,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "choices": choices,
            "usage": usage,
        }
    )


def api_error(
    status: int,
    message: str = "An error.",
    *,
    code: str | None = None,
    type: str = "error",
) -> Exception:
    """The exception that the SDK raises for this status: RateLimitError for 429, and so on."""
    import httpx2

    body = {"message": message, "type": type, "param": None, "code": code}
    request = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")
    answer = httpx2.Response(
        status,
        json={"error": body},
        headers={"x-request-id": "req_check"},
        request=request,
    )
    return status_error(_client(), answer)


def connection_error(*, timeout: bool = False) -> Exception:
    """The exception that the SDK raises where no answer came."""
    import httpx2
    import openai

    request = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")
    return (
        openai.APITimeoutError(request)
        if timeout
        else openai.APIConnectionError(request=request)
    )


@cache  # making one takes a tenth of a second; nothing is sent with it
def _client() -> OpenAI:
    import openai

    return openai.OpenAI(api_key="none")
