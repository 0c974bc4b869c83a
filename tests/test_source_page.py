"""The requests in a well-known tutorial are answered offline as printed, and its functions work."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import (
    AsyncConversation,
    Conversation,
    batch_completions,
    chat_session,
    connect,
    connect_async,
    robust_completion,
    run_batch,
    stream_response,
    stream_text,
)
from coursekit.course import lessons, recording_folders, replies_of
from coursekit.offline import Fault, verdict_on
from coursekit.offline.recorded.written import Written
from coursekit.offline.recordings import Recordings, name_of, read
from support.served import Served, served
from support.source_page import (
    ADVISOR,
    DESCENT,
    OPENINGS,
    SNIPPETS,
    TOPICS,
    user,
)

WAYS = ["in process", "served"]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """The server that ``coursekit serve`` runs, with the course's own recordings."""
    with served(*recording_folders()) as running:
        yield running


@pytest.fixture
def client(request: pytest.FixtureRequest, server: Served) -> openai.OpenAI:
    return (
        connect("replay", speed="instant")
        if request.param == "in process"
        else server.client()
    )


def text_of(answer: Any) -> str:
    """The text of a complete answer, or of an iterated stream."""
    if hasattr(answer, "choices"):
        return answer.choices[0].message.content or ""
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer)


@pytest.mark.parametrize("client", WAYS, indirect=True)
@pytest.mark.parametrize("name", SNIPPETS)
def test_each_request_is_answered(client: openai.OpenAI, name: str) -> None:
    """Each request on the page is answered as printed for the synchronous client, in process and on
    a server.
    """
    body, part = SNIPPETS[name]
    assert part in text_of(client.chat.completions.create(**body))


@pytest.mark.parametrize("way", WAYS)
async def test_each_request_is_answered_async(server: Served, way: str) -> None:
    """Each request is also answered for the asynchronous client, and twenty of them are sent five
    at a time.
    """
    client = (
        connect_async("replay", speed="instant")
        if way == "in process"
        else server.async_client()
    )
    slots = asyncio.Semaphore(5)

    async def text(body: dict[str, Any]) -> str:
        async with slots:
            answer = await client.chat.completions.create(**body)
            if not body.get("stream"):
                return text_of(answer)
            return "".join(
                [chunk.choices[0].delta.content or "" async for chunk in answer]
            )

    async with client:
        texts = await asyncio.gather(
            *(text(body) for body, _ in SNIPPETS.values())
        )
    assert all(
        part in said
        for said, (_, part) in zip(texts, SNIPPETS.values(), strict=True)
    )


@pytest.mark.parametrize("client", WAYS, indirect=True)
def test_the_streaming_helper(client: openai.OpenAI) -> None:
    """``.stream()`` yields the text in its events. ``text_stream`` does not exist in any version of
    the SDK.
    """
    asked: dict[str, Any] = {
        "model": "gpt-4o",
        "messages": user(DESCENT),
        "max_tokens": 500,
    }
    with client.chat.completions.stream(**asked) as stream:
        with pytest.raises(AttributeError, match="text_stream"):
            stream.text_stream  # noqa: B018
        said = "".join(
            event.delta for event in stream if event.type == "content.delta"
        )
        assert (
            said == stream.get_final_completion().choices[0].message.content
            and "gradient" in said
        )


@pytest.mark.parametrize("client", WAYS, indirect=True)
def test_the_usage_that_the_page_prints(client: openai.OpenAI) -> None:
    """The question about the capital takes 24 tokens in and 7 out, and the snail's reasoning tokens
    are counted.
    """
    usage = client.chat.completions.create(**SNIPPETS["anatomy"][0]).usage
    assert usage and (usage.prompt_tokens, usage.completion_tokens) == (24, 7)
    details = client.chat.completions.create(**SNIPPETS["snail"][0]).usage
    assert details and details.completion_tokens_details
    assert (details.completion_tokens_details.reasoning_tokens or 0) > 0


@pytest.mark.parametrize("client", WAYS, indirect=True)
@pytest.mark.parametrize("typed", OPENINGS, ids=lambda typed: typed[0])
def test_a_chat_session(client: openai.OpenAI, typed: tuple[str, ...]) -> None:
    """A session with the page's instructions has answers to likely openings and to the messages
    that follow.
    """
    lines, said = iter([*typed, "quit"]), []
    chat_session(
        client, ADVISOR, read=lambda prompt: next(lines), write=said.append
    )
    assert len(said) == len(typed) and all(
        line.startswith("Assistant: ") for line in said
    )


