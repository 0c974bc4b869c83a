"""What individual models refuse: parameters, values, roles, and lengths, each in the API's own
words.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from coursekit import models
from coursekit.offline.rules import lengths
from coursekit.offline.rules.validation import refusal_of
from coursekit.tokens import count_tokens
from support.refused import (
    USER,
    chat,
    error_of,
    message_of,
    refusals,
    refused,
    taken,
)

FUNCTION = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
        },
    }
]
REASONING = [
    "o3",
    "o4-mini",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5.5",
    "gpt-5.6-sol",
    "gpt-6-luna",
]
LEAST = 128_000 - 1_000


def words(count: int) -> list[dict[str, Any]]:
    """A message that has this many tokens, including its overhead of 7 (gpt-4o)."""
    return [{"role": "user", "content": "word" + " word" * (count - 1)}]


@pytest.mark.parametrize(
    "model", [*REASONING, "o1", "o3-mini", "gpt-5.1", "gpt-5.4"]
)
def test_a_reasoning_model_has_max_completion_tokens(model: str) -> None:
    """max_tokens is refused whatever its value, with the parameter to use instead."""
    error = refused(model, max_tokens=32)
    assert error["message"] == (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    )
    assert (error["param"], error["code"]) == (
        "max_tokens",
        "unsupported_parameter",
    )
    assert refused(model, max_tokens=None)["message"] == (
        "Invalid type for 'max_tokens': expected an unsupported value, but got null instead."
    )
    assert taken(model, max_completion_tokens=32)


@pytest.mark.parametrize("model", REASONING)
@pytest.mark.parametrize("value", [0.2, 0.0, 0])
def test_a_reasoning_model_takes_only_the_default_temperature(
    model: str, value: float
) -> None:
    """Any temperature but 1 is refused as a value, printed as it was written."""
    error = refused(model, temperature=value)
    assert error["message"] == (
        f"Unsupported value: 'temperature' does not support {value} with this model. "
        "Only the default (1) value is supported."
    )
    assert (error["param"], error["code"]) == (
        "temperature",
        "unsupported_value",
    )
    assert taken(model, temperature=1)


@pytest.mark.parametrize("model", ["o1", "o3-mini"])
def test_o1_and_o3_mini_do_not_know_temperature(model: str) -> None:
    """These models refuse the parameter, not its value."""
    error = refused(model, temperature=0.2)
    assert (
        error["message"]
        == "Unsupported parameter: 'temperature' is not supported with this model."
    )
    assert error["code"] == "unsupported_parameter"


@pytest.mark.parametrize("model", REASONING)
@pytest.mark.parametrize(
    ("name", "value", "default"),
    [
        ("top_p", 0.5, 1),
        ("presence_penalty", 0.5, 0),
        ("frequency_penalty", -1, 0),
        ("logprobs", True, False),
        ("logit_bias", {"1": 1}, {}),
    ],
)
def test_a_reasoning_model_refuses_other_sampling(
    model: str, name: str, value: Any, default: Any
) -> None:
    """Other sampling parameters are refused as parameters, but their defaults change nothing and
    are accepted.
    """
    error = refused(model, **{name: value})
    assert (
        error["message"]
        == f"Unsupported parameter: '{name}' is not supported with this model."
    )
    assert (error["param"], error["code"]) == (name, "unsupported_parameter")
    assert taken(model, **{name: default})


@pytest.mark.parametrize("model", ["o1-mini", *REASONING])
def test_stop_on_reasoning_models(model: str) -> None:
    """o3 and later models refuse stop, even an empty list; o3-mini accepts it."""
    assert (
        message_of(model, stop=[])
        == "Unsupported parameter: 'stop' is not supported with this model."
    )
    assert taken("o3-mini", stop=["\n"])


@pytest.mark.parametrize(
    "model", ["gpt-5.1", "gpt-5.4", "gpt-5.6-luna", "gpt-6-luna"]
)
def test_without_reasoning_sampling_is_taken(model: str) -> None:
    """The sampling parameters work with effort none, and without an effort if none is the
    default.
    """
    sampling = {
        "temperature": 0.7,
        "top_p": 0.9,
        "presence_penalty": 0.5,
        "logprobs": True,
        "top_logprobs": 5,
    }
    assert taken(model, reasoning_effort="none", **sampling)
    assert taken(model, **sampling) == (
        models.get(model).default_effort == "none"
    )
    assert (
        refused(model, reasoning_effort="low", **sampling)["param"]
        == "temperature"
    )


@pytest.mark.parametrize(
    ("model", "effort", "supported"),
    [
        ("o3", "minimal", "'low', 'medium', and 'high'"),
        ("gpt-5-nano", "none", "'minimal', 'low', 'medium', and 'high'"),
        ("gpt-5.1", "minimal", "'none', 'low', 'medium', and 'high'"),
        (
            "gpt-5.6-terra",
            "max",
            "'none', 'low', 'medium', 'high', and 'xhigh'",
        ),
        ("gpt-6.1-sol", "none", "'low', 'medium', 'high', 'xhigh', and 'max'"),
        ("gpt-6.2-sol", "none", "'low', 'medium', 'high', 'xhigh', and 'max'"),
        ("gpt-5", {"a": "it's"}, "'minimal', 'low', 'medium', and 'high'"),
    ],
)
def test_each_model_has_its_efforts(
    model: str, effort: Any, supported: str
) -> None:
    """An effort that the model does not accept is refused with a list of those that it accepts."""
    error = refused(model, reasoning_effort=effort)
    assert error["message"] == (
        f"Unsupported value: 'reasoning_effort' does not support {effort!r} with this model. "
        f"Supported values are: {supported}."
    )
    assert (error["param"], error["code"]) == (
        "reasoning_effort",
        "unsupported_value",
    )
    assert all(
        taken(model, reasoning_effort=each)
        for each in models.get(model).efforts
    )


@pytest.mark.parametrize("role", ["system", "developer"])
def test_o1_mini_has_neither_system_nor_developer(role: str) -> None:
    """A role that the model does not know is refused as a value."""
    error = refused(
        "o1-mini", messages=[{"role": role, "content": "Be brief."}, *USER]
    )
    assert (
        error["message"]
        == f"Unsupported value: 'messages[0].role' does not support '{role}' with this model."
    )
    assert (error["param"], error["code"]) == (
        "messages[0].role",
        "unsupported_value",
    )
    assert taken("o3", messages=[{"role": role, "content": "Be brief."}, *USER])


def test_other_things_a_model_has_no_use_for() -> None:
    """Audio, schemas, web search, verbosity, and parallel calls are refused if the model does not
    support them.
    """
    audio = [
        {
            "role": "user",
            "content": [
                {
                    "type": "input_audio",
                    "input_audio": {"data": "AA==", "format": "wav"},
                }
            ],
        }
    ]
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}
    assert message_of(messages=audio) == (
        "Invalid 'messages[0]'. Content blocks are expected to be either text or image_url type."
    )
    assert taken("gpt-4o-audio-preview", messages=audio)
    assert message_of("gpt-4", response_format=schema).startswith(
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this "
        "model. Learn more about "
    )
    assert (
        message_of(web_search_options={})
        == "Web search options not supported with this model."
    )
    assert message_of(verbosity="low") == (
        "Unsupported value: 'verbosity' does not support 'low' with this model. Supported values "
        "are: 'medium'."
    )
    assert message_of("o3", tools=FUNCTION, parallel_tool_calls=False) == (
        "Unsupported parameter: 'parallel_tool_calls' is not supported with this model."
    )


def test_tools_with_reasoning_are_for_another_endpoint() -> None:
    """From GPT-5.6 on, Chat Completions accepts function tools only without reasoning."""
    error = refused("gpt-6-luna", tools=FUNCTION)
    assert error["message"] == (
        "Function tools with reasoning_effort are not supported for gpt-6-luna in "
        "/v1/chat/completions. "
        "To use function tools, use /v1/responses or set reasoning_effort to 'none'."
    )
    assert (error["param"], error["code"]) == ("reasoning_effort", None)
    assert taken("gpt-6-luna", tools=FUNCTION, reasoning_effort="none")
    assert taken("gpt-5", tools=FUNCTION)


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-6.1-sol", None),
        ("gpt-6.1-sol", "low"),
        ("gpt-6.1-terra", None),
        ("gpt-6.1-terra", "none"),
    ],
)
def test_gpt_6_1_calls_no_functions_here(
    model: str, effort: str | None
) -> None:
    """Chat Completions serves GPT-6.1 without tools at any effort, and without predicted
    outputs.
    """
    params = {"reasoning_effort": effort} if effort else {}
    assert taken(model, **params)
    assert refused(model, tools=FUNCTION, **params)
    assert refused(
        model, prediction={"type": "content", "content": "x"}, **params
    )


@pytest.mark.parametrize(
    ("model", "param", "asked", "limit"),
    [
        ("gpt-4o", "max_tokens", 20_480, 16_384),
        ("gpt-5", "max_completion_tokens", 200_000, 128_000),
    ],
)
def test_a_reply_longer_than_the_model_can_write(
    model: str, param: str, asked: int, limit: int
) -> None:
    """A limit higher than the model's maximum output is refused, with the parameter's old name for
    both parameters.
    """
    error = refused(model, **{param: asked})
    assert error["message"] == (
        f"max_tokens is too large: {asked}. This model supports at most {limit} completion tokens, "
        f"whereas you provided {asked}."
    )
    assert (error["param"], error["code"]) == ("max_tokens", "invalid_value")
    assert taken(model, **{param: limit})


def test_a_prompt_longer_than_the_context() -> None:
    """A prompt above the context length is refused, and the error names its tokens. One token
    less is accepted.
    """
    error = refused(messages=words(128_000 - 6))
    assert error["message"] == (
        "This model's maximum context length is 128000 tokens. However, your messages resulted in "
        "128001 tokens. "
        "Please reduce the length of the messages."
    )
    assert (error["param"], error["code"]) == (
        "messages",
        "context_length_exceeded",
    )
    assert taken(messages=words(128_000 - 7))


def test_prompt_and_reply_share_the_context() -> None:
    """A prompt that fits, but not together with the requested reply, is refused, and the error
    names both.
    """
    assert count_tokens(words(8_000 - 7), model="gpt-4") == 8_000
    error = refused("gpt-4", messages=words(8_000 - 7), max_tokens=500)
    assert error["message"] == (
        "This model's maximum context length is 8192 tokens. However, you requested 8500 tokens "
        "(8000 in the messages, "
        "500 in the completion). Please reduce the length of the messages or completion."
    )
    assert taken("gpt-4", messages=words(8_000 - 7), max_tokens=192)


def test_gpt_5_limits_the_input() -> None:
    """From GPT-5 on, the prompt has its own limit, and the refusal is worded differently."""
    error = refused("gpt-5", messages=words(272_000))
    assert error["message"] == (
        "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in "
        "272006 tokens. "
        "Please reduce the length of the messages."
    )
    assert error["code"] == "context_length_exceeded"


def test_tokens_are_counted_only_where_the_limit_could_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Text that has fewer bytes than the limit has tokens is not counted, because it cannot be too
    long.
    """
    counted: list[str] = []
    monkeypatch.setattr(
        lengths,
        "count_tokens",
        lambda messages, model: counted.append(model) or 1,
    )
    assert taken(messages=[{"role": "user", "content": "x" * LEAST}])
    assert counted == []
    assert taken(messages=[{"role": "user", "content": "é" * LEAST}])
    assert counted == ["gpt-4o"]


