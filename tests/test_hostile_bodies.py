"""Whatever is sent as a body, the layer accepts or refuses it, and never raises an exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coursekit.offline.rules.form import rules
from coursekit.offline.rules.validation import refusal_of
from support.refused import UNPARSABLE, USER, chat, message_of, sent

PARAMETERS = [*rules()["parameter"], "model", "zzz", "__proto__"]
WORDS = [
    "user",
    "assistant",
    "developer",
    "tool",
    "function",
    "text",
    "json_schema",
    "json_object",
    "file",
    "content",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(WORDS)
    | st.just("\ud800")
    | st.just(10**400)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner)
    ),
    max_leaves=8,
)
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
FUNCTION = {"name": "f", "parameters": SCHEMA, "strict": True}
CALL = {
    "id": "c",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
}
RICH = chat(
    messages=[
        {
            "role": "developer",
            "content": [{"type": "text", "text": "Answer in JSON."}],
        },
        {
            "role": "user",
            "name": "Ada",
            "content": [{"type": "file", "file": {"file_id": "f"}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {
            "role": "assistant",
            "function_call": {"name": "f", "arguments": "{}"},
        },
        {"role": "function", "name": "f", "content": "2"},
        *USER,
    ],
    tools=[{"type": "function", "function": FUNCTION}],
    tool_choice={"type": "function", "function": {"name": "f"}},
    functions=[{"name": "g"}],
    function_call={"name": "g"},
    response_format={"type": "json_object"},
    stop=["\n"],
    logprobs=True,
    top_logprobs=2,
    max_tokens=5,
    metadata={"k": "v"},
    store=True,
    stream=True,
    verbosity="medium",
    stream_options={"include_usage": True},
)
STRICT = chat(
    "gpt-4.1",
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": SCHEMA, "strict": True},
    },
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value within a value."""
    for key, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield (*here, key)
        yield from paths(inner, (*here, key))


def with_value(
    body: dict[str, Any], path: tuple[Any, ...], value: Any
) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    place: Any = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def check(body: Any) -> None:
    """The request is accepted, or refused with a 4xx whose body is an error in valid UTF-8."""
    answer = refusal_of(body)
    if answer is not None:
        assert 400 <= answer.status < 500
        error = json.loads(answer.body.decode("utf-8"))["error"]
        assert list(error) == ["message", "type", "param", "code"]
        assert isinstance(error["message"], str)


@given(st.dictionaries(st.sampled_from(PARAMETERS), VALUES) | VALUES)
@example(chat(temperature=float("nan"), top_p=float("inf")))
@example(chat("o3", **{"\ud800": 1}))
@example(chat("\ud800"))
def test_no_body_makes_it_fail(body: Any) -> None:
    """Any JSON value is accepted, or refused with a valid error."""
    check(body)


@given(
    st.sampled_from(
        [(body, path) for body in (RICH, STRICT) for path in paths(body)]
    ),
    VALUES,
)
def test_no_change_to_a_right_body_makes_it_fail(
    place: tuple[dict[str, Any], tuple[Any, ...]], value: Any
) -> None:
    """A request with every feature and one changed value is accepted, or refused with a valid
    error.
    """
    body, path = place
    check(with_value(body, path, value))


@pytest.mark.parametrize("body", [RICH, STRICT])
def test_the_bodies_that_are_changed_are_right(body: dict[str, Any]) -> None:
    """The requests reach every check before they are changed."""
    assert refusal_of(body) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(raw: bytes) -> None:
    """Whatever bytes are sent as a body, the layer answers."""
    assert sent(raw).status in (200, 400, 404)


@pytest.mark.parametrize("name", ["n", "max_tokens", "temperature", "messages"])
def test_an_integer_too_long_to_print_is_refused(name: str) -> None:
    """Python does not print integers with more than 4,300 digits, so a refusal leaves them out."""
    assert refusal_of(chat(**{name: 10**5_000})) is not None


def test_a_schema_too_deep_to_walk_is_refused() -> None:
    """A value that the parser accepts may be nested too deeply for the checks, which is a refusal,
    not a crash.
    """
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(3_000):
        schema = {"type": "object", "properties": {"a": schema}}
    format_ = {
        "type": "json_schema",
        "json_schema": {"name": "s", "schema": schema, "strict": True},
    }
    assert message_of(response_format=format_) == UNPARSABLE
