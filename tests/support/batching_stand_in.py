"""Shared by the tests of batching: a client that gets its answers from a function, on the offline
API's virtual clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai

from coursekit import connect_async
from coursekit.offline.exchange import ApiAnswer, ApiRequest
from coursekit.wired import wired_to
from support.offline_api import folder_with, params, whole

LATENCY = 0.2


class Answers:
    """A layer that gets its answers from a function of (the prompt, how often it was sent
    before).
    """

    def __init__(self, answer: Callable[[str, int], ApiAnswer]) -> None:
        self.to, self.prompts = answer, []  # type: ignore[var-annotated]

    def answer(self, request: ApiRequest) -> ApiAnswer:
        prompt = json.loads(request.raw)["messages"][-1]["content"]
        self.prompts.append(prompt)
        return self.to(prompt, self.prompts.count(prompt) - 1)


def client_of(
    answer: Callable[[str, int], ApiAnswer],
) -> tuple[openai.AsyncOpenAI, Answers]:
    """A client in virtual time, and the layer that answers it."""
    client, answers = connect_async("replay", speed="instant"), Answers(answer)
    client._client._transport.api = answers  # type: ignore[attr-defined]
    return client, answers


def client_with(
    folder: Path,
    prompts: list[str],
    more: dict[str, Any] | None = None,
    **options: Any,
) -> openai.AsyncOpenAI:
    """A client in virtual time that has a recorded answer, "Answer to …", to each prompt after
    LATENCY seconds.
    """
    exchanges = [
        (
            params(prompt, **(more or {})),
            whole(f"Answer to {prompt}", LATENCY, f"req_{i}"),
        )
        for i, prompt in enumerate(prompts)
    ]
    return connect_async(
        "replay",
        recordings=folder_with(folder, *exchanges),
        speed="instant",
        **options,
    )


def statuses(client: openai.AsyncOpenAI) -> list[int]:
    """The statuses of all answers so far, in the order of the requests."""
    return [attempt.status for attempt in wired_to(client).ledger]


def times(client: openai.AsyncOpenAI) -> list[float]:
    """When the requests were sent, in seconds."""
    return [attempt.at for attempt in wired_to(client).ledger]
