"""Shared by the tests of the offline API: requests, answers, and recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coursekit.offline.exchange import (
    CHAT_COMPLETIONS,
    DONE,
    ApiAnswer,
    ApiRequest,
    Event,
    error_answer,
    json_answer,
    sse,
)
from coursekit.offline.recordings import Provenance, Recordings

WRITTEN = Provenance("written", "2026-11-22", "the tests")


def params(
    prompt: str = "What is the capital of France?", **more: Any
) -> dict[str, Any]:
    """Keyword arguments of ``client.chat.completions.create``."""
    return {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": prompt}],
        **more,
    }


def request(body: dict[str, Any] | None = None) -> ApiRequest:
    return ApiRequest(
        "POST",
        CHAT_COMPLETIONS,
        json.dumps(params() if body is None else body).encode(),
    )


def completion(
    text: str = "Paris.", finish_reason: str = "stop"
) -> dict[str, Any]:
    """The body of a chat completion."""
    message = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": [],
    }
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 1_795_348_800,
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": 14,
            "completion_tokens": 2,
            "total_tokens": 16,
        },
    }


def whole(
    text: str = "Paris.", after: float = 0.0, request_id: str = "req_test"
) -> ApiAnswer:
    return json_answer(
        200,
        completion(text),
        headers={"x-request-id": request_id},
        after=after,
        source="written",
    )


def chunk(
    delta: dict[str, Any] | None,
    finish_reason: str | None = None,
    usage: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A chunk in a streamed completion. With ``delta`` None, it is the usage chunk, which has no
    choices.
    """
    choices = (
        []
        if delta is None
        else [
            {
                "index": 0,
                "delta": delta,
                "logprobs": None,
                "finish_reason": finish_reason,
            }
        ]
    )
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": 1_795_348_800,
        "model": "gpt-4o-2024-08-06",
        "choices": choices,
        "usage": usage,
    }


def streamed(
    texts: list[str],
    *,
    first: float = 0.3,
    gap: float = 0.1,
    finish_reason: str | None = "stop",
    done: bool = True,
    **more: Any,
) -> ApiAnswer:
    """A stream of ``texts``: the first one after ``first`` seconds, and then one every ``gap``
    seconds. With finish_reason None, the stream is cut off.
    """
    events = [Event(first, sse(chunk({"role": "assistant", "content": ""})))]
    events += [
        Event(first + gap * i, sse(chunk({"content": text})))
        for i, text in enumerate(texts)
    ]
    end = events[-1].at
    if finish_reason is not None:
        events.append(Event(end, sse(chunk({}, finish_reason))))
        events.append(Event(end, sse(chunk(None, usage=completion()["usage"]))))
        if done:
            events.append(Event(end, DONE))
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "x-request-id": "req_stream",
    }
    return ApiAnswer(
        200,
        headers,
        events=tuple(events),
        after=min(first, 0.2),
        source="written",
        **more,
    )


def folder_with(
    folder: Path, *exchanges: tuple[dict[str, Any], ApiAnswer]
) -> Path:
    """A folder of recordings. Exchanges with equal bodies become answers 1, 2, … to one request."""
    recordings, seen = Recordings([folder]), {}
    for body, answer in exchanges:
        key = json.dumps(body, sort_keys=True)
        recordings.store(request(body), answer, WRITTEN, seen.get(key, 0))
        seen[key] = seen.get(key, 0) + 1
    return folder


def error_answers(
    body: dict[str, Any], times: int
) -> list[tuple[dict[str, Any], ApiAnswer]]:
    """Exchanges in which the server fails ``times`` times."""
    return [
        (
            body,
            error_answer(500, "The server had an error.", type="server_error"),
        )
    ] * times


class Says:
    """A layer that gives its answers in turn (and then repeats the last one) and records the
    requests.
    """

    def __init__(self, *answers: ApiAnswer) -> None:
        self.answers, self.requests = list(answers), []  # type: ignore[var-annotated]

    def answer(self, request: ApiRequest) -> ApiAnswer:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
