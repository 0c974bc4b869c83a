"""migrate(): a request that another model accepts, and what had to be changed in it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel

from coursekit import models
from coursekit.course import recording_folders
from coursekit.migration import CannotMigrate, migrate
from coursekit.offline.recordings import read
from coursekit.offline.rules.form import rules
from coursekit.offline.rules.validation import refusal_of

HELLO = [{"role": "user", "content": "Hello"}]
CHAT = [
    name
    for name in models.names()
    if models.get(name).endpoint == "chat" and not models.get(name).needs_audio
]
FUNCTION = {
    "type": "function",
    "function": {
        "name": "f",
        "parameters": {"type": "object", "properties": {}},
    },
}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}


def changes(
    to_model: str, model: str | None = "gpt-4o", **params: Any
) -> list[tuple[str, str, Any]]:
    """The kind, parameter, and new value of each change."""
    asked = {"messages": HELLO, **({"model": model} if model else {}), **params}
    return [
        (change.kind, change.parameter, change.after)
        for change in migrate(asked, to_model).changes
    ]


def test_a_cap_is_renamed_for_reasoning_models() -> None:
    """max_tokens becomes max_completion_tokens, with the same value and the reason."""
    moved = migrate(
        {"model": "gpt-4o", "messages": HELLO, "max_tokens": 100}, "o3"
    )
    assert moved.params == {
        "model": "o3",
        "messages": HELLO,
        "max_completion_tokens": 100,
    }
    assert str(moved) == (
        "renamed: max_tokens -> max_completion_tokens: the name that o3 knows; hidden reasoning "
        "also counts"
    )


def test_sampling_is_dropped_where_a_model_always_reasons() -> None:
    """o3 accepts temperature and top_p only at their defaults, which may stay, and does not accept
    stop at all.
    """
    assert changes("o3", temperature=0.2, top_p=1, stop="\n", seed=1) == [
        ("dropped", "temperature", None),
        ("dropped", "stop", None),
    ]


def test_reasoning_is_switched_off_where_it_was_not_asked_for() -> None:
    """A gpt-4o request is sent to a GPT-6 model with effort none, so it keeps its sampling
    parameters and its cap.
    """
    assert changes("gpt-6-luna", temperature=0, max_completion_tokens=50) == [
        ("added", "reasoning_effort", "none")
    ]
    assert changes("gpt-5.4", temperature=0) == []  # there it is the default
    # it always reasons
    assert changes("gpt-6.2-sol", temperature=0) == [
        ("dropped", "temperature", None)
    ]


def test_the_effort_stays_the_same_or_the_nearest() -> None:
    """An effort that the other model does not have becomes the nearest one it has. If the defaults
    differ, the effort is written out.
    """
    assert changes("o3", "gpt-5", reasoning_effort="minimal") == [
        ("changed", "reasoning_effort", "low")
    ]
    assert changes("gpt-5", "o4-mini", reasoning_effort="high") == []
    assert changes("gpt-6.2-sol", "gpt-6-luna", reasoning_effort="none") == [
        ("changed", "reasoning_effort", "low")
    ]
    assert changes("gpt-5.4", "o3") == [("added", "reasoning_effort", "medium")]
    assert changes("gpt-4o", "o3", reasoning_effort="low") == [
        ("dropped", "reasoning_effort", None)
    ]


def test_functions_go_before_reasoning() -> None:
    """A model that calls functions only without reasoning gets effort none. A model that always
    reasons gets no functions.
    """
    assert changes("gpt-6-luna", "o3", tools=[FUNCTION]) == [
        ("added", "reasoning_effort", "none")
    ]
    assert changes(
        "gpt-6.2-sol", "o3", tools=[FUNCTION], tool_choice="auto"
    ) == [
        ("dropped", "tools", None),
        ("dropped", "tool_choice", None),
    ]


def test_numbers_are_lowered_to_the_other_models_limits() -> None:
    """n, top_logprobs, and the cap are lowered, the cap also to what the context leaves after the
    prompt.
    """
    assert changes(
        "gpt-6-luna",
        n=20,
        logprobs=True,
        top_logprobs=20,
        max_completion_tokens=16_000,
    ) == [
        ("added", "reasoning_effort", "none"),
        ("changed", "n", 8),
        ("changed", "top_logprobs", 5),
    ]
    assert changes("gpt-4o", "o3", max_completion_tokens=50_000) == [
        ("changed", "max_completion_tokens", 16_384)
    ]
    long = [{"role": "user", "content": "word " * 5_000}]
    [(_, _, cap)] = changes("gpt-4", messages=long, max_completion_tokens=8_000)
    assert 3_000 < cap < 3_192


def test_token_ids_mean_nothing_to_another_vocabulary() -> None:
    """logit_bias identifies tokens by number, so it is kept for the same vocabulary and dropped for
    another.
    """
    assert changes("gpt-4.1", logit_bias={"1": 5}) == []
    assert changes("gpt-4.1", "gpt-4", logit_bias={"1": 5}) == [
        ("dropped", "logit_bias", None)
    ]


def test_a_role_that_is_not_known_becomes_the_users() -> None:
    """o1-mini has neither a system nor a developer role, so the user says their text."""
    moved = migrate(
        {"messages": [{"role": "system", "content": "Be brief."}, *HELLO]},
        "o1-mini",
    )
    assert [message["role"] for message in moved.params["messages"]] == [
        "user",
        "user",
    ]
    assert moved.changes[0].parameter == "messages[0].role"


def test_calls_and_their_results_stay_a_conversation() -> None:
    """If a model does not support tools, calls and results become text, so that no result is
    without its call.
    """
    talk = [
        *HELLO,
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "7"},
    ]
    moved = migrate(
        {"model": "gpt-4o", "messages": talk, "tools": [FUNCTION]}, "o1-mini"
    )
    assert [message["role"] for message in moved.params["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    assert '"name": "f"' in moved.params["messages"][1]["content"]
    assert moved.params["messages"][2]["content"] == "7"


def test_a_schema_is_dropped_where_a_model_has_none() -> None:
    """gpt-4 does not support json_schema, so response_format is dropped, with advice on what to do
    instead.
    """
    moved = migrate(
        {"model": "gpt-4o", "messages": HELLO, "response_format": SCHEMA},
        "gpt-4",
    )
    assert "describe the form in the prompt, and check the reply" in str(moved)
    assert changes("gpt-6.2-sol", response_format=SCHEMA) == []


def test_what_the_sdk_adds_is_passed_on() -> None:
    """The SDK's options, a class as response_format, and the SDK's message objects stay
    unchanged.
    """

    class Invoice(BaseModel):
        total: float

    said = ChatCompletionMessage(role="assistant", content="Hi.")
    params = {
        "messages": [*HELLO, said, *HELLO],
        "timeout": 5,
        "response_format": Invoice,
    }
    assert migrate(params, "gpt-6-luna").params == {
        **params,
        "model": "gpt-6-luna",
    }


def test_nothing_is_changed_in_place() -> None:
    """The given parameters and their messages stay unchanged."""
    params = {
        "model": "gpt-4o",
        "messages": [{"role": "system", "content": "x"}],
        "max_tokens": 5,
        "temperature": 0.2,
    }
    before = copy.deepcopy(params)
    migrate(params, "o1-mini")
    assert params == before


def test_what_cannot_be_moved_says_so() -> None:
    """A request that is invalid for every model, a request that is too long, and a model for
    another endpoint raise CannotMigrate.
    """
    with pytest.raises(
        CannotMigrate,
        match=r"o3 would refuse this request.*Missing required parameter: 'messages'",
    ):
        migrate({"model": "gpt-4o"}, "o3")
    with pytest.raises(
        CannotMigrate, match="maximum context length is 8192 tokens"
    ):
        migrate(
            {"messages": [{"role": "user", "content": "word " * 9_000}]},
            "gpt-4",
        )
    other = next(
        name
        for name in models.names()
        if models.get(name).endpoint == "responses"
    )
    with pytest.raises(
        CannotMigrate, match=f"{other} is not available on Chat Completions"
    ):
        migrate({"messages": HELLO}, other)
    with pytest.raises(models.UnknownModel):
        migrate({"messages": HELLO}, "gpt-nine")


def _values() -> dict[str, st.SearchStrategy[Any]]:
    """For each parameter in request_rules.toml, values that some model accepts."""
    number = st.floats(0, 2, allow_nan=False) | st.sampled_from([0, 1])
    tools = st.just([FUNCTION])
    special: dict[str, st.SearchStrategy[Any]] = {
        "functions": st.just([{"name": "f"}]),
        "function_call": st.sampled_from(["none", "auto"]),
        "tools": tools,
        "tool_choice": st.sampled_from(["none", "auto", "required"]),
        "top_logprobs": st.integers(0, 20),
        "n": st.integers(1, 128),
        "top_p": st.floats(0, 1, allow_nan=False),
        "reasoning_effort": st.sampled_from(
            ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
        ),
        "response_format": st.sampled_from(
            [{"type": "text"}, {"type": "json_object"}, SCHEMA]
        ),
        "prompt_cache_retention": st.sampled_from(["in_memory", "24h"]),
        "stop": st.sampled_from(["x", ["x", "y"], []]),
        "logit_bias": st.sampled_from([{}, {"1": 5}]),
        "max_tokens": st.integers(1, 200_000),
        "max_completion_tokens": st.integers(1, 200_000),
        "temperature": number,
        "presence_penalty": number,
        "frequency_penalty": number,
        "moderation": st.just({"model": "m"}),
        "audio": st.just({"voice": "x", "format": "wav"}),
        "modalities": st.just(["text"]),
    }
    plain = {
        "string": st.just("low"),
        "boolean": st.booleans(),
        "integer": st.integers(0, 9),
        "object": st.just({}),
        "array": st.just(["x"]),
    }
    found = {
        name: special.get(name, plain.get(str(rule["type"])))
        for name, rule in rules()["parameter"].items()
    }
    return {
        name: values | st.none()
        for name, values in found.items()
        if name != "messages" and values is not None
    }


CALL = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}
AUDIO = {
    "type": "input_audio",
    "input_audio": {"data": "AA==", "format": "wav"},
}
MESSAGES = st.lists(
    st.sampled_from(
        [
            [{"role": "system", "content": "Speak JSON."}],
            [{"role": "developer", "content": "Be brief."}],
            [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
            [{"role": "user", "content": "Hi", "name": "ann"}],
            [{"role": "user", "content": [AUDIO]}],
            [{"role": "assistant", "content": "Hello."}],
            [{"role": "function", "name": "f", "content": "7"}],
            [
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c", "content": "7"},
            ],
        ]
    ),
    min_size=1,
    max_size=4,
).map(lambda groups: [message for group in groups for message in group])
REQUESTS = st.fixed_dictionaries(
    {"model": st.sampled_from(CHAT), "messages": MESSAGES},
    optional=_values(),
)


@pytest.mark.parametrize(
    ("option", "choice"),
    [("functions", "function_call"), ("tools", "tool_choice")],
)
def test_a_choice_goes_with_what_it_chooses_from(
    option: str, choice: str
) -> None:
    """A model that does not accept functions does not accept a choice among them either."""
    function = {"name": "f"}
    offered = {
        "functions": function,
        "tools": {"type": "function", "function": function},
    }
    moved = migrate(
        {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "Hi"}],
            option: [offered[option]],
            choice: "none",
        },
        "o1-preview",
    )
    assert {option, choice}.isdisjoint(moved.params)


@given(REQUESTS, st.sampled_from(CHAT))
@pytest.mark.slow
def test_the_offline_api_accepts_what_migrate_makes(
    body: dict[str, Any], to_model: str
) -> None:
    """Any request that its own model accepts is accepted by every other model in the table
    after migration.
    """
    while (
        refused := refusal_of(body)
    ) is not None:  # remove what its own model does not accept
        culprit = _culprit(body, refused.body)
        body = {name: value for name, value in body.items() if name != culprit}
    moved = migrate(body, to_model)
    assert refusal_of(moved.params) is None
    assert moved.params["model"] == to_model
    again = migrate(moved.params, to_model)
    assert again.params == moved.params and not again.changes


def _culprit(body: dict[str, Any], refusal: bytes) -> str:
    """The name of a parameter that may cause the refusal; messages are made plain."""
    for name in [name for name in body if name not in ("model", "messages")]:
        without = refusal_of(
            {key: value for key, value in body.items() if key != name}
        )
        if without is None or without.body != refusal:
            return name
    body["messages"] = HELLO
    return ""


@pytest.mark.slow
def test_every_recorded_request_can_be_moved_to_every_model() -> None:
    """Every chat model in the table accepts each request that the course recorded, after
    migration.
    """
    bodies = [
        read(path)[0].body
        for folder in recording_folders()
        for path in sorted(folder.glob("*.json"))
    ]
    right = [body for body in bodies if refusal_of(body) is None]
    assert len(right) > 50
    refused = [
        (body["model"], name)
        for body in right
        for name in CHAT
        if refusal_of(migrate(body, name).params) is not None
    ]
    assert refused == []
