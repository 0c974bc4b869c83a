"""Requests through the Batch API: what is submitted, what is collected, and what a batch costs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from coursekit import connect_async
from coursekit.batching import (
    BatchFailed,
    NotSent,
    as_requests,
    collect_batch,
    run_batch,
    submit_batch,
)
from coursekit.batching.batch_api import input_file
from coursekit.wired import wired_to
from support.offline_api import folder_with, params, whole
from support.served import served

PROMPTS = [
    "What is the capital of France?",
    "What is the capital of Italy?",
    "What is the capital of Spain?",
]
WRONG = {**params(PROMPTS[0]), "temperature": 7, "custom_id": "wrong"}


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    texts = zip(PROMPTS, ("Paris.", "Rome.", "Madrid."), strict=True)
    return folder_with(
        tmp_path / "recordings",
        *((params(prompt), whole(text)) for prompt, text in texts),
    )


@pytest.fixture
def client(recordings: Path) -> openai.AsyncOpenAI:
    return connect_async(
        "replay", recordings=recordings, speed="instant", max_retries=0
    )


async def test_the_results_are_those_of_run_batch_at_half_the_price(
    client: openai.AsyncOpenAI,
) -> None:
    """The same list gives the same texts in the same order with the same tokens, at half the
    cost.
    """
    at_once = await run_batch(client, PROMPTS, model="gpt-4o")
    later = await collect_batch(
        client, await submit_batch(client, PROMPTS, model="gpt-4o")
    )
    assert later.texts() == at_once.texts() == ["Paris.", "Rome.", "Madrid."]
    assert [result.custom_id for result in later] == [
        result.custom_id for result in at_once
    ]
    assert later.usage == at_once.usage and later.cost * 2 == at_once.cost > 0
    assert later[0].reply.usage.prompt_tokens == 14 and repr(
        later[0].receipt
    ).endswith("replay · batch")


async def test_waiting_passes_on_the_clients_clock(
    client: openai.AsyncOpenAI,
) -> None:
    """The batch is polled three times, after 0, 10, and 20 seconds, without waiting in real time.
    ``seconds`` is how long the batch took.
    """
    later = await collect_batch(
        client, await submit_batch(client, PROMPTS, model="gpt-4o"), every=10
    )
    clock: Any = wired_to(client).clock
    assert (clock.now(), later.seconds) == (20, 15)


async def test_a_refused_request_is_a_value(client: openai.AsyncOpenAI) -> None:
    """A refused request does not cost the other answers, and its result is the exception that a
    separate call would have raised.
    """
    later = await collect_batch(
        client,
        await submit_batch(
            client, [PROMPTS[0], WRONG, PROMPTS[1]], model="gpt-4o"
        ),
    )
    assert later.texts(missing=None) == ["Paris.", None, "Rome."]
    (failed,) = later.failed
    with pytest.raises(openai.BadRequestError) as single:
        await client.chat.completions.create(
            **{k: v for k, v in WRONG.items() if k != "custom_id"}
        )
    alike: Any = failed.error
    assert type(alike) is type(single.value) and str(alike) == str(single.value)
    assert (alike.param, alike.code, alike.status_code) == (
        "temperature",
        single.value.code,
        400,
    )
    assert alike.request_id and failed.custom_id == "wrong"


async def test_another_program_can_collect(recordings: Path) -> None:
    """The batch's ID is enough, because the order is read back from the uploaded file. (Tested over
    a socket with real clients.)
    """
    with served(recordings) as server:
        async with server.async_client("ada") as first:
            batch_id = await submit_batch(
                first, list(reversed(PROMPTS)), model="gpt-4o"
            )
        async with server.async_client("ada") as second:
            later = await collect_batch(second, batch_id)
    assert later.texts() == ["Madrid.", "Rome.", "Paris."]


async def test_what_a_cancelled_batch_answered_is_kept(
    client: openai.AsyncOpenAI,
) -> None:
    """A request that was not executed is NotSent, and the results say that they were stopped."""
    batch_id = await submit_batch(client, PROMPTS, model="gpt-4o")
    clock: Any = wired_to(client).clock
    clock.wait(8)
    await client.batches.cancel(batch_id)
    later = await collect_batch(client, batch_id)
    assert later.texts(missing="-") == ["Paris.", "-", "-"]
    assert (
        isinstance(later[1].error, NotSent)
        and later.stopped == "the batch is cancelled"
    )


ODD_LINES: dict[str, Any] = {
    "a service tier that is new": lambda line: line["response"]["body"].update(
        service_tier="ultra"
    ),
    "a fractional time": lambda line: line["response"]["body"].update(
        created=1795000000.5
    ),
    "no time": lambda line: line["response"]["body"].pop("created"),
    "a time that is a text": lambda line: line["response"]["body"].update(
        created="today"
    ),
    "no usage": lambda line: line["response"]["body"].pop("usage"),
    "an odd usage": lambda line: line["response"]["body"].update(
        usage={"prompt_tokens": -1}
    ),
    "a field that is new": lambda line: line["response"]["body"].update(
        mood="good"
    ),
}
LOST_LINES: dict[str, Any] = {
    "no body": lambda line: line["response"].update(body=None),
    "a body that is a text": lambda line: line["response"].update(
        body="<html>"
    ),
    "no choices": lambda line: line["response"]["body"].update(choices=[]),
    "no response": lambda line: line.update(response=None),
    "an error that is a text": lambda line: line.update(
        response=None, error="lost"
    ),
    "no status": lambda line: line["response"].pop("status_code"),
    "another name": lambda line: line.update(custom_id=17),
}


def altering(
    client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch, alter: Any
) -> None:
    """Change the first answered line of the batch's output file on its way to the caller."""
    original = client.files.content

    async def content(file_id: str) -> Any:
        answer = await original(file_id)
        first, *rest = answer.content.split(b"\n")
        line = json.loads(first)
        if "response" in line:
            altered = alter(line)
            first = (
                altered
                if isinstance(altered, bytes)
                else json.dumps(line).encode()
            )
        return SimpleNamespace(content=b"\n".join([first, *rest]))

    monkeypatch.setattr(client.files, "content", content)


