"""What users bring: keys as they were copied, .env files as editors write them, message objects,
paths, and typos.
"""

from __future__ import annotations

import codecs
import datetime
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessage

from coursekit import (
    batch_completions,
    chat_session,
    connect,
    connect_async,
    price_of,
    robust_completion,
    run_batch,
    stream_response,
    stream_text,
)
from coursekit.batching import collect_batch, submit_batch
from coursekit.batching.pacing import tokens_of
from coursekit.conversation import (
    AsyncConversation,
    Conversation,
    SlidingWindow,
    TokenBudget,
    cacheable_prefix,
    trimmed,
)
from coursekit.foundation.arguments import is_number
from coursekit.offline.fallback import FallbackUnreachable
from coursekit.offline.model_list import NotServed
from coursekit.pricing import NoPrice
from coursekit.reasoning import ask_with_headroom
from coursekit.settings import MissingKey, key_of, settings
from support.offline_api import folder_with, params, streamed, whole

KEY = "-".join(("sk", "proj", "a" * 30))


@pytest.mark.parametrize("around", ["{}\n", " {}", "{} ", "\t{}\r\n"])
def test_white_space_around_a_key_is_taken_away(around: str) -> None:
    """A key that was copied with a line end or a space still works."""
    assert key_of("live", around.format(KEY), {}) == KEY
    assert key_of("live", None, {"OPENAI_API_KEY": around.format(KEY)}) == KEY


@pytest.mark.parametrize(
    ("around", "name"),
    [
        ("\u201c{}\u201d", "left double quotation mark"),
        ('"{}"', "quotation mark"),
        ("'{}'", "apostrophe"),
        ("{}\u200b", "zero width space"),
        ("{}\ufeff", "zero width no-break space"),
        ("sk-\n{}", "a control character"),
        ("{} {}", "space"),
        ("\u2026{}", "horizontal ellipsis"),
    ],
)
def test_what_no_key_has_is_named_and_the_key_is_not_shown(
    around: str, name: str
) -> None:
    """Quotes, invisible characters, and foreign characters in a key are refused with their name and
    position before anything is sent.
    """
    for make in (connect, connect_async):
        with pytest.raises(
            MissingKey, match=rf"contains {name}( \(U\+000A\))? at position"
        ) as raised:
            make("live", api_key=around.format(KEY, KEY))
        assert KEY not in str(raised.value) and KEY[:12] not in str(
            raised.value
        )


