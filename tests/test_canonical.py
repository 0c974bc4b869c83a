"""Equal requests have the same canonical form and name, which no other request has."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coursekit
from coursekit import course
from coursekit.offline.canonical import canonical, equal_requests
from coursekit.offline.exchange import CHAT_COMPLETIONS, ApiRequest
from coursekit.offline.recordings import name_of
from coursekit.offline.rules.validation import refusal_of
from coursekit.workshop.authoring.rename import misnamed
from support.offline_api import folder_with, params, request, whole

FUNCTION = {
    "name": "look_up",
    "parameters": {"type": "object", "properties": {}},
}
FORMAT = {"name": "answer", "schema": {"type": "object", "properties": {}}}
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]),
    min_size=1,
    max_size=12,
)

# What a chat model accepts and what changes the answer: for each parameter, values that all mean
# something different.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.2, 0.7, 1.5, 2]),
    "top_p": st.sampled_from([0.1, 0.5, 0.9]),
    "frequency_penalty": st.sampled_from([-1, 0.5, 2]),
    "presence_penalty": st.sampled_from([-1, 0.5, 2]),
    "n": st.integers(2, 5),
    "seed": st.integers(0, 9),
    "max_completion_tokens": st.integers(1, 500),
    "stop": st.lists(TEXTS, min_size=1, max_size=3),
    "logit_bias": st.just({"42": -100}),
    "tools": st.just([{"type": "function", "function": FUNCTION}]),
    "response_format": st.just({"type": "json_schema", "json_schema": FORMAT}),
    "service_tier": st.sampled_from(["fast", "priority"]),
    "stream": st.just(True),
}
NOT_TAKEN = {"gpt-5.4": ("stop", "logit_bias", "max_tokens", "modalities")}
MODELS = st.sampled_from(["gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5.4"])


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A body that the API accepts, with nothing superfluous."""
    roles = st.sampled_from(["system", "user", "assistant"])
    messages = draw(
        st.lists(
            st.fixed_dictionaries({"role": roles, "content": TEXTS}), max_size=3
        )
    )
    last = {"role": "user", "content": draw(TEXTS)}
    model = draw(MODELS)
    values = {
        name: value
        for name, value in VALUES.items()
        if name not in NOT_TAKEN.get(model, ())
    }
    return {
        "model": model,
        "messages": [*messages, last],
        **draw(st.fixed_dictionaries({}, optional=values)),
    }


@st.composite
def said_otherwise(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """The same body with superfluous parts, and with the alternative form of everything that has
    two forms.
    """
    other: dict[str, Any] = copy.deepcopy(body)
    for message in other["messages"]:
        if draw(st.booleans()):
            message["content"] = [{"type": "text", "text": message["content"]}]
        if message["role"] == "assistant":
            message.update(
                draw(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "refusal": st.none(),
                            "annotations": st.just([]),
                        },
                    )
                )
            )
    if len(other.get("stop", [])) == 1 and draw(st.booleans()):
        other["stop"] = other["stop"][0]
    no = NOT_TAKEN.get(body["model"], ())
    if (
        "max_completion_tokens" in other
        and "max_tokens" not in no
        and draw(st.booleans())
    ):
        other["max_tokens"] = other.pop("max_completion_tokens")
    if draw(st.booleans()):
        for inner in (tool["function"] for tool in other.get("tools", ())):
            inner["strict"] = draw(st.sampled_from([False, None]))
        if "response_format" in other:
            other["response_format"]["json_schema"]["strict"] = False
    spare = {
        "stream": False,
        "n": 1,
        "temperature": 1,
        "top_p": 1,
        "frequency_penalty": 0,
        "presence_penalty": 0,
        "logprobs": False,
        "logit_bias": {},
        "response_format": {"type": "text"},
        "modalities": ["text"],
        "verbosity": "medium",
        "service_tier": "default",
        "user": "u",
        "safety_identifier": "s",
        "store": True,
        "metadata": {"run": "7"},
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "seed": None,
        "stop": None,
        **(
            {"tool_choice": "auto", "parallel_tool_calls": True}
            if "tools" in other
            else {}
        ),
        **(
            {
                "stream_options": {
                    "include_usage": False,
                    "include_obfuscation": True,
                }
            }
            if "stream" in other
            else {}
        ),
    }
    if body["model"] == "gpt-5.4":
        spare["reasoning_effort"] = "none"
    for name in draw(
        st.sets(
            st.sampled_from(sorted(spare.keys() - other.keys() - set(no))),
            min_size=1,
        )
    ):
        other[name] = spare[name]
        if name == "metadata":
            other["store"] = True  # without it the API refuses metadata
    return dict(draw(st.permutations(list(other.items()))))