@pytest.mark.parametrize("client", WAYS, indirect=True)
def test_the_functions_of_the_page(client: openai.OpenAI) -> None:
    """robust_completion and stream_response accept the page's arguments after the client."""
    prompt = "What is the capital of France?"
    assert "Paris" in robust_completion(
        client, prompt, max_retries=3, model="gpt-4o", max_tokens=500
    )
    with redirect_stdout(io.StringIO()) as printed:
        text = stream_response(client, DESCENT, max_tokens=500)
    assert printed.getvalue() == text + "\n" and "gradient" in text


@pytest.mark.parametrize(
    "limit", [{}, {"max_tokens": 200}, {"max_completion_tokens": 200}]
)
async def test_the_batch_of_the_page(limit: dict[str, int]) -> None:
    """batch_completions(client, prompts) returns twenty texts, whatever the 200-token limit is
    called.
    """
    texts = await batch_completions(
        connect_async("replay", speed="instant"), TOPICS, **limit
    )
    assert len(texts) == 20 and all(
        f"#{number}" in text for number, text in enumerate(texts)
    )


def test_max_retries_counts_attempts() -> None:
    """max_retries=3 in robust_completion means three requests, as in the page's loop, not one plus
    three as in the SDK.
    """
    limited = connect(
        "replay", speed="instant", faults=[Fault("rate_limit", times=9)]
    )
    with pytest.raises(openai.RateLimitError):
        robust_completion(limited, "Hello!", max_retries=3, max_tokens=500)
    assert verdict_on(limited).attempts == 3


def test_two_names_for_the_attempts_are_refused() -> None:
    """max_attempts and max_retries are the same setting. Giving both is an error before
    anything is sent.
    """
    client = connect("replay", speed="instant")
    with pytest.raises(ValueError, match="give max_attempts only"):
        robust_completion(client, "Hello!", max_attempts=2, max_retries=2)
    assert verdict_on(client).attempts == 0


CALLS: dict[str, Any] = {
    "robust_completion": lambda client, wrong: robust_completion(
        client, "Hello!", **wrong
    ),
    "stream_text": lambda client, wrong: stream_text(
        client, model="gpt-4o", messages=user("Hello!"), **wrong
    ),
    "chat_session": lambda client, wrong: chat_session(
        client, ADVISOR, **wrong
    ),
    "Conversation": lambda client, wrong: Conversation(
        client, ADVISOR, **wrong
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("wrong", "cure"),
    [("temprature", "Did you mean temperature"), ("xyzzy", "extra_body")],
    ids=["near", "far"],
)
def test_a_wrong_keyword(name: str, wrong: str, cure: str) -> None:
    """A keyword that neither the function nor create() accepts is named, with what to do, and
    nothing is sent.
    """
    client = connect("replay", speed="instant")
    with pytest.raises(TypeError) as refused:
        CALLS[name](client, {wrong: 1})
    said = str(refused.value)
    assert said.startswith(
        f"{wrong!r} is not an argument of {name}() or of client.chat.completions.create(). "
    )
    assert cure in said and verdict_on(client).attempts == 0


async def test_a_wrong_keyword_async() -> None:
    """The same applies to the asynchronous functions."""
    client = connect_async("replay", speed="instant")
    with pytest.raises(TypeError, match="Did you mean max_concurrency"):
        await batch_completions(client, TOPICS, max_concurency=3)
    with pytest.raises(TypeError, match="Did you mean temperature"):
        AsyncConversation(client, ADVISOR, temprature=1)
    with pytest.raises(ValueError, match="Did you mean temperature"):
        await run_batch(client, TOPICS, model="gpt-4o-mini", temprature=1)
    assert verdict_on(client).attempts == 0


@pytest.mark.parametrize(
    "stem",
    [lesson.stem for lesson in lessons() if replies_of(lesson.stem).is_file()],
)
def test_each_dialogue_is_recorded(stem: str) -> None:
    """Replay finds what an author makes the model say in a dialogue, with the provenance
    "written".
    """
    recordings = Recordings(recording_folders())
    client = connect("replay", speed="instant")
    for request in Written(replies_of(stem), recordings).requests:
        found = recordings.answer(name_of(request))
        assert found is not None and read(Path(found[1]))[1].kind == "written"
        assert text_of(client.chat.completions.create(**request.body))