@pytest.mark.parametrize("name", ODD_LINES)
async def test_an_odd_answer_is_an_answer(
    name: str, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer with a field that the SDK does not know, or knows in another form, counts, as it
    does in the SDK itself.
    """
    batch_id = await submit_batch(client, PROMPTS, model="gpt-4o")
    altering(client, monkeypatch, ODD_LINES[name])
    later = await collect_batch(client, batch_id)
    assert later.texts() == ["Paris.", "Rome.", "Madrid."] and later[1].cost > 0
    assert repr(later)


@pytest.mark.parametrize("name", [*LOST_LINES, "broken JSON", "a list"])
async def test_a_line_that_holds_no_answer_costs_only_its_own(
    name: str, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one line has broken JSON, no body, or another name, only that request gets an error; the
    others get their answers.
    """
    batch_id = await submit_batch(client, PROMPTS, model="gpt-4o")
    broken = {
        "broken JSON": lambda line: b'{"custom_id": "requ',
        "a list": lambda line: b"[1, 2]",
    }
    altering(client, monkeypatch, {**LOST_LINES, **broken}[name])
    later = await collect_batch(client, batch_id)
    assert (
        later.texts(missing="-") == ["-", "Rome.", "Madrid."]
        and later[0].error is not None
    )
    assert repr(later)


async def test_a_file_that_the_api_refuses_is_told(
    client: openai.AsyncOpenAI,
) -> None:
    """BatchFailed names the line, and nothing was answered."""
    content = b'{"custom_id": "a"}\n'
    file = await client.files.create(
        file=("odd.jsonl", content), purpose="batch"
    )
    batch = await client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
    )
    with pytest.raises(
        BatchFailed, match="line 1: Missing required parameter: 'method'"
    ):
        await collect_batch(client, batch.id)


def test_the_file_has_a_line_for_each_request() -> None:
    """A line has custom_id, method, url, and body, as the Batch API requires, and extra_body is
    part of the body.
    """
    requests = as_requests(
        [
            PROMPTS[0],
            {**params(PROMPTS[1]), "custom_id": "it", "extra_body": {"x": 1}},
        ],
        {"model": "gpt-4o"},
    )
    first, second = (
        json.loads(line) for line in input_file(requests).splitlines()
    )
    assert first == {
        "custom_id": "request-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": params(PROMPTS[0]),
    }
    assert (second["custom_id"], second["body"]) == (
        "it",
        {**params(PROMPTS[1]), "x": 1},
    )


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ([], "the list is empty"),
        (
            [params(), {**params(), "model": "gpt-4o-mini"}],
            "gpt-4o, gpt-4o-mini",
        ),
        ([{**params(), "timeout": 3}], "request-1 has timeout"),
        ([params()] * 50_001, "Split the list"),
    ],
)
async def test_what_does_not_go_into_a_batch_is_told_before_anything_is_sent(
    client: openai.AsyncOpenAI, items: Any, told: str
) -> None:
    """An empty list, two models, an argument for the client, and too many requests are refused."""
    with pytest.raises(ValueError, match=told):
        await submit_batch(client, items)
    assert [file async for file in client.files.list()] == []


def test_a_file_that_is_too_large_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is 200 MB (here, 200 bytes), and the message says to split the list."""
    monkeypatch.setattr("coursekit.batching.batch_api.MOST_BYTES", 200)
    with pytest.raises(ValueError, match="takes at most 200 bytes"):
        input_file(as_requests(PROMPTS, {"model": "gpt-4o"}))


async def test_a_time_that_is_none_is_refused(
    client: openai.AsyncOpenAI,
) -> None:
    """every=0 is refused, because it would poll endlessly."""
    with pytest.raises(ValueError, match="every=0"):
        await collect_batch(client, "batch_1", every=0)
