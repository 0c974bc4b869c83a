"""The same answer in another form: a complete answer in chunks, a stream in one piece, and
answers that have no other form.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

import coursekit
from coursekit import Meter
from coursekit.offline.exchange import DONE, ApiAnswer, json_answer
from coursekit.offline.recorded.chunks import NoSuchForm
from coursekit.offline.recorded.forms import as_asked
from support.offline_api import (
    completion,
    error_answers,
    folder_with,
    params,
    streamed,
    whole,
)

USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"city": "Paris"}'},
}
CUSTOM = {
    "id": "call_2",
    "type": "custom",
    "custom": {"name": "run", "input": "ls"},
}
MESSAGES: list[dict[str, Any]] = [
    {"content": "Paris is the capital of France. 👩‍🚀"},
    {"content": ""},
    {"content": None, "refusal": "I cannot help with that."},
    {"content": None, "tool_calls": [CALL]},
    {"content": None, "tool_calls": [CALL, {**CALL, "id": "call_2"}]},
    {"content": "One moment.", "tool_calls": [CALL]},
    {"content": None, "function_call": CALL["function"]},
    {"content": "Paris.", "reasoning_content": "The capital, then."},
]


def answer_of(
    *messages: dict[str, Any], after: float = 2.0, **more: Any
) -> ApiAnswer:
    """Return a complete answer with these messages, one for each choice."""
    choices = [
        {
            "index": i,
            "message": {
                "role": "assistant",
                "refusal": None,
                "annotations": [],
                **message,
            },
            "logprobs": None,
            "finish_reason": "stop",
            **more,
        }
        for i, message in enumerate(messages)
    ]
    headers = {"x-request-id": "req_1", "openai-processing-ms": "2000"}
    return json_answer(
        200,
        {**completion(), "choices": choices},
        headers=headers,
        after=after,
        source="written",
    )


def said(answer: ApiAnswer) -> list[dict[str, Any]]:
    """The chunks of a stream."""
    return [
        json.loads(event.data.removeprefix(b"data: "))
        for event in answer.events or ()
        if event.data != DONE
    ]


def connected(
    folder: Path, *exchanges: tuple[dict[str, Any], ApiAnswer]
) -> openai.OpenAI:
    return coursekit.connect(
        "replay", recordings=folder_with(folder, *exchanges), speed="instant"
    )


@pytest.mark.parametrize("message", MESSAGES)
def test_there_and_back_is_the_same_answer(message: dict[str, Any]) -> None:
    """A complete answer that is streamed and put together again is the same answer and took the
    same time.
    """
    answer = answer_of(message)
    stream = as_asked(answer, params(**USAGE))
    back = as_asked(replace(stream, source="written"), params())
    assert json.loads(back.body) == json.loads(answer.body)
    assert (
        back.after == pytest.approx(answer.after, abs=1e-3)
        or not message["content"]
    )
    assert [stream.source, back.source] == [
        "written, streamed from a whole answer",
        "written, assembled from a stream",
    ]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_sdk_puts_the_chunks_together(message: dict[str, Any]) -> None:
    """The SDK's own accumulator turns the chunks into the recorded message, with its usage."""
    state: Any = ChatCompletionStreamState()
    for chunk in said(as_asked(answer_of(message), params(**USAGE))):
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    final = state.get_final_completion().model_dump()
    shown = final["choices"][0]["message"]
    assert (
        shown["content"] == message["content"]
        and final["usage"]["total_tokens"] == 16
    )
    assert (shown["refusal"] or None) == message.get("refusal")
    calls = [
        (call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in shown["tool_calls"] or ()
    ]
    assert calls == [
        (call["id"], *call["function"].values())
        for call in message.get("tool_calls", ())
    ]


@given(st.lists(st.text(), min_size=1, max_size=3), st.booleans())
def test_any_texts_survive(texts: list[str], counted: bool) -> None:
    """Whatever the texts and the number of choices, the pieces add up to those texts, are in
    chronological order, and end with [DONE].
    """
    answer = answer_of(
        *(
            {"content": text.encode("utf-8", "replace").decode()}
            for text in texts
        )
    )
    body = params(n=len(texts), **(USAGE if counted else {"stream": True}))
    stream = as_asked(answer, body)
    back = json.loads(as_asked(stream, params(n=len(texts))).body)
    assert back["choices"] == json.loads(answer.body)["choices"]
    times = [event.at for event in stream.events or ()]
    assert times == sorted(times) and (stream.events or ())[-1].data == DONE
    assert ["usage" in chunk for chunk in said(stream)] == [counted] * len(
        said(stream)
    )


def test_the_chunks_are_tokens_in_the_apis_order() -> None:
    """The chunks are the role, one for each token, the finish reason, and the usage, each as long
    as the API pads it and at its own time.
    """
    stream = as_asked(whole("Paris is in France.", after=1.0), params(**USAGE))
    deltas = [
        chunk["choices"][0]["delta"] if chunk["choices"] else "usage"
        for chunk in said(stream)
    ]
    texts = [
        {"content": text} for text in ("Paris", " is", " in", " France", ".")
    ]
    assert deltas == [
        {"role": "assistant", "content": "", "refusal": None},
        *texts,
        {},
        "usage",
    ]
    assert (
        len({len(event.data) % 16 for event in (stream.events or ())[:-1]}) == 1
    )
    times = [event.at for event in stream.events or ()]
    assert 0.5 < times[0] < 0.9 and times[-1] == 1.0, (
        "gpt-4o: 0.25 s before, 0.0179 s a token, stretched to what it took"
    )
    assert len({round(b - a, 4) for a, b in itertools.pairwise(times[:6])}) > 3
    assert (
        as_asked(whole("Paris is in France.", after=1.0), params(**USAGE))
        == stream
    ), "the same each time"


def test_logprobs_go_with_their_tokens() -> None:
    """The tokens in recorded log-probabilities split the text, even if a character takes several of
    them.
    """
    parts = (
        ("Hi ", b"Hi "),
        ("\\xf0\\x9f", b"\xf0\x9f"),
        ("\\x8e\\x89", b"\x8e\x89"),
    )
    tokens = [
        {
            "token": text,
            "logprob": -0.5,
            "bytes": list(data),
            "top_logprobs": [],
        }
        for text, data in parts
    ]
    answer = answer_of(
        {"content": "Hi 🎉"}, logprobs={"content": tokens, "refusal": None}
    )
    stream = as_asked(answer, params(stream=True, logprobs=True))
    choices = [chunk["choices"][0] for chunk in said(stream)]
    assert [
        choice["logprobs"] and len(choice["logprobs"]["content"])
        for choice in choices
    ] == [
        0,
        1,
        2,
        None,
    ]
    assert [choice["delta"].get("content") for choice in choices] == [
        "",
        "Hi ",
        "🎉",
        None,
    ]
    assert (
        json.loads(as_asked(stream, params(logprobs=True)).body)["choices"]
        == json.loads(answer.body)["choices"]
    )


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        # closed cleanly
        (
            streamed(["Par", "is"], finish_reason=None),
            params(),
        ),
        (replace(streamed(["Par", "is"]), breaks=True), params()),
        (streamed(["Par", "is"]), params(n=2)),  # one of two choices ended
        (streamed([]), params(n=2)),
        (replace(whole(), breaks=True), params(stream=True)),
        (replace(whole(), body=b'{"half'), params(stream=True)),
        (replace(whole(), body=b'{"choices": [5]}'), params(stream=True)),
        (
            answer_of({"content": None, "audio": {"id": "audio_1"}}),
            params(stream=True),
        ),
        (
            answer_of({"content": None, "tool_calls": [CUSTOM]}),
            params(stream=True),
        ),
    ],
)
def test_what_did_not_end_or_is_no_text_has_no_other_form(
    answer: ApiAnswer, body: dict[str, Any]
) -> None:
    """A stream that was cut off never becomes an answer that looks complete. Sound and half a body
    are not streamed.
    """
    with pytest.raises(NoSuchForm):
        as_asked(answer, body)


