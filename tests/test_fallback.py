"""connect(fallback=...): another OpenAI-compatible server answers requests without a recording."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit import (
    Meter,
    RecordingNotFound,
    connect,
    connect_async,
    run_batch,
    stream_text,
)
from coursekit.foundation.addresses import is_this_machine
from coursekit.offline import Fault, verdict_on
from coursekit.offline.fallback import (
    FallbackUnreachable,
    base_address,
    fallback_of,
    kinds,
)
from coursekit.offline.faults import WITHIN
from coursekit.offline.recordings import read
from coursekit.settings import ModeError
from coursekit.wired import wired_to
from support.offline_api import folder_with, params, whole
from support.upstream_stand_in import HANG, Upstream, free_address, upstream

NOWHERE = "/nowhere"


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


CLIENTS: list[openai.OpenAI] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().close()


def client(fallback: Any, **options: Any) -> openai.OpenAI:
    """A client, which is closed after the test."""
    CLIENTS.append(
        connect(
            "replay",
            fallback=fallback,
            **{"speed": "instant", "recordings": NOWHERE, **options},
        )
    )
    return CLIENTS[-1]


def ask(asked: openai.OpenAI, prompt: str = "Anything", **more: Any) -> Any:
    return asked.chat.completions.create(**params(prompt, **more))


def test_what_was_recorded_wins(server: Upstream, tmp_path: Path) -> None:
    """A recorded request is answered from its recording, and the server is not even asked for its
    models.
    """
    recorded = folder_with(tmp_path, (params(), whole("Paris.")))
    asked = client(server.url, recordings=recorded)
    assert (
        asked.chat.completions.create(**params()).choices[0].message.content
        == "Paris."
    )
    assert server.requests == [] and server.headers == []


def test_the_reply_and_its_receipt_say_who_answered(server: Upstream) -> None:
    """The reply has the server's own model, and the receipt shows the server and the model, but no
    price.
    """
    asked = client(server.url)
    reply = ask(asked)
    assert (reply.model, reply.choices[0].message.content) == (
        "llama3.2:1b",
        "Hello there",
    )
    receipt = Meter(asked).add(reply)
    assert (receipt.origin, receipt.cost) == (
        "replay · ollama llama3.2:1b",
        "no price",
    )
    assert verdict_on(asked).outcomes == {"200": 1}


def test_a_model_that_is_called_as_openais_has_no_price(
    server: Upstream,
) -> None:
    """Whatever name a server gives its model, nothing was paid, so no cost is counted."""
    server.models = ["gpt-4o"]
    asked = client(server.url)
    meter = Meter(asked)
    meter.add(ask(asked))
    assert meter.total == 0 and meter.ledger[0].price is None
    stream = stream_text(asked, **params("Anything"))
    assert "".join(stream) == "Hello there" and meter.add(stream).price is None


def test_a_stream_passes_as_it_is_written(server: Upstream) -> None:
    """The first chunk arrives before the server writes the second one."""
    server.go_on.clear()
    stream = ask(client(server.url), stream=True)
    assert next(iter(stream)).choices[0].delta.content == "Hello"
    server.go_on.set()
    assert [chunk.choices[0].delta.content for chunk in stream] == [
        " there",
        None,
    ]


def test_a_stream_that_is_left_is_not_written_any_further(
    server: Upstream,
) -> None:
    """Closing the stream closes the connection to the server."""
    server.words = ("Hello", *[" word" * 1000] * 2000)
    server.go_on.clear()
    asked = client(server.url)
    stream = ask(asked, stream=True)
    next(iter(stream))
    stream.close()
    server.go_on.set()
    assert server.left.wait(HANG)
    assert verdict_on(asked).outcomes == {"200, left": 1}


async def test_async_calls_streams_and_cancelled_tasks(
    server: Upstream,
) -> None:
    """Async calls and streams work. Cancelling one closes the connection to the server, and the
    next call is answered.
    """
    asked = connect_async(
        "replay", fallback=server.url, speed="instant", recordings=NOWHERE
    )
    replies = await asyncio.gather(
        *(
            asked.chat.completions.create(**params(f"Say {i}."))
            for i in range(5)
        )
    )
    assert {reply.choices[0].message.content for reply in replies} == {
        "Hello there"
    }
    server.words = ("Hello", *[" word" * 1000] * 2000)
    server.go_on.clear()
    begun = asyncio.Event()

    async def reads() -> None:
        async for _ in await asked.chat.completions.create(
            **params("Long", stream=True)
        ):
            begun.set()

    task = asyncio.create_task(reads())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.go_on.set()
    assert await asyncio.to_thread(server.left.wait, HANG)
    server.words = ("Still", " here")
    reply = await asked.chat.completions.create(**params("Again"))
    assert reply.choices[0].message.content == "Still here"
    await asked.close()


def test_a_server_that_dies_midway_is_the_sdks_own_error(
    server: Upstream,
) -> None:
    """A connection that breaks raises the same error as with the real API: APIConnectionError, or
    httpx2's own in a stream.
    """
    server.dies = True
    asked = client(server.url, max_retries=0)
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        list(ask(asked, stream=True))


@pytest.mark.parametrize("status", [400, 429, 503])
def test_the_servers_own_refusals_pass(server: Upstream, status: int) -> None:
    """The server's 4xx and 5xx become the SDK's typed errors, in the server's words."""
    server.status = status
    with pytest.raises(openai.APIStatusError, match="Not now") as raised:
        ask(client(server.url, max_retries=0))
    assert raised.value.status_code == status