def test_the_length_of_what_cannot_be_counted_is_not_refused() -> None:
    """If it is not known how a model counts tokens, a long prompt is not refused."""
    assert taken("o1-mini", messages=words(130_000))


@refusals("model_limits")
def test_what_single_models_refuse(
    body: dict[str, Any], error: dict[str, Any]
) -> None:
    """Genuine refusals by search, audio, older, and newer models are reproduced word for word."""
    assert error_of(refusal_of(chat(**body))) == error


def test_functions_have_their_share_of_a_long_prompt() -> None:
    """If a prompt is too long because of its functions, the error says how many tokens they
    take.
    """
    share = (
        r"\(\d+ in the messages, \d+ in the functions\)\. Please reduce the length of the "
        r"messages or functions\.$"
    )
    assert re.search(
        share, message_of("gpt-4", messages=words(9_000), tools=FUNCTION)
    )
    share = (
        r"\(\d+ in the messages, \d+ in the functions, and 4000 in the completion\)\. .* "
        r"functions, or completion\."
    )
    assert re.search(
        share,
        message_of(
            "gpt-4", messages=words(5_000), tools=FUNCTION, max_tokens=4000
        ),
    )


@pytest.mark.parametrize("model", ["o1-mini", "gpt-4o-search-preview"])
def test_tools_on_a_model_without_them_are_a_404(model: str) -> None:
    """The refusal has the body format of a 400, like every answer from the model's side of the
    API.
    """
    tool = {"type": "function", "function": {"name": "f"}}
    answer = refusal_of(chat(model, tools=[tool]))
    assert answer is not None
    assert (answer.status, answer.headers["content-type"]) == (
        404,
        "application/json",
    )
    assert error_of(answer)["message"].startswith(
        "tools is not supported in this model. For a list of supported models, refer to "
    )


def test_a_reasoning_model_takes_tools_and_tiers_that_others_do_not() -> None:
    """gpt-5-nano was seen to accept a tool from the Responses API. flex is for models that
    reason.
    """
    assert taken("gpt-5-nano", tools=[{"type": "web_search_preview"}])
    assert taken("o3", service_tier="flex")
