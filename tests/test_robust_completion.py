"""robust_completion(): a complete text or an error that says why there is none, and how many HTTP
requests it takes.
"""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from coursekit import (
    RecordingNotFound,
    UnusableReply,
    connect,
    connect_async,
    robust_completion,
)
from coursekit.offline import Fault, verdict_on
from coursekit.offline.exchange import json_answer
from coursekit.retrying import Attempt, whole_text
from support.offline_api import completion, folder_with, params, whole

PROMPT = "What is the capital of France?"


def client_with(
    folder: Path, *faults: Fault, body: Any = None, **options: Any
) -> openai.OpenAI:
    """A client with one answer, behind faults."""
    answer = (
        whole("Paris.")
        if body is None
        else json_answer(200, body, source="written")
    )
    folder_with(folder, (params(PROMPT), answer))
    return connect(
        "replay", recordings=folder, faults=faults, speed="instant", **options
    )


def attempts_of(client: openai.OpenAI) -> int:
    return verdict_on(client).attempts


def tutorial(client: openai.OpenAI, max_retries: int = 3) -> str | None:
    """The function of many tutorials, rewritten: its own loop around a client that retries by
    itself.
    """
    for attempt in range(max_retries):
        try:
            return (
                client.chat.completions.create(**params(PROMPT), timeout=30.0)
                .choices[0]
                .message.content
            )
        except openai.RateLimitError:
            if attempt == max_retries - 1:
                raise
            time.sleep(0)
        except openai.APITimeoutError:
            if attempt == max_retries - 1:
                raise
        except openai.APIConnectionError as error:
            raise RuntimeError("Cannot reach OpenAI API") from error
    raise RuntimeError("Max retries exceeded")


@pytest.mark.parametrize(
    ("kind", "theirs", "ours"),
    [("rate_limit", 9, 4), ("quota", 9, 1), ("timeout", 9, 2)],
)
def test_how_many_http_calls(
    tmp_path: Path, kind: str, theirs: int, ours: int
) -> None:
    """While a failure lasts, the usual loop with three attempts sends nine requests; ours sends
    only those that make sense.
    """
    nested = client_with(tmp_path, Fault(kind, times=math.inf))
    with pytest.raises(openai.OpenAIError):
        tutorial(nested)
    assert attempts_of(nested) == theirs
    single = client_with(tmp_path, Fault(kind, times=math.inf))
    with pytest.raises(openai.OpenAIError):
        robust_completion(single, PROMPT)
    assert attempts_of(single) == ours
    assert verdict_on(single).wasted == 0


@pytest.mark.parametrize(
    "kind",
    [
        "rate_limit",
        "server_error",
        "overloaded",
        "connection",
        "malformed",
        "cut_stream",
    ],
)
def test_it_gets_over_what_passes(tmp_path: Path, kind: str) -> None:
    """After two temporary failures, the text is returned."""
    attempts: list[Attempt] = []
    client = client_with(tmp_path, Fault(kind, times=2))
    assert (
        robust_completion(
            client, PROMPT, rng=random.Random(6), on_attempt=attempts.append
        )
        == "Paris."
    )
    assert len(attempts) == attempts_of(client) == 3
    assert verdict_on(client).too_early == 0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ({"temperature": 3}, openai.BadRequestError),
        ({"model": "gpt-nonsense"}, openai.NotFoundError),
    ],
)
def test_a_wrong_request_is_sent_once(
    tmp_path: Path, call: dict[str, Any], error: type[Exception]
) -> None:
    """An invalid request is sent once, and raises the SDK's own error."""
    client = client_with(tmp_path)
    with pytest.raises(error):
        robust_completion(client, PROMPT, **call)
    assert attempts_of(client) == 1


def test_the_deadline_shortens_the_timeouts(tmp_path: Path) -> None:
    """With a silent server, the call ends at the deadline, to the second, not 30 s later."""
    client = client_with(tmp_path, Fault("timeout", times=math.inf))
    attempts: list[Attempt] = []
    with pytest.raises(openai.APITimeoutError):
        robust_completion(
            client,
            PROMPT,
            deadline=20,
            timeout=15,
            rng=random.Random(1),
            on_attempt=attempts.append,
        )
    assert attempts[0].seconds == pytest.approx(15)
    assert attempts[-1].started + attempts[-1].seconds == pytest.approx(
        20, abs=0.01
    )


