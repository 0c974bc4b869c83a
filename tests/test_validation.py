"""The validation layer: which requests it refuses and in which order, and that nothing makes it
fail.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import openai
import pytest

import coursekit
from coursekit import RecordingNotFound, connect, models
from coursekit.offline.exchange import CHAT_COMPLETIONS, ApiRequest
from coursekit.offline.recordings import name_of
from coursekit.offline.rules.validation import Validation, refusal_of
from support.offline_api import Says
from support.refused import (
    LEFT_OUT,
    PASSED,
    UNPARSABLE,
    USER,
    chat,
    error_of,
    message_of,
    orders,
    refusals,
    refused,
    sent,
    taken,
)

TOOL = {"type": "function", "function": {"name": "f"}}


def test_a_right_request_goes_on() -> None:
    """A valid request is answered by the layer below, and so is one for another path or method."""
    assert sent(chat()) is PASSED
    for method, path in (
        ("GET", "/v1/models"),
        ("GET", CHAT_COMPLETIONS),
        ("POST", "/v1/embeddings"),
    ):
        assert (
            Validation(Says(PASSED)).answer(
                ApiRequest(method, path, b"not json")
            )
            is PASSED
        )


def test_a_refusal_has_the_bytes_of_a_real_one() -> None:
    """The status, content type, and body are those of a genuine 400: indented by two spaces, with
    keys in order and no newline.
    """
    answer = sent(chat(messages=[]))
    assert (answer.status, answer.headers["content-type"]) == (
        400,
        "application/json",
    )
    assert answer.body.decode() == (
        '{\n  "error": {\n    "message": "Invalid \'messages\': empty array. Expected an array '
        "with minimum length 1, "
        'but got an empty array instead.",\n    "type": "invalid_request_error",\n    "param": '
        '"messages",\n'
        '    "code": "empty_array"\n  }\n}'
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe{",
        b'{"model": NaN}',
        b'{"n": Infinity}',
        b"[" * 100_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"model": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_a_body_that_is_no_json_object(raw: bytes) -> None:
    """Broken, empty, or too deeply nested JSON, and JSON that is not an object, gets a 400 without
    a param or code.
    """
    answer = sent(raw)
    assert answer.status == 400
    assert error_of(answer) == {
        "message": UNPARSABLE,
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_the_sdk_raises_what_it_raises_of_the_real_api(tmp_path: Path) -> None:
    """Through connect(), a refusal arrives as the SDK's typed exception. A valid request gets a
    message that says what is missing.
    """
    create = coursekit.connect(
        "replay", recordings=tmp_path, speed="instant"
    ).chat.completions.create
    with pytest.raises(openai.BadRequestError) as bad:
        create(**chat("gpt-5", max_tokens=5))
    assert (bad.value.code, bad.value.param) == (
        "unsupported_parameter",
        "max_tokens",
    )
    with pytest.raises(
        openai.NotFoundError, match="The model `no-such-model` does not exist"
    ):
        create(**chat("no-such-model"))
    with pytest.raises(coursekit.RecordingNotFound):
        create(**chat())


# --- the rows of a fidelity probe in which eleven mock servers nearly all answered 200 ------------


def test_probe_temperature_on_o3_mini() -> None:
    """o3-mini with a temperature gets a 400 unsupported_parameter."""
    assert (
        refused("o3-mini", temperature=0.5)["code"] == "unsupported_parameter"
    )


def test_probe_max_tokens_on_gpt_5() -> None:
    """gpt-5 with max_tokens gets a 400 unsupported_parameter that says what to use instead."""
    assert message_of("gpt-5", max_tokens=5).endswith(
        "Use 'max_completion_tokens' instead."
    )


def test_probe_temperature_5() -> None:
    """temperature=5 gets a 400 with the bound."""
    assert message_of(temperature=5) == (
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 5 "
        "instead."
    )


def test_probe_no_messages() -> None:
    """A body without messages gets a 400 missing_required_parameter."""
    error = refused(messages=LEFT_OUT)
    assert (error["message"], error["param"]) == (
        "Missing required parameter: 'messages'.",
        "messages",
    )
    assert error["code"] == "missing_required_parameter"


def test_probe_role_robot() -> None:
    """An unknown role gets a 400 invalid_value that lists the known ones."""
    assert message_of(messages=[{"role": "robot", "content": "Hi"}]) == (
        "Invalid value: 'robot'. "
        "Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'."
    )


def test_probe_unknown_parameter() -> None:
    """An unknown parameter gets a 400 that names it."""
    assert (
        message_of(chat_mode=True)
        == "Unrecognized request argument supplied: chat_mode"
    )


def test_probe_unknown_model() -> None:
    """An unknown model gets a 404 model_not_found, indented by four spaces and with a newline, like
    the real one.
    """
    answer = sent(chat("no-such-model"))
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.body.startswith(b'{\n    "error"')
    assert answer.body.endswith(b"}\n")
    assert error_of(answer) == {
        "message": "The model `no-such-model` does not exist or you do not have access to it.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }


def test_probe_no_api_key() -> None:
    """If keys are checked, a request without one gets a 401 before anything else is checked."""
    answer = sent(b"not json", keys={"sk-class"})
    assert answer.status == 401
    assert error_of(answer)["message"].startswith(
        "You didn't provide an API key."
    )
    assert (
        sent(chat(), {"authorization": "Bearer sk-class"}, keys={"sk-class"})
        is PASSED
    )


def test_probe_broken_json() -> None:
    """Broken JSON gets a 400."""
    assert error_of(sent(b'{"model": "gpt-4o", '))["message"] == UNPARSABLE


# --- models ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [None, "", LEFT_OUT])
def test_a_request_needs_a_model(model: Any) -> None:
    """A missing model, null, and an empty name are the same mistake, without a param or code."""
    error = refused(model)
    assert (error["message"], error["param"], error["code"]) == (
        "you must provide a model parameter",
        None,
        None,
    )


def test_a_model_that_is_no_string_is_taken_for_broken_json() -> None:
    """The real API gives this answer to a body that is JSON."""
    assert message_of(5) == UNPARSABLE  # type: ignore[arg-type]


def test_models_of_other_endpoints() -> None:
    """A model that Chat Completions does not serve gets a 404 with the param model, in the format
    of a 400's body.
    """
    not_chat = (
        "This is not a chat model and thus not supported in the v1/chat/completions endpoint. "
        "Did you mean to use v1/completions?"
    )
    only_responses = "This model is only supported in v1/responses and not in v1/chat/completions."
    for model, message in (
        ("gpt-3.5-turbo-instruct", not_chat),
        ("o1-pro", only_responses),
    ):
        answer = refusal_of(chat(model))
        error = error_of(answer)
        assert answer is not None
        assert answer.status == 404
        assert answer.body.startswith(b'{\n  "error"')
        assert (error["message"], error["param"], error["code"]) == (
            message,
            "model",
            None,
        )


def test_a_dead_model_answers_until_a_day_is_given() -> None:
    """Recordings outlive their models: a model that was shut down is refused only if a later date
    is set.
    """
    assert sent(chat("gpt-3.5-turbo-0613")) is PASSED
    answer = sent(chat("gpt-3.5-turbo-0613"), today=datetime.date(2026, 11, 22))
    assert answer.status == 404
    assert error_of(answer)["message"] == (
        "The model `gpt-3.5-turbo-0613` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations"
    )
    assert error_of(answer)["code"] == "model_not_found"
    assert sent(chat("o3"), today=datetime.date(2026, 12, 10)) is PASSED
    assert sent(chat("o3"), today=datetime.date(2026, 12, 11)).status == 404


@pytest.mark.parametrize("model", models.names())
def test_every_chat_model_takes_a_plain_request(model: str) -> None:
    """No model that Chat Completions serves refuses a single user message, except that audio models
    require audio.
    """
    sound = (
        {"modalities": ["text", "audio"]}
        if models.get(model).needs_audio
        else {}
    )
    assert taken(model, **sound) == (models.get(model).endpoint == "chat")


# --- parameters that do not go together -----------------------------------------------------------


@refusals("validation")
def test_parameters_that_do_not_go_together(
    body: dict[str, Any], error: dict[str, Any]
) -> None:
    """A parameter without the one that it requires, or together with one that it excludes, is
    refused.
    """
    assert refused(**body) == error


def test_the_word_json_may_stand_in_any_message_and_case() -> None:
    """JSON mode requires the word "JSON" once, anywhere, including in a content part."""
    system = {
        "role": "system",
        "content": [{"type": "text", "text": "Answer in JSON."}],
    }
    assert taken(
        messages=[system, *USER], response_format={"type": "json_object"}
    )


def test_tools_and_choices_that_go_together() -> None:
    """Declared functions may be forced, and custom tools and lists of allowed tools are
    accepted.
    """
    custom = {"type": "custom", "custom": {"name": "sql"}}
    assert taken(
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
    )
    assert taken(
        tools=[TOOL, custom],
        tool_choice={"type": "custom", "custom": {"name": "sql"}},
    )
    assert taken(
        tools=[TOOL],
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": []},
        },
    )
    assert taken(functions=[{"name": "f"}], function_call={"name": "f"})


@orders()
def test_the_order_of_faults(body: dict[str, Any], param: str | None) -> None:
    """If a request has two mistakes, the one that the API was seen to report is reported."""
    assert refused(**{"model": "gpt-5.6-terra", **body})["param"] == param


def test_a_wrong_base_path_is_an_invalid_url() -> None:
    """A POST to another path that ends like chat completions gets the API's 404, and is not treated
    as a missing recording.
    """
    answer = Validation(Says(PASSED)).answer(
        ApiRequest("POST", "/chat/completions", b"{}")
    )
    assert (answer.status, error_of(answer)["message"]) == (
        404,
        "Invalid URL (POST /chat/completions)",
    )


def test_the_day_of_the_settings_is_that_of_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With COURSEKIT_TODAY, replay refuses models that are shut down by then. Without it, none is
    refused, and in live mode, the date applies only to live clients.
    """
    with pytest.raises(RecordingNotFound):
        connect("replay", recordings=tmp_path).chat.completions.create(
            **chat("o3")
        )
    monkeypatch.setenv("COURSEKIT_TODAY", "2027-02-01")
    with pytest.raises(openai.NotFoundError, match="has been deprecated"):
        connect("replay", recordings=tmp_path).chat.completions.create(
            **chat("o3")
        )
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    with pytest.raises(RecordingNotFound):
        connect("replay", recordings=tmp_path).chat.completions.create(
            **chat("o3")
        )


@pytest.mark.parametrize("door", ["body", "json"])
def test_a_byte_order_mark_is_passed_over_by_both_doors(door: str) -> None:
    """JSON is UTF-8. A byte-order mark before it changes nothing, and UTF-16 is not JSON for either
    parser.
    """
    text = json.dumps(chat())
    marked = ApiRequest(
        "POST", CHAT_COMPLETIONS, b"\xef\xbb\xbf" + text.encode()
    )
    assert getattr(marked, door) == chat()
    assert name_of(marked) == name_of(
        ApiRequest("POST", CHAT_COMPLETIONS, text.encode())
    )
    wide = ApiRequest("POST", CHAT_COMPLETIONS, text.encode("utf-16"))
    assert getattr(wide, door) is None


def test_a_request_may_bring_its_own_day() -> None:
    """A request's header overrides the layer's date. An invalid date is ignored."""
    day = {"x-coursekit-today": "2026-01-17"}
    assert sent(chat("gpt-3.5-turbo-0613"), day).status == 404
    assert sent(chat("o1-mini"), {"x-coursekit-today": "2025-07-18"}) is PASSED
    assert (
        sent(chat("gpt-3.5-turbo-0613"), {"x-coursekit-today": "soon"})
        is PASSED
    )