def named(body: dict[str, Any]) -> str:
    return name_of(request(body))


@given(st.data())
def test_equal_bodies_have_one_name(data: st.DataObject) -> None:
    """A body and its equivalents find the same recordings."""
    body = data.draw(bodies())
    other = data.draw(said_otherwise(body))
    assert refusal_of(body) is None and refusal_of(other) is None, (
        "both are taken by the API"
    )
    assert named(body) == named(other)
    assert canonical(canonical(other)) == canonical(other)


@given(st.data())
def test_unequal_bodies_have_two_names(data: st.DataObject) -> None:
    """Bodies that differ in something that changes the answer are different requests, in whatever
    form they are sent.
    """
    body = data.draw(bodies())
    other = copy.deepcopy(body)
    change = data.draw(
        st.sampled_from(
            [
                "model",
                "text",
                "role",
                *sorted(VALUES.keys() - set(NOT_TAKEN["gpt-5.4"])),
            ]
        )
    )
    if change == "model":
        other["model"] = (
            "gpt-4o-2024-11-20"
            if body["model"] != "gpt-5.4"
            else "gpt-5.4-2026-03-05"
        )
    elif change == "text":
        other["messages"][-1]["content"] += data.draw(TEXTS)
    elif change == "role":
        other["messages"][-1]["role"] = "system"
    elif change in other and data.draw(st.booleans()):
        del other[change]
    else:
        other[change] = data.draw(
            VALUES[change].filter(lambda value: value != body.get(change))
            if change
            in (
                "temperature",
                "top_p",
                "n",
                "seed",
                "stop",
                "max_completion_tokens",
            )
            else VALUES[change]
        )
    if other == body:
        del other[change]
    assert named(data.draw(said_otherwise(body))) != named(
        data.draw(said_otherwise(other))
    )


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 5, "max_completion_tokens": 5},  # not both
        {"stream_options": {"include_usage": False}},  # without stream
        {"metadata": {"run": "7"}},  # without store
        {"tool_choice": "auto"},  # without tools
        {"parallel_tool_calls": True},
        {"user": 5},
        {"store": "yes"},
        {"metadata": {"run": 7}},
        {"prompt_cache_key": "k" * 65},
        {"stream": 0},
        {"n": True},
        {"temperature": "1"},
        {"reasoning_effort": "medium"},  # gpt-4o does not support it
        {"unknown": None},
        # one superfluous value, and one that is invalid
        {
            "user": "u",
            "temperature": 3,
        },
        {"messages": [{"role": "user", "content": None}]},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": 5}]}
            ]
        },
        {"model": "o4-mini", "max_tokens": 5},
        {"model": "o4-mini", "max_tokens": None},
        {"model": "o4-mini", "modalities": ["text"]},
    ],
)
def test_a_refused_body_is_equal_to_no_other(more: dict[str, Any]) -> None:
    """A body that the API refuses is its own canonical form, so it does not find the recording of
    an accepted one.
    """
    body = {**params(), **more}
    assert refusal_of(body) is not None
    assert canonical(body) == body


def test_a_refused_body_is_refused_beside_the_recording_of_an_accepted_one(
    tmp_path: Path,
) -> None:
    """In replay, the mistake is reported even though the same request without the mistake is
    recorded."""
    folder = folder_with(tmp_path, (params(max_completion_tokens=5), whole()))
    client = coursekit.connect("replay", recordings=folder, speed="instant")
    with pytest.raises(openai.BadRequestError, match="at the same time"):
        client.chat.completions.create(
            **params(max_tokens=5, max_completion_tokens=5)
        )


def test_the_default_effort_is_the_models() -> None:
    """The default effort of o4-mini is "medium", and that of gpt-5.4 is "none". An effort that is
    not the model's default makes another request.
    """
    assert named(params(model="o4-mini", reasoning_effort="medium")) == named(
        params(model="o4-mini")
    )
    assert named(params(model="gpt-5.4", reasoning_effort="none")) == named(
        params(model="gpt-5.4")
    )
    assert named(params(model="gpt-5.4", reasoning_effort="medium")) != named(
        params(model="gpt-5.4")
    )


