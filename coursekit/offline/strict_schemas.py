"""JSON schemas with ``strict: true``: every object closed, and every property required."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import refusals
from .exchange import ApiAnswer

CLOSED = "'additionalProperties' is required to be supplied and to be false."
REQUIRED = "'required' is required to be supplied and to be an array including every key in properties."
NESTED = ("items", "not")  # keywords with one schema
LISTED = ("anyOf", "allOf", "oneOf")  # with a list of schemas
NAMED = ("properties", "$defs", "definitions")  # with schemas by name


def schema_fault(body: dict[str, Any]) -> ApiAnswer | None:
    """The first strict schema of a well-formed request that breaks the rules, or None."""
    for i, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function") or {}
        if tool["type"] == "function" and function.get("strict") and (text := _fault(function.get("parameters"))):
            where = f"tools[{i}].function.parameters"
            message = f"Invalid schema for function '{function['name']}': {text}"
            return refusals.refusal(message, param=where, code="invalid_function_parameters")
    format_ = (body.get("response_format") or {}).get("json_schema") or {}
    if format_.get("strict") and (text := _fault(format_.get("schema"))):
        message = f"Invalid schema for response_format '{format_['name']}': {text}"
        return refusals.refusal(message, param="response_format")
    return None


def _fault(schema: Any) -> str | None:
    for context, part in _schemas(schema, ()):
        properties = part.get("properties")
        if part.get("type") != "object" and not isinstance(properties, dict):
            continue
        if part.get("additionalProperties") is not False:
            return f"In context={context}, {CLOSED}"
        names = list(properties) if isinstance(properties, dict) else []
        asked = part.get("required")
        required = asked if isinstance(asked, list) else []
        if lacking := [name for name in names if name not in required]:
            return f"In context={context}, {REQUIRED} Missing '{lacking[0]}'."
        if extra := [name for name in required if name not in names]:
            return f"In context={context}, {REQUIRED} Extra required key '{extra[0]}' supplied."
    return None


def _schemas(schema: Any, context: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Each schema within a schema, with its path as the API writes it: ('properties', 'steps', 'items')."""
    if not isinstance(schema, dict):
        return
    yield context, schema
    for key in NESTED:
        yield from _schemas(schema.get(key), (*context, key))
    for key in LISTED:
        parts = schema.get(key)
        for i, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _schemas(part, (*context, key, str(i)))
    for key in NAMED:
        named = schema.get(key)
        for name, part in named.items() if isinstance(named, dict) else ():
            yield from _schemas(part, (*context, key, name))
