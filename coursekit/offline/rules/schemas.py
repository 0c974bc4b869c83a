"""The JSON schemas of a request: those of functions and of response_format, strict or not.

The API looks at what a schema is made of first, then at its root, and then at each part: a part's
children before the part itself. A list of types counts as one part for each of them: ('properties',
'unit', 'type', '0').
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..exchange import ApiAnswer
from . import refusals
from .form import rules

Context = tuple[str, ...]
CLOSED = "'additionalProperties' is required to be supplied and to be false."
REQUIRED = (
    "'required' is required to be supplied and to be an array including every key in "
    "properties."
)
EMPTY = {"type": "object", "properties": {}}  # what a function without parameters has
NAMED = ("properties", "$defs", "definitions")  # keywords with schemas by name
NESTED = ("items",)  # with one schema
LISTED = (
    "anyOf",
)  # with a list of schemas; in the others nothing is looked at, for strict mode takes none of them


def schema_fault(body: Mapping[str, Any]) -> ApiAnswer | None:
    """The first schema of a well-formed request that is refused, or None."""
    tools = [
        (f"tools[{i}].function", tool.get("function"))
        for i, tool in enumerate(body.get("tools") or ())
    ]
    old = [
        (f"functions[{i}]", function)
        for i, function in enumerate(body.get("functions") or ())
    ]
    for where, function in tools + old:
        if function and (
            text := _function_fault(
                function.get("parameters"), bool(function.get("strict"))
            )
        ):
            message = f"Invalid schema for function '{function['name']}': {text}"
            return refusals.refusal(
                message, param=f"{where}.parameters", code="invalid_function_parameters"
            )
    format_ = (body.get("response_format") or {}).get("json_schema") or {}
    if format_.get("schema") is not None and (
        text := _format_fault(format_["schema"], bool(format_.get("strict")))
    ):
        message = f"Invalid schema for response_format '{format_['name']}': {text}"
        return refusals.refusal(message, param="response_format")
    return None


def _function_fault(schema: Any, strict: bool) -> str | None:
    if not schema and (schema is None or isinstance(schema, dict)):
        schema = EMPTY
    found = _makeup_fault(schema) or _root_fault(schema)
    if found is None and set(rules()["schema"]["not_at_the_top"]) & schema.keys():
        listed = "/".join(f"'{name}'" for name in rules()["schema"]["not_at_the_top"])
        found = (
            f"schema must have type 'object' and not have {listed} at the top level."
        )
    return found or _part_fault(schema, (), strict)


def _format_fault(schema: Any, strict: bool) -> str | None:
    found = _makeup_fault(schema)
    return found or (
        (_root_fault(schema) or _part_fault(schema, (), strict)) if strict else None
    )


def _makeup_fault(schema: Any) -> str | None:
    """What is no JSON schema at all, in the words of a validator of JSON schemas."""
    if not isinstance(schema, dict | bool):
        return f"{refusals.shown(schema)} is not of type 'object', 'boolean'."
    if isinstance(schema, bool):
        return None
    kinds = schema.get("type", [])
    if not (
        kinds in rules()["schema"]["types"]
        if isinstance(kinds, str)
        else _are_types(kinds)
    ):
        return f"{refusals.shown(kinds)} is not valid under any of the given schemas."
    for key, kind, word in (
        ("required", list, "array"),
        ("enum", list, "array"),
        *((n, dict, "object") for n in NAMED),
    ):
        if key in schema and not isinstance(schema[key], kind):
            return f"{refusals.shown(schema[key])} is not of type '{word}'."
    return next(
        filter(None, (_makeup_fault(child) for _, child in _children(schema))), None
    )


def _are_types(kinds: Any) -> bool:
    return isinstance(kinds, list) and all(
        kind in rules()["schema"]["types"] for kind in kinds
    )


def _root_fault(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind == "object":
        return None
    return (
        f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    )


def _part_fault(schema: Any, context: Context, strict: bool) -> str | None:
    """The first fault in a part of a schema that is one; the fault's context is the path to it, as
    a tuple prints.
    """
    if not isinstance(schema, dict):
        return None
    if isinstance(schema.get("type"), list):
        each = (
            (f"{i}", {**schema, "type": kind}) for i, kind in enumerate(schema["type"])
        )
        faults = (_part_fault(part, (*context, "type", i), strict) for i, part in each)
        return next(filter(None, faults), None)
    for step, child in _children(schema):
        if found := _part_fault(child, (*context, *step), strict):
            return found
    if strict and "$ref" in schema and (beside := sorted(schema.keys() - {"$ref"})):
        return f"context={context}, $ref cannot have keywords {{{', '.join(map(repr, beside))}}}."
    found = _own_fault(schema, strict, root=not context)
    return found and f"In context={context}, {found}"


def _own_fault(schema: Mapping[str, Any], strict: bool, root: bool) -> str | None:
    kind, properties = schema.get("type"), schema.get("properties")
    if strict:
        if banned := [
            key for key in schema if key in rules()["schema"]["not_permitted"]
        ]:
            return f"'{banned[0]}' is not permitted."
        if kind is None and not schema.keys() & {"anyOf", "$ref", "properties"}:
            return "schema must have a 'type' key."
    if kind == "array" and "items" not in schema:
        return None if "prefixItems" in schema else "array schema missing items."
    if kind != "object" and properties is None:
        return None
    if strict:
        return _strict_object_fault(schema, properties or {})
    lacking = properties is None and (root or "additionalProperties" not in schema)
    return "object schema missing properties." if lacking else None


def _strict_object_fault(
    schema: Mapping[str, Any], properties: Mapping[str, Any]
) -> str | None:
    if schema.get("additionalProperties") is not False:
        return CLOSED
    required = schema.get("required") or []
    if lacking := [name for name in properties if name not in required]:
        return f"{REQUIRED} Missing '{lacking[0]}'."
    if extra := [name for name in required if name not in properties]:
        return f"{REQUIRED} Extra required key '{extra[0]}' supplied."
    return None


def _children(schema: Mapping[str, Any]) -> Iterator[tuple[Context, Any]]:
    """The schemas right below one, each with the steps of the path that lead to it."""
    for key in NAMED:
        named = schema.get(key)
        for name, child in named.items() if isinstance(named, dict) else ():
            yield (key, name), child
    for key in NESTED:
        if key in schema:
            yield (key,), schema[key]
    for key in LISTED:
        listed = schema.get(key)
        for i, child in enumerate(listed if isinstance(listed, list) else ()):
            yield (key, str(i)), child
