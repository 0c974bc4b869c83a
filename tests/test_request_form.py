"""Types, ranges, and names of parameters: each refusal is in the API's own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from coursekit.course import DATA
from coursekit.offline.rules.form import rules
from support.refused import USER, message_of, refusals, refused, taken


@refusals("request_form")
def test_a_fault_of_form(body: dict[str, Any], error: dict[str, Any]) -> None:
    """An invalid type, value, name, or field is refused with its path and with what was
    expected.
    """
    assert refused(**body) == error


def test_long_values_of_metadata() -> None:
    """Too many pairs, a key that is too long (it is shortened in the message), and a value that is
    too long are refused.
    """
    pairs, key, value = {f"k{i}": "v" for i in range(17)}, "k" * 70, "x" * 600
    assert message_of(metadata=pairs) == (
        "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
        "but got an object with 17 properties instead."
    )
    assert refused(metadata={key: "v"}) == {
        "message": "Invalid property name in 'metadata': 'kkk...kkk' is too long. Expected a string with maximum "
        "length 64, but got a string with length 70 instead.",
        "type": "invalid_request_error",
        "param": f"metadata.{key}",
        "code": "property_name_above_max_length",
    }
    assert message_of(metadata={"k": value}) == (
        "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, "
        "but got a string with length 600 instead."
    )


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("tools", {"type": "function", "function": {"name": "f"}}),
        ("functions", {"name": "f"}),
    ],
)
def test_too_many_tools(name: str, item: dict[str, Any]) -> None:
    """The limit is 128 tools or functions."""
    assert message_of(**{name: [item] * 129}) == (
        f"Invalid '{name}': array too long. Expected an array with maximum length 128, "
        "but got an array with length 129 instead."
    )
    assert taken(**{name: [item] * 128})


WRONG = {"object": {}, "array": [], "string": "x"}


@pytest.mark.parametrize("name", rules()["parameter"])
def test_a_rule_refuses_what_it_does_not_take(name: str) -> None:
    """A value with another type is refused, and the refusal names the parameter."""
    type_ = rules()["parameter"][name]["type"]
    types = type_ if isinstance(type_, list) else [type_]
    wrong = next(value for each, value in WRONG.items() if each not in types)
    error = refused(**{name: wrong})
    assert name in f"{error['param']} {error['message']}"


def test_the_head_of_the_rules_explains_each_key() -> None:
    """A new or misspelled key is missing in the comment that explains the keys."""
    head = (DATA / "request_rules.toml").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", head.partition("\n\n")[0]))
    unknown = set(keys_of(rules()["parameter"].values())) - words
    assert not unknown, f"explain at the top of request_rules.toml: {unknown}"


def keys_of(rules: Iterable[Any]) -> Iterator[str]:
    for rule in rules:
        if isinstance(rule, Mapping):
            yield from rule
            yield from keys_of(rule.get("fields", {}).values())
            yield from keys_of(rule.get(key) for key in ("items", "entries"))


def test_the_near_side_of_each_bound_is_taken() -> None:
    """The bounds themselves are valid, and so is null, which counts as left out."""
    assert taken(
        n=1,
        temperature=2,
        top_p=0,
        presence_penalty=-2,
        frequency_penalty=2.0,
        stop=["a", "b", "c", "d"],
    )
    assert taken(
        n=128,
        temperature=0,
        logprobs=True,
        top_logprobs=20,
        max_tokens=1,
        store=True,
        metadata={"k" * 64: "v" * 512},
    )
    assert taken(
        stop="END",
        seed=-1,
        user="",
        store=False,
        stream=True,
        stream_options={"include_usage": True},
    )
    assert taken(
        temperature=None,
        stop=None,
        tools=None,
        response_format=None,
        stream_options=None,
        logit_bias={},
    )


def test_a_whole_number_may_be_written_as_a_decimal() -> None:
    """As in JSON Schema, 16.0 is an integer."""
    assert taken(max_tokens=16.0, n=2.0)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "gpt-4.1"])
def test_a_chat_model_lists_the_arguments_it_does_not_recognize(
    model: str,
) -> None:
    """Models before the o-series name all unknown parameters in one sentence, without a param or
    code.
    """
    error = refused(model, zzz=1)
    assert error["message"] == "Unrecognized request argument supplied: zzz"
    assert (error["param"], error["code"]) == (None, None)
    both = message_of(model, zzz=1, reasoning_effort="low")
    assert (
        both == "Unrecognized request arguments supplied: reasoning_effort, zzz"
    )
    assert taken(model, reasoning_effort=None)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("zzz", ""),
        ("stor", " Did you mean 'stop' or 'store'?"),
        ("temperatur", " Did you mean 'temperature'?"),
        ("top_k", " Did you mean 'top_p'?"),
        ("messagess", ""),  # the similar parameter is already there
        ("web_search_options", ""),
        ("x" * 100_000, ""),
    ],
    ids=lambda text: text[:20],
)
def test_a_reasoning_model_names_the_first_unknown_parameter(
    name: str, hint: str
) -> None:
    """The o-series and later models name one parameter, and similar ones (within two edits) that
    the body does not have yet.
    """
    error = refused("o4-mini", **{name: 1})
    assert (error["message"], error["param"]) == (
        f"Unknown parameter: '{name}'.{hint}",
        name,
    )
    assert error["code"] == "unknown_parameter"


def test_every_rule_is_one_the_checker_reads() -> None:
    """Every key in the rules is checked somewhere, so that a misspelled bound is noticed."""
    read = {
        "type",
        "expected",
        "values",
        "min",
        "max",
        "min_items",
        "max_items",
        "min_length",
        "max_length",
        "pattern",
        "max_properties",
        "max_property_name",
        "fields",
        "closed",
        "entries",
        "items",
        "required",
        "when",
        "unless",
        "unless_given",
        "default",
        "instead",
        "also",
        "whole_keys",
        "any_for",
        "seen",
    }

    def check(rule: dict[str, Any]) -> None:
        assert set(rule) <= read, rule
        for inner in [
            *rule.get("fields", {}).values(),
            *(rule[key] for key in ("items", "entries") if key in rule),
        ]:
            check(inner)

    for rule in [
        *rules()["parameter"].values(),
        *(
            rules()[key]
            for key in rules()
            if key not in ("parameter", "schema")
        ),
    ]:
        check(rule)


def test_the_users_message_of_these_tests_is_right() -> None:
    """The body that these tests break is accepted unchanged."""
    assert taken(messages=USER)
