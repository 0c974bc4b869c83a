"""What of the API's requests reaches llama.cpp, and how; and what is refused because the local model cannot do it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.offline.local_requests import CODE, MOST, REFUSED, SEEDS, local_refusal, local_request
from coursekit.offline.request_form import rules
from support.offline_api import params

APPLIED = {
    "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty",
    "stop", "seed", "n", "logprobs", "top_logprobs", "response_format", "stream", "stream_options",
}  # fmt: skip
# They ask for storage, billing, routing or speed: no reply is another one for them.
HARMLESS = {
    "user", "safety_identifier", "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "prediction",
}  # fmt: skip
ASKING = {
    "tools": [{"type": "function", "function": {"name": "x"}}], "tool_choice": "auto", "parallel_tool_calls": True,
    "functions": [{"name": "x"}], "function_call": "auto", "reasoning_effort": "low", "verbosity": "low",
    "modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}, "web_search_options": {},
    "moderation": {"model": "x"}, "logit_bias": {"50256": -100},
}  # fmt: skip


def test_no_parameter_is_passed_over() -> None:
    """Every parameter that the offline API knows is applied, refused, or changes no reply."""
    known = set(rules()["parameter"])
    assert known - {"model"} <= APPLIED | HARMLESS | REFUSED.keys()
    assert set(ASKING) == set(REFUSED)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_it_cannot_do_is_refused(name: str) -> None:
    """A 400 that names parameter, model and the way out; a value that asks for nothing passes."""
    answer = local_refusal({**params(), name: ASKING[name]}, "Tiny")
    assert answer is not None
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"], error["param"]) == (400, CODE, name)
    assert "local model Tiny" in error["message"] and 'connect(mode="live")' in error["message"]
    for harmless in (None, *REFUSED[name]):
        assert local_refusal({**params(), name: harmless}, "Tiny") is None


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}, "messages[0]"),
        ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, "messages[0]"),
        ({"role": "tool", "tool_call_id": "1", "content": "4"}, "messages[0]"),
        ({"role": "assistant", "tool_calls": [{"id": "1"}]}, "messages[0]"),
        ({"role": "user", "name": "Ada", "content": "Hi"}, "messages[0].name"),
    ],
)
def test_messages_that_it_cannot_read_are_refused(message: dict[str, Any], param: str) -> None:
    """Images, sound, tools and named speakers."""
    answer = local_refusal({"messages": [message]}, "Tiny")
    assert answer is not None
    assert json.loads(answer.body)["error"]["param"] == param


def test_llama_cpp_gets_the_api_s_defaults() -> None:
    """Without parameters: temperature and top_p 1, no sampler of llama.cpp's own, nothing of earlier requests."""
    (asked,) = local_request(params("Hi"), seed=7)
    assert (asked["temperature"], asked["top_p"], asked["seed"], asked["max_tokens"]) == (1, 1, 7, MOST)
    assert asked["samplers"] == ["penalties", "temperature", "top_p"]
    assert (asked["top_k"], asked["min_p"], asked["repeat_penalty"], asked["cache_prompt"]) == (0, 0, 1, False)
    assert asked["repeat_last_n"] == 2048
    assert not asked.keys() & {"logprobs", "top_logprobs", "response_format"}


def test_parameters_are_handed_on() -> None:
    """Each with its own value; null is a default; one stop is a list; a developer is a system."""
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = {
        "messages": [{"role": "developer", "content": parts}, {"role": "assistant", "content": None}],
        "temperature": 0, "top_p": 0.5, "presence_penalty": -1, "frequency_penalty": 2, "stop": "x",
        "max_completion_tokens": 9, "seed": 5, "n": 2, "logprobs": True, "top_logprobs": 3,
        "response_format": {"type": "json_object"},
    }  # fmt: skip
    first, second = local_request(body, seed=1)
    assert first["messages"] == [{"role": "system", "content": "ab"}, {"role": "assistant", "content": ""}]
    names = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
    assert {name: first[name] for name in names} == {name: body[name] for name in names}
    assert (first["stop"], first["max_tokens"], first["top_logprobs"]) == (["x"], 9, 3)
    assert first["response_format"] == {"type": "json_object"}
    assert second == {**first, "seed": 6}
    (plain,) = local_request({**params(), "temperature": None, "stop": ["a", "b"], "max_tokens": 4}, seed=1)
    assert (plain["temperature"], plain["stop"], plain["max_tokens"]) == (1, ["a", "b"], 4)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 8))
def test_every_seed_is_one(seed: int, n: int) -> None:
    """Any integer that the API takes becomes one that llama.cpp takes as a seed, never its "by chance"."""
    seeds = [asked["seed"] for asked in local_request({**params(), "seed": seed, "n": n}, seed=0)]
    assert all(0 <= each < SEEDS for each in seeds)
    assert len(set(seeds)) == n