def test_another_servers_defaults_are_not_ours() -> None:
    """For a model that is not in the table, only what means the same to every server is equal:
    stream: false is, but temperature: 1 is not.
    """
    assert named(params(model="llama3.2", stream=False, n=1)) == named(
        params(model="llama3.2")
    )
    assert named(params(model="llama3.2", temperature=1)) != named(
        params(model="llama3.2")
    )
    assert named(params(model="llama3.2", max_tokens=5)) != named(
        params(model="llama3.2", max_completion_tokens=5)
    )


@pytest.mark.parametrize(
    "base_url",
    [
        "http://gateway/openai/v1",
        "https://openrouter.example/api/v1",
        "http://127.0.0.1:11434/v1",
        "https://name.openai.azure.com/openai/deployments/gpt-4o",
    ],
)
def test_the_base_path_is_not_part_of_a_request(
    tmp_path: Path, base_url: str
) -> None:
    """A recording made through one gateway is found through another, and without a gateway."""
    body = params()
    client = coursekit.connect(
        "replay",
        recordings=folder_with(tmp_path, (body, whole())),
        base_url=base_url,
    )
    assert (
        client.chat.completions.create(**body).choices[0].message.content
        == "Paris."
    )
    path = next(tmp_path.glob("*.json"))
    path.write_text(
        path.read_text().replace(
            CHAT_COMPLETIONS, "/openai/v1/chat/completions"
        )
    )
    assert (
        coursekit.connect("replay", recordings=tmp_path)
        .chat.completions.create(**body)
        .usage.total_tokens
        == 16
    )
    assert misnamed([path]) == []


def test_an_azure_client_finds_what_was_recorded(tmp_path: Path) -> None:
    """Azure's path names the deployment; the SDK's body still names the model."""
    folder = folder_with(tmp_path, (params(), whole()))
    http = coursekit.connect("replay", recordings=folder)._client
    azure = openai.AzureOpenAI(
        azure_endpoint="https://name.openai.azure.com",
        api_version="2024-10-21",
        api_key="key",
        http_client=http,
    )
    assert (
        azure.chat.completions.create(**params()).choices[0].message.content
        == "Paris."
    )


def test_frameworks_that_send_defaults_are_answered(tmp_path: Path) -> None:
    """The requests of langchain-openai (stream: false) and of the SDK's own parse() equal the
    recorded one.
    """
    client = coursekit.connect(
        "replay",
        recordings=folder_with(tmp_path, (params(), whole())),
        speed="instant",
    )
    assert (
        client.chat.completions.create(**params(stream=False))
        .choices[0]
        .message.content
        == "Paris."
    )
    assert (
        client.chat.completions.parse(**params()).choices[0].message.content
        == "Paris."
    )


def test_every_rule_has_a_source_and_is_used() -> None:
    """Each rule in data/equal_requests.toml gives its evidence, in one of the known forms."""
    words = {
        "defaults",
        "default_of",
        "ignored",
        "same_as",
        "single",
        "any_server",
        "source",
    }
    for kind, fields in equal_requests().items():
        for name, rule in fields.items():
            assert rule["source"].split()[0] in (
                "openapi",
                "sdk",
                "models.toml,",
            ), f"{kind}.{name}"
            assert (
                rule.keys() <= words
                and len(rule.keys() - {"any_server", "source"}) == 1
            ), f"{kind}.{name}"


def test_the_courses_recordings_have_their_canonical_names() -> None:
    """Each of the course's recordings has a name by which a request finds it."""
    assert (
        misnamed(
            [
                path
                for folder in course.recording_folders()
                for path in folder.glob("*.json")
            ]
        )
        == []
    )


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"5",
        b'"text"',
        b"{",
        b"",
        b'{"messages": 5, "tools": [5], "stop": {}}',
    ],
)
def test_a_body_that_is_no_request_has_a_name(body: bytes) -> None:
    """Every body has a name, so that validation can refuse it."""
    assert name_of(ApiRequest("POST", CHAT_COMPLETIONS, body))
    assert name_of(
        ApiRequest(
            "POST",
            CHAT_COMPLETIONS,
            json.dumps({"model": 5, "n": [1]}).encode(),
        )
    )