def test_a_cut_stream_is_a_miss_for_one_who_asks_for_the_whole(
    tmp_path: Path,
) -> None:
    """If it is requested as a stream, a stream that was cut off is replayed up to the cut, with or
    without usage. In one piece, it is not found.
    """
    client = connected(
        tmp_path,
        (params(stream=True), streamed(["Par", "is"], finish_reason=None)),
    )
    texts = [
        chunk.choices[0].delta.content
        for chunk in client.chat.completions.create(**params(**USAGE))
    ]
    assert texts == ["", "Par", "is"]
    with pytest.raises(coursekit.RecordingNotFound):
        client.chat.completions.create(**params())


def test_adding_stream_to_a_recorded_request_is_answered(
    tmp_path: Path,
) -> None:
    """stream=True streams an answer that was recorded in one piece, and without it, a recorded
    stream is returned in one piece. Receipts say so.
    """
    client = connected(
        tmp_path,
        (params(), whole("Paris.")),
        (params("B?", stream=True), streamed(["Ber", "lin."])),
    )
    meter = Meter(client)
    with client.chat.completions.stream(
        **params(), stream_options={"include_usage": True}
    ) as stream:
        assert (
            "".join(
                event.delta for event in stream if event.type == "content.delta"
            )
            == "Paris."
        )
    reply = client.chat.completions.create(**params("B?"))
    assert (
        reply.choices[0].message.content == "Berlin."
        and meter.add(reply).source == "written, assembled from a stream"
    )


