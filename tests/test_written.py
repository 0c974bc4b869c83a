"""Written recordings: an author's replies become exchanges in the API's format, each stored
once.
"""

from __future__ import annotations

import json
from pathlib import Path

from coursekit.offline.recorded.written import Written
from coursekit.offline.recordings import Recordings
from support.offline_api import params, request

REPLIES = """
on = 2026-11-22
by = "the tests"

[[reply]]
to = "capital"
text = "It is Paris."

[[reply]]
to = "capital"
when = {stream = true}
text = "It is Paris."
cut_after = 2
"""


def written(folder: Path) -> Written:
    replies = folder / "replies.toml"
    replies.write_text(REPLIES, encoding="utf-8")
    return Written(replies, Recordings([folder / "recordings"]))


def test_the_same_request_is_stored_once(tmp_path: Path) -> None:
    """If an author's reply is requested again, the answer is the same, so one recording is
    enough.
    """
    api = written(tmp_path)
    assert api.answer(request()) == api.answer(request())
    api.answer(request(params("The capital of Spain?")))
    assert len(list((tmp_path / "recordings").glob("*.json"))) == 2


def test_a_reply_can_break_off(tmp_path: Path) -> None:
    """cut_after ends a stream after this many texts, without a finish reason and without [DONE]."""
    events = written(tmp_path).answer(request(params(stream=True))).events or ()
    # the role, and then two texts
    assert [b'"content":"' in event.data for event in events] == [
        True,
        True,
        True,
    ]
    assert not any(
        b'"finish_reason":"' in event.data or b"[DONE]" in event.data
        for event in events
    )


def test_a_role_stands_right_before_its_choices_text(tmp_path: Path) -> None:
    """With n > 1, a stream gives each choice its role directly before its first text, like genuine
    streams.
    """
    path = tmp_path / "x.toml"
    path.write_text(
        'on = 2026-01-01\n[[reply]]\nto = "France"\ntexts = ["Paris is it", "It is Paris"]\n'
    )
    written = Written(path, Recordings([tmp_path / "kept"]))
    answer = written.answer(
        request(params("What is the capital of France?", n=2, stream=True))
    )
    chunks = [
        json.loads(event.data[6:])
        for event in answer.events or ()
        if event.data.startswith(b"data: {")
    ]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    told = [
        "role"
        if "role" in choice["delta"]
        else "text"
        if choice["delta"]
        else "end"
        for choice in choices
    ]
    assert list(
        zip(told, [choice["index"] for choice in choices], strict=True)
    )[:4] == [
        ("role", 0),
        ("text", 0),
        ("role", 1),
        ("text", 1),
    ]


def choice_and_usage(
    folder: Path, model: str, **more: object
) -> tuple[dict, dict]:
    """The choice and the usage in a written answer from this model."""
    body = json.loads(
        written(folder)
        .answer(request({**params(), "model": model, **more}))
        .body
    )
    return body["choices"][0], body["usage"]


def test_only_models_that_bill_cache_writes_count_them(tmp_path: Path) -> None:
    """From GPT-5.6 on, the usage has cache_write_tokens between the cached and the audio tokens."""
    details = choice_and_usage(tmp_path, "gpt-5.6-sol")[1][
        "prompt_tokens_details"
    ]
    assert list(details) == [
        "cached_tokens",
        "cache_write_tokens",
        "audio_tokens",
    ]
    older = choice_and_usage(tmp_path, "gpt-5.4")[1]["prompt_tokens_details"]
    assert list(older) == ["cached_tokens", "audio_tokens"]


def test_a_model_that_reasons_has_logprobs_only_where_they_were_asked_for(
    tmp_path: Path,
) -> None:
    """gpt-4o always has the key. gpt-5.4 accepts logprobs with effort none, and then has it."""
    assert "logprobs" in choice_and_usage(tmp_path, "gpt-4o")[0]
    assert "logprobs" not in choice_and_usage(tmp_path, "gpt-5.4")[0]
    assert "logprobs" in choice_and_usage(tmp_path, "gpt-5.4", logprobs=True)[0]