def test_a_server_that_is_absent_is_told_once() -> None:
    """If the server is not running, one clear message, without a retry, says where it was expected,
    how to start it, and how to work without it.
    """
    asked = client(free_address(), max_retries=5)
    with pytest.raises(
        FallbackUnreachable, match="does not answer.*\nStart it"
    ) as raised:
        ask(asked)
    assert "connect(fallback=False)" in str(raised.value)
    with pytest.raises(FallbackUnreachable, match="ollama serve"):
        raise_at_port(11434)


def raise_at_port(port: int) -> None:
    from coursekit.offline.fallback import unreachable

    raise unreachable(
        f"http://127.0.0.1:{port}/v1", OSError("Connection refused")
    )


def test_the_settings_name_address_model_and_key(
    server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COURSEKIT_FALLBACK, _MODEL, and _KEY do what the arguments do. False and another address take
    precedence over them.
    """
    server.key = "secret"
    monkeypatch.setenv("COURSEKIT_FALLBACK", server.url)
    monkeypatch.setenv("COURSEKIT_FALLBACK_KEY", "secret")
    monkeypatch.setenv("COURSEKIT_FALLBACK_MODEL", "other")
    assert ask(client(None)).model == "other"
    assert server.headers[-1]["authorization"] == "Bearer secret"
    with pytest.raises(RecordingNotFound):
        ask(client(False))


def test_what_is_wrong_with_the_settings_is_told_before_anything_is_asked(
    server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a missing key, a model that the server does not have, and a server without models, the
    error says what to write into .env.
    """
    server.key = "secret"
    with pytest.raises(FallbackUnreachable, match="COURSEKIT_FALLBACK_KEY"):
        ask(client(server.url))
    server.key, server.models = None, ["one", "two"]
    monkeypatch.setenv("COURSEKIT_FALLBACK_MODEL", "three")
    with pytest.raises(
        FallbackUnreachable,
        match=r"has no model 'three'.*\n.*it has: one, two\.",
    ):
        ask(client(server.url))
    monkeypatch.delenv("COURSEKIT_FALLBACK_MODEL")
    server.models = None
    with pytest.raises(FallbackUnreachable, match="lists no models"):
        ask(client(server.url))
    assert server.requests == []


def test_no_key_of_openai_and_no_proxy_on_this_machine(
    server: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI's key and organization are not sent, and the environment's proxy is not used."""
    key = "-".join(("sk", "test", "1" * 30))
    for name, value in {
        "OPENAI_API_KEY": key,
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj_1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(client(server.url)).model == "llama3.2:1b"
    sent = json.dumps(server.headers)
    assert (
        key not in sent
        and "org-1" not in sent
        and "proj_1" not in sent
        and "authorization" not in sent.lower()
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in kinds() for name in kind.ignores],
)
def test_what_a_server_ignores_is_refused(
    kind: Any, name: str, server: Upstream
) -> None:
    """A parameter that the server would ignore gets a 400 that names it, and nothing is sent."""
    function = {"name": "f", "parameters": {"type": "object", "properties": {}}}
    values: dict[str, dict[str, Any]] = {
        "n": {"n": 2},
        "logit_bias": {"logit_bias": {"5": 1}},
        "logprobs": {"logprobs": True},
        "top_logprobs": {"logprobs": True, "top_logprobs": 2},
        "tool_choice": {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": "required",
        },
        "parallel_tool_calls": {
            "tools": [{"type": "function", "function": function}],
            "parallel_tool_calls": False,
        },
        "prediction": {"prediction": {"type": "content", "content": "Hello"}},
        "functions": {"functions": [function]},
        "function_call": {"functions": [function], "function_call": "auto"},
        "verbosity": {"verbosity": "low", "model": "gpt-5"},
    }
    server.owned_by = kind.owned_by
    with pytest.raises(openai.BadRequestError) as raised:
        ask(client(server.url), **values[name])
    assert raised.value.code == "unsupported_by_fallback"
    assert str(raised.value.param) in values[name] and kind.name in str(
        raised.value
    )
    assert server.requests == []


def test_values_that_ask_for_nothing_are_sent(server: Upstream) -> None:
    """n=1, logprobs=False, logit_bias={}, and similar values are not a reason to refuse."""
    ask(client(server.url), n=1, logprobs=False, logit_bias={})
    assert server.requests[0]["n"] == 1


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_a_request_is_translated_for_its_kind(
    kind: Any, server: Upstream
) -> None:
    """The server gets its own model, its own name for the token limit, and roles that it knows."""
    server.owned_by = kind.owned_by
    messages = [
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "Hi"},
    ]
    # type: ignore[call-overload]
    client(server.url).chat.completions.create(
        model="gpt-4o", messages=messages, max_completion_tokens=7
    )
    (sent,) = server.requests
    assert sent["model"] == "llama3.2:1b" and sent[kind.limit] == 7
    assert ("max_completion_tokens" in sent) == (
        kind.limit == "max_completion_tokens"
    )
    assert sent["messages"][0]["role"] == kind.roles.get(
        "developer", "developer"
    )
    assert kind.adds.items() <= sent.items()


@pytest.mark.parametrize(
    ("more", "usage", "source"),
    [
        ({}, True, ""),
        ({}, False, " (no usage)"),
        ({"logprobs": True}, True, " (no logprobs)"),
        ({"stream": True}, True, ""),
        (
            {"stream": True, "stream_options": {"include_usage": True}},
            True,
            " (no usage)",
        ),
    ],
)
def test_what_is_evidently_missing_stands_on_the_receipt(
    server: Upstream, more: dict[str, Any], usage: bool, source: str
) -> None:
    """If requested usage, logprobs, or choices did not arrive, they are named next to the
    server.
    """
    server.usage = usage
    asked = client(server.url)
    reply = ask(asked, **more)
    if more.get("stream"):
        list(reply)
    assert wired_to(asked).journal.last.source == f"ollama llama3.2:1b{source}"


def test_wrong_requests_never_reach_it(server: Upstream) -> None:
    """The rules of the requested model apply first, in the API's words; other paths are
    not forwarded.
    """
    asked = client(server.url)
    with pytest.raises(
        openai.BadRequestError, match="decimal above maximum value"
    ):
        ask(asked, temperature=3)
    with pytest.raises(openai.BadRequestError, match="max_completion_tokens"):
        ask(asked, model="o4-mini", max_tokens=5)
    assert server.requests == []


def test_faults_that_come_instead_of_an_answer_strike(server: Upstream) -> None:
    """A deliberate 500 takes precedence, and the server answers the retry."""
    asked = client(server.url, faults=Fault("server_error"))
    assert ask(asked).choices[0].message.content == "Hello there"
    assert verdict_on(asked).outcomes == {"500 server_error": 1, "200": 1}


@pytest.mark.parametrize("kind", WITHIN)
def test_a_fault_within_an_answer_needs_a_recorded_one(
    server: Upstream, kind: str
) -> None:
    """A fault within an answer cannot change a forwarded answer. A 400 says so, and names the
    faults that would work.
    """
    with pytest.raises(
        openai.BadRequestError, match="changes a recorded answer"
    ) as raised:
        ask(client(server.url, faults=Fault(kind)))
    assert (
        raised.value.code == "fault_needs_a_recording"
        and "server_error" in str(raised.value)
    )
    assert server.requests == []


def test_limits_count_it_and_its_dollars_stay(server: Upstream) -> None:
    """Forwarded requests count toward the account's requests per minute, but no money is spent."""
    asked = client(
        server.url,
        rate_limit={"rpm": 2, "tpm": 10_000, "spend": 0.000001},
        max_retries=0,
    )
    for _ in range(2):
        ask(asked)
    with pytest.raises(openai.RateLimitError, match="RPM"):
        ask(asked)


async def test_run_batch_works_with_it(server: Upstream) -> None:
    """A batch's results have texts but no cost, and nothing waits for a server without rate
    limits.
    """
    asked = connect_async(
        "replay", fallback=server.url, speed="instant", recordings=NOWHERE
    )
    results = await run_batch(
        asked, [f"Say {i}." for i in range(10)], model="gpt-4o", rpm=100_000
    )
    assert results.texts() == ["Hello there"] * 10 and results.cost == 0
    await asked.close()


def test_the_offline_batch_api_answers_from_recordings_alone(
    server: Upstream,
) -> None:
    """A batch's request without a recording gets an error line that says so."""
    asked = client(server.url)
    line = {
        "custom_id": "a",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": params("Anything"),
    }
    file = asked.files.create(
        file=("in.jsonl", json.dumps(line).encode()), purpose="batch"
    )
    batch = asked.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
    )
    while batch.status != "completed":
        wired_to(asked).clock.wait(wired_to(asked).clock.now() + 60)
        batch = asked.batches.retrieve(batch.id)
    assert (
        "answered from recordings"
        in asked.files.content(str(batch.error_file_id)).text
    )
    assert server.requests == []


def test_record_mode_keeps_what_it_says(
    server: Upstream, tmp_path: Path
) -> None:
    """connect("record", fallback=...) needs no key. Its recordings have the provenance local with
    the model and the server, and replay the same text, complete and streamed.
    """
    made = connect("record", recordings=tmp_path, fallback=server.url)
    CLIENTS.append(made)
    texts = [ask(made).choices[0].message.content]
    texts.append(
        "".join(
            chunk.choices[0].delta.content or ""
            for chunk in ask(made, stream=True)
        )
    )
    with pytest.raises(openai.BadRequestError):
        ask(made, temperature=3)
    provenances = [read(path)[1] for path in sorted(tmp_path.glob("*.json"))]
    assert {(each.kind, each.by) for each in provenances} == {
        (
            "local",
            f"llama3.2:1b, served by ollama at {server.url.split('/')[2]}",
        )
    }
    again = connect("replay", recordings=tmp_path, speed="instant")
    assert ask(again).choices[0].message.content == texts[0]
    assert (
        "".join(
            chunk.choices[0].delta.content or ""
            for chunk in ask(again, stream=True)
        )
        == texts[1]
    )
    assert Meter(again).add(ask(again)).origin == "replay · local"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "here",
        "ftp://x/v1",
        "http://",
        7,
        "http://127.0.0.1:0/v1",
        "http://[::1/v1",
    ],
)
def test_an_address_that_is_none_is_refused_by_connect(wrong: Any) -> None:
    """The message says what an address looks like and which names are known, and nothing is
    sent.
    """
    with pytest.raises(
        ValueError, match='is not an address.*"ollama".*"local"'
    ):
        connect("replay", fallback=wrong)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/v1/", "http://127.0.0.1:11434/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("http://gateway/llm/v1/chat/completions", "http://gateway/llm/v1"),
    ],
)
def test_addresses_are_taken_as_people_write_them(
    given: str, base: str
) -> None:
    """An address may have /v1, a slash, or the full path of chat completions at the end."""
    assert base_address(given) == base


@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:8/v1", True),
        ("http://127.3.2.1/v1", True),
        ("http://10.0.0.1/v1", False),
        ("http://localhost.evil.org/", False),
    ],
)
def test_what_is_on_this_machine(url: str, near: bool) -> None:
    """Loopback addresses and localhost are on this machine; names that only look similar are
    not.
    """
    assert is_this_machine(url) == near


def test_names_stand_for_usual_ports_and_two_servers_are_refused() -> None:
    """ "ollama" is http://127.0.0.1:11434/v1. fallback= and local_model= together are refused,
    because they name two servers.
    """
    named: Any = fallback_of("ollama", None, {})
    assert (named.url, named.name) == ("http://127.0.0.1:11434/v1", "ollama")
    assert (
        fallback_of("off", None, {}) is None
        and fallback_of(None, None, {}) is None
    )
    with pytest.raises(ValueError, match="each name a server"):
        fallback_of("ollama", True, {})


def test_it_is_for_the_offline_api() -> None:
    """In live mode, the real API answers everything, so fallback= is refused."""
    with pytest.raises(ModeError, match="fallback= is for the offline API"):
        connect("live", fallback="ollama", api_key="none")