def test_what_was_recorded_in_the_asked_form_wins(tmp_path: Path) -> None:
    """If both forms are recorded, a request gets the form it asks for. Several answers keep their
    order.
    """
    both = [
        (params(), whole("one")),
        (params(), whole("two")),
        (params(stream=True), streamed(["streamed"])),
    ]
    client = connected(tmp_path, *both)
    assert [
        client.chat.completions.create(**params()).choices[0].message.content
        for _ in "123"
    ] == [
        "one",
        "two",
        "one",
    ]
    assert [
        chunk.choices[0].delta.content
        for chunk in client.chat.completions.create(**params(stream=True))
        if chunk.choices
    ] == ["", "streamed", None]
    client = connected(tmp_path / "whole", *both[:2])
    texts = ["".join(coursekit.stream_text(client, **params())) for _ in "123"]
    assert texts == ["one", "two", "one"]


def test_usage_is_given_to_whoever_asks(tmp_path: Path) -> None:
    """A recorded usage chunk is left out if it was not requested. A missing one is computed, and
    says so.
    """
    with_usage, without = streamed(["Paris."]), streamed(["Paris."])
    without = replace(
        without,
        events=tuple(
            e for e in without.events or () if b'"prompt_tokens"' not in e.data
        ),
    )
    assert all(
        "usage" not in chunk
        for chunk in said(as_asked(with_usage, params(stream=True)))
    )
    counted = as_asked(without, params(**USAGE))
    assert said(counted)[-1]["usage"] == {
        "prompt_tokens": 14,
        "completion_tokens": 2,
        "total_tokens": 16,
    }
    assert counted.source == "written, usage counted"
    assert (
        json.loads(as_asked(without, params()).body)["usage"]["total_tokens"]
        == 16
    )
    unknown = replace(
        without,
        events=tuple(
            replace(e, data=e.data.replace(b"gpt-4o-2024", b"o4-mini-2025"))
            for e in without.events or ()
        ),
    )
    hidden = replace(
        unknown,
        events=tuple(
            replace(e, data=e.data.replace(b"o4-mini-2025-08-06", b"o4-mini"))
            for e in unknown.events or ()
        ),
    )
    assert (
        json.loads(as_asked(hidden, params(model="o4-mini")).body)["usage"]
        is None
    )
    with pytest.raises(NoSuchForm):
        as_asked(hidden, params(model="o4-mini", **USAGE))


def test_obfuscation_can_be_switched_off() -> None:
    """include_obfuscation: false removes the padding, both from a recorded stream and from one that
    was made.
    """
    body = params(stream=True, stream_options={"include_obfuscation": False})
    padded = as_asked(whole(), params(stream=True))
    assert all("obfuscation" in chunk for chunk in said(padded))
    for answer in (padded, whole()):
        assert not any(
            "obfuscation" in chunk for chunk in said(as_asked(answer, body))
        )


def test_an_error_is_the_same_in_both_forms(tmp_path: Path) -> None:
    """A recorded refusal or failure also answers the streamed request."""
    client = connected(tmp_path, *error_answers(params(), 1)).with_options(
        max_retries=0
    )
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(**params(stream=True))