@pytest.mark.parametrize(
    "raw",
    [
        "COURSEKIT_SPEED=7 # schnell, für Übung\n".encode(),
        "COURSEKIT_SPEED=7 # für\n".encode("latin-1"),
        codecs.BOM_UTF8 + b"COURSEKIT_SPEED=7\n",
        "COURSEKIT_SPEED=7\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "COURSEKIT_SPEED=7\r\n".encode("utf-16-be"),
    ],
    ids=[
        "UTF-8",
        "Latin-1",
        "UTF-8 with a mark",
        "UTF-16",
        "UTF-16, big-endian",
    ],
)
def test_a_dotenv_is_read_as_editors_write_it(
    raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are read from UTF-8 with or without a byte-order mark, UTF-16 in either byte order,
    and Latin-1.
    """
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    monkeypatch.delenv("COURSEKIT_SPEED", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(raw)
    assert settings()["COURSEKIT_SPEED"] == "7"


def messages(said: Any) -> list[Any]:
    return [
        {"role": "user", "content": "Capital of France?"},
        said,
        {"role": "user", "content": "Sure?"},
    ]


def test_message_objects_of_the_sdk_are_messages(tmp_path: Path) -> None:
    """``reply.choices[0].message``, appended as many guides show, works like its dict."""
    said = ChatCompletionMessage(
        role="assistant", content="It is Paris. " * 200
    )
    plain = {"role": "assistant", "content": said.content}
    for policy in (SlidingWindow(1), TokenBudget(2000)):
        assert trimmed(messages(said), policy) == trimmed(
            messages(plain), policy
        )
    assert cacheable_prefix(
        messages(said), messages(plain), "gpt-4o"
    ) == cacheable_prefix(messages(plain), messages(plain), "gpt-4o")
    assert tokens_of({"messages": messages(said)}) == tokens_of(
        {"messages": messages(plain)}
    )
    assert trimmed(
        messages(ChatCompletionMessage(role="assistant", content="")),
        SlidingWindow(0),
    ) == [{"role": "user", "content": "Sure?"}]


def test_a_tilde_is_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``~`` in a path for recordings or a saved conversation is the home folder, and no folder with
    that name is made.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder_with(tmp_path / "mine", (params(), whole("Paris.")))
    client = connect("replay", recordings="~/mine", speed="instant")
    assert (
        client.chat.completions.create(**params()).choices[0].message.content
        == "Paris."
    )
    Conversation(client, "Hi").save("~/talk.jsonl")
    assert (tmp_path / "talk.jsonl").is_file() and not (tmp_path / "~").exists()


def test_a_typo_in_an_argument_of_connect_is_named() -> None:
    """connect(mod=…) says that it has no such argument and which one was probably meant, and does
    not blame the SDK.
    """
    with pytest.raises(
        TypeError,
        match=r"'mod' is not an argument of connect\(\). Did you mean mode\?",
    ):
        connect(mod="live")
    with pytest.raises(TypeError, match="'timeot'.*timeout"):
        connect_async(timeot=3)


def test_elapsed_is_known_in_replay(tmp_path: Path) -> None:
    """As in live mode, raw.elapsed is a timedelta for answers and errors."""
    folder = folder_with(tmp_path, (params(), whole("Paris.")))
    client = connect(
        "replay", recordings=folder, speed="instant", max_retries=0
    )
    raw = client.chat.completions.with_raw_response.create(**params())
    assert isinstance(raw.elapsed, datetime.timedelta)
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**params(temperature=9))
    assert isinstance(raised.value.response.elapsed, datetime.timedelta)


def test_models_are_listed_in_process_as_by_the_server() -> None:
    """models.list() and retrieve() answer without a recording, with the announced shutdown date. An
    unknown model gets a 404.
    """
    client = connect("replay", speed="instant", max_retries=0)
    names = [model.id for model in client.models.list()]
    assert "gpt-4o" in names and "o4-mini" in names
    assert client.models.retrieve("gpt-4o").shutdown_date == "2027-01-14"  # type: ignore[attr-defined]
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("gpt-5o")


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.responses.create(model="gpt-4o", input="Hi"),
        lambda c: c.embeddings.create(model="x", input="Hi"),
        lambda c: c.images.generate(prompt="A cat"),
        lambda c: c.moderations.create(input="Hi"),
        lambda c: c.audio.speech.create(
            model="tts-1", voice="alloy", input="Hi"
        ),
    ],
    ids=["responses", "embeddings", "images", "moderations", "audio"],
)
def test_other_endpoints_say_what_is_served(ask: Any) -> None:
    """An unknown endpoint is named, together with the available ones. The error does not
    mention recordings or changing the cell back.
    """
    client = connect("replay", speed="instant")
    with pytest.raises(
        NotServed,
        match=r"/v1/.* is not available offline.*chat completions.*\n.*live",
    ):
        ask(client)


def test_audio_tokens_are_not_priced_as_text() -> None:
    """If the price list has no audio rate for a model, the price is unknown; if it has one, that
    rate is used.
    """
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 200,
        "prompt_tokens_details": {"audio_tokens": 50},
        "completion_tokens_details": {"audio_tokens": 150},
    }
    day = datetime.date(2026, 9, 1)
    with pytest.raises(NoPrice, match="no rate for the audio tokens"):
        price_of(usage, "gpt-4o-audio-preview", day)
    assert f"{price_of(usage, 'gpt-audio', day).total:.6f}" == "0.011825"
    text_only = {
        "prompt_tokens": 100,
        "completion_tokens": 200,
        "prompt_tokens_details": {"audio_tokens": 0},
    }
    assert price_of(text_only, "gpt-4o-audio-preview", day).total > 0


def sync_client(folder: Path) -> openai.OpenAI:
    recorded = folder_with(folder, (params(), whole("Paris.")))
    return connect("replay", recordings=recorded, speed="instant")


ASK = params()
PROMPT = ASK["messages"][0]["content"]
MORE = {
    name: value
    for name, value in ASK.items()
    if name not in ("messages", "model")
}
SYNC: dict[str, Any] = {
    "stream_text": lambda client: stream_text(client, **ASK),
    "stream_response": lambda client: stream_response(client, PROMPT),
    "robust_completion": lambda client: robust_completion(client, PROMPT),
    "chat_session": lambda client: chat_session(
        client, "", read=lambda _: "quit"
    ),
    "Conversation": Conversation,
    "ask_with_headroom": lambda client: ask_with_headroom(
        client, **ASK, max_completion_tokens=5, ceiling=6, max_cost=1
    ),
}
ASYNC: dict[str, Any] = {
    "AsyncConversation": AsyncConversation,
    "run_batch": lambda client: run_batch(client, [PROMPT]),
    "batch_completions": lambda client: batch_completions(client, [PROMPT]),
    "submit_batch": lambda client: submit_batch(client, [PROMPT]),
    "collect_batch": lambda client: collect_batch(client, "batch_1"),
}


@pytest.mark.parametrize("name", [*SYNC, *ASYNC])
def test_a_client_of_the_other_kind_is_named(name: str) -> None:
    """An async client in a sync helper, or the reverse, causes an error of one sentence, and
    nothing is sent.
    """
    work, wrong = (
        (SYNC[name], connect_async) if name in SYNC else (ASYNC[name], connect)
    )
    right = "connect" if name in SYNC else "connect_async"
    with pytest.raises(
        TypeError,
        match=rf"{name}\(\) needs a client from {right}\(\), but got an? a?sync client",
    ):
        work(wrong("replay", recordings="/nowhere"))


@pytest.mark.parametrize("name", [*SYNC, *ASYNC])
@pytest.mark.parametrize("thing", ["a prompt", None, 5, openai.OpenAI])
def test_what_is_not_a_client_is_named(name: str, thing: Any) -> None:
    """If a prompt or a class is passed instead of a client, the error says so, and how to get a
    client.
    """
    with pytest.raises(
        TypeError, match=rf"{name}\(\) needs a client from connect"
    ):
        (SYNC | ASYNC)[name](thing)


def test_a_call_without_the_client_is_named() -> None:
    """robust_completion(prompt), as many tutorials print it without the client, gets an error that
    says what is missing.
    """
    for call in (
        robust_completion,
        stream_response,
        batch_completions,
        chat_session,
    ):
        with pytest.raises(TypeError, match="needs a client.*but got a str"):
            call("What is the capital of France?")  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="needs a client.*but got None"):
        robust_completion()  # type: ignore[call-arg]


@pytest.mark.parametrize("absent", [None, openai.NOT_GIVEN, openai.omit])
async def test_nothing_is_given_in_three_ways(
    tmp_path: Path, absent: Any
) -> None:
    """None, NOT_GIVEN, and omit mean that an argument is left out, for n, stream_options, and any
    other argument.
    """
    more = dict.fromkeys(
        ("n", "stream_options", "tools", "response_format", "seed"), absent
    )
    client = sync_client(tmp_path)
    assert robust_completion(client, PROMPT, **MORE, **more) == "Paris."
    assert Conversation(client, **MORE, **more).send(PROMPT) == "Paris."
    folder_with(tmp_path, (params(stream=True), streamed(["Par", "is."])))
    assert "".join(stream_text(client, **ASK, **more)) == "Paris."
    client.close()
    with_async = connect_async("replay", recordings=tmp_path, speed="instant")
    results = await run_batch(
        with_async,
        [PROMPT, {**ASK, **more}],
        **{**MORE, "model": ASK["model"], **more},
    )
    assert results.texts() == ["Paris.", "Paris."]
    await with_async.close()


class Order:
    """A schema that ``parse()`` would accept."""


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda c: Conversation(c, memory=5),
            "memory=5 is not a memory. Give one such as",
        ),
        (lambda c: Conversation(c, memory=SlidingWindow), "is not a memory"),
        (
            lambda c: Conversation(c, temprature=1),
            "'temprature' is not an.*temperature",
        ),
        (
            lambda c: robust_completion(c, "x", max_atempts=1),
            "Did you mean max_attempts",
        ),
        (
            lambda c: stream_text(c, **ASK, response_format=Order),
            "response_format=Order is a",
        ),
        (
            lambda c: robust_completion(c, "x", response_format=Order),
            r"completions.parse\(",
        ),
    ],
)
def test_odd_arguments_are_named(
    tmp_path: Path, call: Any, sentence: str
) -> None:
    """A number as a memory, a class as a schema, and a typo each cause one of our own one-sentence
    errors.
    """
    with pytest.raises(TypeError, match=sentence):
        call(sync_client(tmp_path))


async def test_what_is_not_a_list_of_prompts_is_named() -> None:
    """For an async generator, the error says how to collect it. An empty list gives no answers."""

    async def prompts() -> Any:
        yield PROMPT

    client = connect_async("replay", recordings="/nowhere", speed="instant")
    with pytest.raises(TypeError, match="async_generator. Collect it first"):
        await run_batch(client, prompts())
    with pytest.raises(TypeError, match="got a single int"):
        await batch_completions(client, 5)  # type: ignore[arg-type]
    assert await batch_completions(client, []) == []
    with pytest.raises(ValueError, match="empty"):
        await submit_batch(client, [])
    await client.close()


def test_our_errors_are_short_in_a_notebook() -> None:
    """For any of our errors, IPython shows the cell's own lines and the message, and no lines from
    the SDK.
    """
    error = FallbackUnreachable("It does not answer.\nStart it.")
    shown = error._render_traceback_()
    assert shown == [
        "FallbackUnreachable",
        "It does not answer.",
        "Start it.",
    ]


@pytest.mark.parametrize(
    ("value", "number", "whole"),
    [
        (0, True, True),
        (-3, True, True),
        (10**400, True, True),
        (0.5, True, False),
        (2.0, True, False),
        (Decimal("0.5"), True, False),
        (True, False, False),
        (math.nan, False, False),
        (math.inf, False, False),
        (Decimal("Infinity"), False, False),
        ("1", False, False),
        (None, False, False),
    ],
)
def test_what_counts_as_a_number(value: Any, number: bool, whole: bool) -> None:
    """A number is a finite int, float, or Decimal, and never True, a string, or infinity. A whole
    number must be an int.
    """
    assert (is_number(value), is_number(value, whole=True)) == (number, whole)
