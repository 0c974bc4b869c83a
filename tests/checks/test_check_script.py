"""A scripted API: the real SDK with made-up answers, which are counted, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from coursekit.checks.engine.answers import (
    api_error,
    chunk,
    connection_error,
    reply,
    usage,
    usage_chunk,
)
from coursekit.checks.engine.running import run
from coursekit.checks.engine.script import Script
from coursekit.offline.exchange import error_answer

HELLO: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello"}],
}
STREAM = [
    chunk("", role="assistant"),
    chunk("Hel"),
    chunk("lo"),
    chunk(finish_reason="stop"),
]


def test_answers_come_in_turn_and_the_last_for_ever() -> None:
    """Each request gets the next answer, and bodies are stored as they were sent."""
    script = Script(reply("one"), reply("two", usage=usage(3, 4, cached=1)))
    texts = [
        script.client.chat.completions.create(**HELLO)
        .choices[0]
        .message.content
        for _ in range(3)
    ]
    assert texts == ["one", "two", "two"]
    assert script.requests == [HELLO] * 3
    assert script.client.chat.completions.create(**HELLO).usage == usage(
        3, 4, cached=1
    )


def test_an_error_is_raised_as_the_sdk_raises_it() -> None:
    """An error answer becomes the SDK's exception, and api_error makes the same one without a
    request.
    """
    with pytest.raises(openai.RateLimitError) as raised:
        Script(
            error_answer(429, "No.", code="insufficient_quota")
        ).client.chat.completions.create(**HELLO)
    made = api_error(429, "No.", code="insufficient_quota")
    assert isinstance(made, openai.RateLimitError)
    assert made.code == raised.value.code == "insufficient_quota"
    assert type(api_error(400)) is openai.BadRequestError
    assert type(api_error(503)) is openai.InternalServerError
    assert isinstance(connection_error(timeout=True), openai.APITimeoutError)
    assert not isinstance(connection_error(), openai.APITimeoutError)


def test_a_stream_and_whether_it_was_closed() -> None:
    """Chunks arrive unchanged and on time. left_open counts streams that were neither read to the
    end nor closed.
    """
    script = Script([*STREAM, usage_chunk(usage(1, 2))], after=0.5, gap=0.25)
    with script.client.chat.completions.create(**HELLO, stream=True) as whole:
        got = list(whole)
    assert [
        piece.choices[0].delta.content for piece in got if piece.choices
    ] == [
        "",
        "Hel",
        "lo",
        None,
    ]
    assert got[-1].usage == usage(1, 2)
    assert script.clock.now() == 1.5
    left = script.client.chat.completions.create(**HELLO, stream=True)
    next(iter(left))
    assert script.left_open == 1
    left.close()
    assert script.left_open == 0


def test_a_cut_stream_ends_without_a_word() -> None:
    """With finish_reason None, a stream closes cleanly before its end."""
    script = Script(STREAM[:2])
    got = list(script.client.chat.completions.create(**HELLO, stream=True))
    assert [piece.choices[0].finish_reason for piece in got] == [None, None]


def test_chunks_of_every_kind() -> None:
    """A chunk has a delta for its choice; the usage chunk has no choices."""
    assert chunk("a", index=1).choices[0].index == 1
    assert chunk("a").choices[0].delta.content == "a"
    assert chunk(finish_reason="stop").choices[0].delta.content is None
    assert usage_chunk(usage(1, 1)).choices == []
    assert reply().choices == []
    assert [choice.message.content for choice in reply("a", "b").choices] == [
        "a",
        "b",
    ]
    bare = usage(1, 2, without=["prompt_tokens_details", "reasoning_tokens"])
    assert bare.prompt_tokens_details is None
    assert bare.completion_tokens_details.reasoning_tokens is None
    cut = reply("a", {"content": "b", "finish_reason": "length"}, {})
    assert [choice.finish_reason for choice in cut.choices] == [
        "stop",
        "length",
        "stop",
    ]
    assert cut.choices[2].message.content is None


def test_async_requests_are_counted_and_timed() -> None:
    """Seven requests of two seconds each, three at a time, take six seconds, and never are more
    than three in flight.
    """
    script = Script(lambda body: reply(body["messages"][0]["content"]), after=2)

    async def seven() -> tuple[list[str | None], float]:
        client, gate = script.async_client, asyncio.Semaphore(3)

        async def ask(number: int) -> str | None:
            async with gate:
                messages: Any = [{"role": "user", "content": str(number)}]
                answer = await client.chat.completions.create(
                    model="gpt-4o", messages=messages
                )
                return answer.choices[0].message.content

        return (
            list(await asyncio.gather(*map(ask, range(7)))),
            asyncio.get_running_loop().time(),
        )

    texts, seconds = run(seven, awaits=True).value
    assert texts == list("0123456")
    assert seconds == pytest.approx(6, abs=1e-4)
    assert len(script.requests) == 7
