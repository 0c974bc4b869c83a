"""coursekit.batching.requests: the entire list is checked before any request is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage
from pydantic import BaseModel

from coursekit import run_batch
from coursekit.batching import as_requests
from support.batching_stand_in import client_of
from support.offline_api import whole

USER = [{"role": "user", "content": "Hi"}]
MODEL = {"model": "gpt-4o"}


def test_a_prompt_is_a_request_with_one_message() -> None:
    """A prompt becomes one user message, and the shared parameters are added."""
    (request,) = as_requests(["Hi"], {**MODEL, "temperature": 0})
    assert request.params == {
        "model": "gpt-4o",
        "temperature": 0,
        "messages": USER,
    }
    assert request.custom_id == "request-1"


def test_a_requests_own_arguments_go_before_the_shared_ones() -> None:
    """A mapping is used as create()'s arguments, plus the shared ones that it does not have. The
    mapping is not changed.
    """
    own = {"custom_id": "mine", "messages": USER, "temperature": 1}
    (request,) = as_requests([own], {**MODEL, "temperature": 0})
    assert (request.custom_id, request.params) == (
        "mine",
        {"model": "gpt-4o", "messages": USER, "temperature": 1},
    )
    assert own == {"custom_id": "mine", "messages": USER, "temperature": 1}


def test_messages_may_be_the_sdks_objects() -> None:
    """A message from an earlier reply can be sent unchanged."""
    said = ChatCompletionMessage(role="assistant", content="Hello")
    plain = {"role": "assistant", "content": "Hello"}
    keys = [
        as_requests([{"messages": [*USER, message]}], MODEL)[0].key
        for message in (said, plain)
    ]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("items", "shared", "kind", "message"),
    [
        (
            "Hi",
            MODEL,
            TypeError,
            "needs a list of prompts or requests, but got a single str",
        ),
        ({"messages": USER}, MODEL, TypeError, "but got a single dict"),
        (["Hi", 5], MODEL, TypeError, "Request 2 is a int"),
        (["Hi"], {}, ValueError, "Request 1 has no model. Give it: run_batch"),
        ([{"messages": []}], MODEL, ValueError, "Request 1 has no messages"),
        (
            ["Hi"],
            {**MODEL, "tempratur": 1},
            ValueError,
            "'tempratur', which .* does not accept. Did you mean temperature?",
        ),
        (
            ["Hi"],
            {**MODEL, "stream": True},
            ValueError,
            "stream=True. A batch cannot stream",
        ),
        (
            ["Hi"],
            {**MODEL, "temperature": float("nan")},
            ValueError,
            "Request 1 cannot be written as JSON",
        ),
        (
            ["Hi"],
            {**MODEL, "response_format": BaseModel},
            ValueError,
            r"the class BaseModel is not JSON\. Only parse\(\) takes a class",
        ),
        (
            [{"messages": USER, "user": object()}],
            MODEL,
            ValueError,
            "cannot be written as JSON.*object is not JSON",
        ),
        (
            [{"messages": USER, "custom_id": ""}],
            MODEL,
            ValueError,
            "custom_id ''. Use a non-empty string",
        ),
        (
            [{"messages": USER, "custom_id": 7}],
            MODEL,
            ValueError,
            "custom_id 7. Use a non-empty string",
        ),
        (
            [{"messages": USER, "custom_id": "a"}] * 2,
            MODEL,
            ValueError,
            "Request 2 has the custom_id 'a', and so does an",
        ),
        (
            [{"messages": USER, "custom_id": "request-2"}, "Hi"],
            MODEL,
            ValueError,
            "Set one for every request, or for none",
        ),
        (
            ["Hi", {"messages": USER, "custom_id": "request-1"}],
            MODEL,
            ValueError,
            "so does an earlier one",
        ),
    ],
)
async def test_bad_input_is_told_before_anything_is_sent(
    items: Any, shared: dict[str, Any], kind: type[Exception], message: str
) -> None:
    """One invalid request in a list is named, and no request is sent."""
    client, answers = client_of(lambda *_: whole())
    with pytest.raises(kind, match=message):
        await run_batch(client, items, **shared)
    assert answers.prompts == []


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=12), st.randoms())
def test_keys_follow_the_requests_through_any_order(
    prompts: list[str], rng: Any
) -> None:
    """All keys are different, and a reordered or longer list has the same keys for the same
    prompts.
    """
    keys = [request.key for request in as_requests(prompts, MODEL)]
    assert len(set(keys)) == len(keys)
    longer = [*prompts, "a", "d"]
    rng.shuffle(longer)
    assert set(keys) <= {request.key for request in as_requests(longer, MODEL)}