@pytest.mark.parametrize(
    ("change", "finish_reason", "told"),
    [
        ({"content": "Par"}, "length", "cut off after 3 characters"),
        ({"content": ""}, "length", "hidden reasoning used up the tokens"),
        (
            {"content": None, "refusal": "I can't help with that."},
            "stop",
            "declined: I can't help with that.",
        ),
        ({"content": "Pa"}, "content_filter", "content filter"),
        ({"content": None}, "stop", "no text"),
        (
            {"content": "", "tool_calls": []},
            "tool_calls",
            "no text (finish_reason 'tool_calls')",
        ),
    ],
)
def test_no_part_is_passed_off_as_the_whole(
    tmp_path: Path, change: dict[str, Any], finish_reason: str, told: str
) -> None:
    """An answer that was cut off, refused, filtered, or left empty raises an error that contains
    it, and is not requested again.
    """
    body = completion(finish_reason=finish_reason)
    body["choices"][0]["message"] |= change
    client = client_with(tmp_path, body=body)
    with pytest.raises(UnusableReply, match=".*") as caught:
        robust_completion(client, PROMPT)
    assert told in str(caught.value)
    assert caught.value.text == (change["content"] or "")
    assert caught.value.finish_reason == finish_reason
    assert caught.value.reply.usage.total_tokens == 16
    assert attempts_of(client) == 1


def test_an_answer_without_choices() -> None:
    """An HTML page (which the SDK returns as a str) and an answer without choices are not text."""
    for reply in (
        "<html>",
        SimpleNamespace(choices=None),
        SimpleNamespace(choices=[]),
    ):
        with pytest.raises(UnusableReply, match="base_url"):
            whole_text(reply)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"stream": True}, "stream"),
        ({"n": 2}, "n=2"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"deadline": -1}, "deadl"),
    ],
)
def test_bad_arguments_cost_nothing(
    tmp_path: Path, call: dict[str, Any], told: str
) -> None:
    """Invalid arguments are refused before anything is sent."""
    client = client_with(tmp_path)
    with pytest.raises(ValueError, match=told):
        robust_completion(client, PROMPT, **call)
    assert attempts_of(client) == 0


def test_messages_instead_of_a_prompt(tmp_path: Path) -> None:
    """A list of messages is refused with the name of the right function, and nothing is sent."""
    client = client_with(tmp_path)
    with pytest.raises(TypeError, match=r"got a list.*retry\(\)"):
        robust_completion(client, [PROMPT])  # type: ignore[arg-type]
    assert attempts_of(client) == 0


def test_an_async_client() -> None:
    """An async client is refused with the name of the right function."""
    with pytest.raises(TypeError, match="retry_async"):
        robust_completion(connect_async("replay"), PROMPT)


def test_an_argument_that_create_does_not_take(tmp_path: Path) -> None:
    """An unknown keyword is named together with the one that was meant, and nothing is sent."""
    client = client_with(tmp_path)
    with pytest.raises(TypeError, match="Did you mean max_attempts"):
        robust_completion(client, PROMPT, max_attempt=3)  # type: ignore[arg-type,unused-ignore]
    assert attempts_of(client) == 0


def test_what_is_not_recorded(tmp_path: Path) -> None:
    """In replay mode, an unknown prompt raises an error that says so after one attempt."""
    attempts: list[Attempt] = []
    with pytest.raises(RecordingNotFound):
        robust_completion(
            client_with(tmp_path),
            "What is the capital of Spain?",
            on_attempt=attempts.append,
        )
    assert len(attempts) == 1


def test_the_clients_own_retries_stay_as_they_were(tmp_path: Path) -> None:
    """The SDK's retries are turned off inside the function, and only there."""
    client = client_with(tmp_path)
    robust_completion(client, PROMPT)
    assert client.max_retries == 2
