"""coursekit serve --fallback: another server answers every learner's requests without a
recording.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit import connect
from coursekit.offline.fallback import FallbackUnreachable, NamedServer
from support.offline_api import folder_with, params, whole
from support.served import Served, served
from support.upstream_stand_in import HANG, Upstream, free_address, upstream
from support.waiting import until


@pytest.fixture
def other() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def server(other: Upstream, tmp_path: Path) -> Iterator[Served]:
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path, fallback=NamedServer(other.url)) as running:
        yield running


def ask(asked: openai.OpenAI, prompt: str = "Anything", **more: Any) -> Any:
    return asked.chat.completions.create(**params(prompt, **more))


def test_what_was_recorded_wins(server: Served, other: Upstream) -> None:
    """A recorded request is answered from its recording, and the other server is not used."""
    reply = server.client().chat.completions.create(**params())
    assert reply.choices[0].message.content == "Paris." and other.headers == []


def test_the_reply_names_who_answered_and_costs_nothing(server: Served) -> None:
    """The reply has the other server's model, the header for receipts names it, and the learner's
    meter counts a request without a price.
    """
    raw = server.client().chat.completions.with_raw_response.create(
        **params("Anything")
    )
    reply = raw.parse()
    assert (reply.model, reply.choices[0].message.content) == (
        "llama3.2:1b",
        "Hello there",
    )
    assert raw.headers["x-coursekit-source"] == "ollama llama3.2:1b"
    assert raw.headers["x-request-id"].startswith("req_")
    [learner] = server.admin("GET", "/admin/learners").json()["learners"]
    assert (learner["statuses"], learner["dollars"]) == ({"200": 1}, "0")


def test_a_stream_passes_while_it_is_written(
    server: Served, other: Upstream
) -> None:
    """The first chunk arrives before the other server writes the second one."""
    other.go_on.clear()
    stream = ask(server.client(), stream=True)
    assert next(iter(stream)).choices[0].delta.content == "Hello"
    other.go_on.set()
    assert [chunk.choices[0].delta.content for chunk in stream] == [
        " there",
        None,
    ]


def test_leaving_ends_the_other_servers_work(
    server: Served, other: Upstream
) -> None:
    """If a client leaves a stream, the connection to the other server is closed, and the next
    request is answered.
    """
    other.words = ("Hello", *[" word" * 1000] * 2000)
    other.go_on.clear()
    stream = ask(server.client(), stream=True)
    next(iter(stream))
    stream.close()
    other.go_on.set()
    assert other.left.wait(HANG)
    other.words = ("Still", " here")
    assert ask(server.client()).choices[0].message.content == "Still here"
    learner: Any = server.room.learners.of("Bearer key")
    until(lambda: learner.under_way == 0)
    assert [attempt.received for attempt in learner.ledger] == ["left", "all"]


def test_its_refusals_and_its_death_pass(
    server: Served, other: Upstream
) -> None:
    """The other server's own 4xx and 5xx arrive in its words, and a connection that breaks there
    also breaks here.
    """
    other.status = 429
    with pytest.raises(openai.RateLimitError, match="Not now"):
        ask(server.client())
    other.status, other.dies = 200, True
    with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
        list(ask(server.client(), stream=True))


def test_the_sentences_are_those_of_a_client_in_process(
    tmp_path: Path, other: Upstream
) -> None:
    """A parameter that the fallback would ignore gets the same 400 as in process, and a missing
    server the same message, without a retry.
    """
    folder_with(tmp_path, (params(), whole("Paris.")))
    absent = free_address()
    for url, more in ((other.url, {"logit_bias": {"1": 5}}), (absent, {})):
        errors = []
        with served(tmp_path, fallback=NamedServer(url)) as running:
            in_process = connect(
                "replay", recordings=tmp_path, fallback=url, speed="instant"
            )
            for asked in (in_process, running.client(max_retries=5)):
                with pytest.raises(
                    (openai.APIStatusError, FallbackUnreachable)
                ) as raised:
                    ask(asked, **more)
                errors.append(raised.value)
            in_process.close()
            assert running.logged().count("POST") == 1
        ours, theirs = errors
        assert isinstance(theirs, openai.APIStatusError)
        sentence = (
            ours.body["message"]
            if isinstance(ours, openai.APIStatusError)
            else str(ours)
        )
        assert theirs.body["message"] == sentence  # type: ignore[index]
        assert theirs.status_code == (503 if url == absent else 400)


def test_only_json_is_forwarded(server: Served, other: Upstream) -> None:
    """A form, which a page on any site can send without permission, does not reach the other
    server, and pages learn nothing if a fallback has no key.
    """
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = server.post(
            b'{"model": "gpt-4o", "messages": []}', content_type=kind
        )
        assert answer.status_code == 400
        assert "you must provide a model parameter" in answer.text
    headers = {
        "origin": "http://evil.example",
        "access-control-request-method": "POST",
    }
    url = f"{server.url}/v1/chat/completions"
    for answer in (
        server.http.options(url, headers=headers),
        server.post(b"{}", origin="http://evil.example"),
    ):
        assert "access-control-allow-origin" not in answer.headers
    assert other.headers == []


def test_a_stream_before_its_first_byte_can_be_left(
    server: Served, other: Upstream
) -> None:
    """If a client gives up while the other server is thinking, the work also ends."""
    other.go_on.clear()
    client = server.client(timeout=0.5)
    with contextlib.suppress(openai.APITimeoutError, httpx2.TimeoutException):
        list(ask(client, stream=True))
    learner: Any = server.room.learners.of("Bearer key")
    until(lambda: learner.under_way == 0)
    other.go_on.set()
