"""JSON schemas, strict or not: what the API refuses, with the path in the schema that it
reports.
"""

from __future__ import annotations

from typing import Any

import pytest

from coursekit.offline.rules.validation import refusal_of
from support.refused import chat, error_of, refusals, refused, taken

NAME = {"type": "string"}
CLOSED = "'additionalProperties' is required to be supplied and to be false."
REQUIRED = "'required' is required to be supplied and to be an array including every key in properties."


def of(
    properties: dict[str, Any], required: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """An object schema that strict mode accepts, except for ``more``."""
    asked = list(properties) if required is None else required
    return {
        "type": "object",
        "properties": properties,
        "required": asked,
        "additionalProperties": False,
        **more,
    }


def format_of(schema: Any, strict: bool = True) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "step", "schema": schema, "strict": strict},
    }


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "object", "properties": {}}, f"In context=(), {CLOSED}"),
        (
            of({"a": NAME}, additionalProperties=True),
            f"In context=(), {CLOSED}",
        ),
        (
            of({"a": NAME, "b": NAME}, ["a"]),
            f"In context=(), {REQUIRED} Missing 'b'.",
        ),
        (
            of({"a": NAME}, ["a", "z"]),
            f"In context=(), {REQUIRED} Extra required key 'z' supplied.",
        ),
        (
            of({"a": {"type": "object"}}),
            f"In context=('properties', 'a'), {CLOSED}",
        ),
        (
            of({"steps": {"type": "array", "items": of({"n": NAME}, [])}}),
            f"In context=('properties', 'steps', 'items'), {REQUIRED} Missing 'n'.",
        ),
        (
            of({"a": {"anyOf": [NAME, {"type": "object"}]}}),
            f"In context=('properties', 'a', 'anyOf', '1'), {CLOSED}",
        ),
        (
            of({}, **{"$defs": {"d": {"type": "object"}}}),
            f"In context=('$defs', 'd'), {CLOSED}",
        ),
    ],
)
def test_a_strict_response_format_must_be_closed_and_complete(
    schema: dict[str, Any], text: str
) -> None:
    """Every object in a strict schema forbids other properties and requires all of its own."""
    error = refused(response_format=format_of(schema))
    assert (
        error["message"] == f"Invalid schema for response_format 'step': {text}"
    )
    assert (error["param"], error["code"]) == ("response_format", None)
    assert taken(response_format=format_of(schema, strict=False))


def test_a_strict_function_is_held_to_the_same() -> None:
    """A strict function's parameters are named by the tool's position."""
    loose = {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
        },
    }
    strict = {
        "type": "function",
        "function": {
            **loose["function"],
            "name": "get_current_weather",
            "strict": True,
        },
    }
    error = refused(tools=[loose, strict])
    assert (
        error["message"]
        == f"Invalid schema for function 'get_current_weather': In context=(), {CLOSED}"
    )
    assert (error["param"], error["code"]) == (
        "tools[1].function.parameters",
        "invalid_function_parameters",
    )


def test_a_right_schema_is_taken() -> None:
    """Closed and complete objects pass, however deep they are."""
    steps = {
        "type": "array",
        "items": of({"explanation": NAME, "output": NAME}),
    }
    assert taken(
        response_format=format_of(
            of({"steps": steps, "answer": {"anyOf": [NAME, {"type": "null"}]}})
        )
    )


@refusals("schemas")
def test_schemas_that_are_refused(
    body: dict[str, Any], error: dict[str, Any]
) -> None:
    """Genuine refusals of functions are reproduced word for word."""
    assert error_of(refusal_of(chat(**body))) == error


def nested(levels: int) -> dict[str, Any]:
    """A strict schema with objects nested this deep; the innermost one has a string."""
    schema: dict[str, Any] = NAME
    for _ in range(levels):
        schema = of({"a": schema})
    return schema


def test_a_strict_schema_has_ten_levels_at_most() -> None:
    """Properties and items each count as a level. Schemas that are not strict may be nested
    deeper.
    """
    assert taken(response_format=format_of(nested(10)))
    message = refused(response_format=format_of(nested(11)))["message"]
    assert message.endswith("'step': 11 levels of nesting exceeds limit of 10.")
    assert taken(response_format=format_of(nested(11), strict=False))


@pytest.mark.slow
def test_a_strict_schema_has_five_thousand_properties_at_most() -> None:
    """The properties of all objects in a schema are counted together."""
    many = of({"a": of({f"p{i}": NAME for i in range(4_999)})})
    assert taken(response_format=format_of(many))
    more = of({"a": of({f"p{i}": NAME for i in range(5_000)})})
    message = refused(response_format=format_of(more))["message"]
    assert message.endswith("'step': 5001 parameters exceeds limit of 5000.")


@pytest.mark.parametrize(
    "schema",
    [
        of({"a": {"type": "string", "format": "date-time"}}),
        of({"a": {"type": ["string", "null"], "enum": ["x", None]}}),
        of({"a": {"type": "number", "enum": [1, 2.5]}}),
        of(
            {"a": {"$ref": "#/$defs/d"}, "b": {"$ref": "#"}},
            **{"$defs": {"d": of({})}},
        ),
        of({"a": {"anyOf": [NAME, {"type": "null"}]}}),
        of(
            {
                "a": {
                    "type": "string",
                    "pattern": r"^\\d+$",
                    "minLength": 1,
                    "default": "0",
                }
            }
        ),
    ],
)
def test_what_strict_mode_takes(schema: dict[str, Any]) -> None:
    """The nine formats, nullable enums, references to definitions and to the root, and bounds are
    accepted.
    """
    assert taken(response_format=format_of(schema))
