"""The JSON schemas of a request: those of functions and of response_format, strict or not.

The API first checks a schema against JSON Schema's own meta-schema, then its root, and then each
part: the children before the part itself. A list of types counts as one part for each type:
('properties', 'unit', 'type', '0'). Keywords, formats and limits are in data/request_rules.toml.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from ..exchange import ApiAnswer
from .form import rules
from .refusals import refuse, shown, words

Schema = Mapping[str, Any]
Context = tuple[str, ...]
EMPTY = {"type": "object", "properties": {}}  # of a function without parameters
KINDS: Mapping[str, Any] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
# The keywords whose schemas are checked, in the API's order.
WITH_PARTS = (
    "properties",
    "$defs",
    "definitions",
    "items",
    "anyOf",
    "additionalProperties",
)
DEFINITION = re.compile(r"#/(\$defs|definitions)/([^/]+)")


def schema_fault(body: Mapping[str, Any]) -> ApiAnswer | None:
    """The first schema of a well-formed request that is refused, or None."""
    for where, function in _functions(body):
        if text := _function_fault(function):
            name = function["name"]
            return refuse("function_schema", where=where, name=name, text=text)
    format_ = (body.get("response_format") or {}).get("json_schema") or {}
    if format_.get("schema") is None:
        return None
    text = _format_fault(format_)
    return (
        refuse("format_schema", name=format_["name"], text=text)
        if text
        else None
    )


def _functions(
    body: Mapping[str, Any],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each declared function with its place."""
    for i, tool in enumerate(body.get("tools") or ()):
        if function := tool.get("function"):
            yield f"tools[{i}].function", function
    for i, function in enumerate(body.get("functions") or ()):
        yield f"functions[{i}]", function


def _function_fault(function: Mapping[str, Any]) -> str | None:
    schema = function.get("parameters")
    if schema is None or schema == {}:
        schema = EMPTY
    if found := _meta_fault(schema) or _root_fault(schema):
        return found
    banned = rules()["schema"]["not_at_the_top"]
    if schema.keys() & set(banned):
        return words(
            "schema_top", keywords="/".join(f"'{name}'" for name in banned)
        )
    return _parts_fault(schema, bool(function.get("strict")))


def _format_fault(format_: Mapping[str, Any]) -> str | None:
    schema = format_["schema"]
    found = _meta_fault(schema)
    if found or not format_.get("strict"):
        return found
    return _root_fault(schema) or _parts_fault(schema, strict=True)


def _root_fault(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return None if kind == "object" else words("schema_root", kind=kind)


def _parts_fault(schema: Schema, strict: bool) -> str | None:
    found = _Parts(schema, strict).fault(schema)
    if found or not strict:
        return found
    limits = rules()["schema"]["limits"]
    levels, properties = _levels(schema), _properties(schema)
    if levels > limits["levels"]:
        return words("schema_levels", levels=levels, limit=limits["levels"])
    if properties > limits["properties"]:
        return words(
            "schema_size", number=properties, limit=limits["properties"]
        )
    return None


class _Parts:
    """Finds the first fault in the parts of one schema."""

    def __init__(self, root: Schema, strict: bool) -> None:
        self.root, self.strict = root, strict

    def fault(self, schema: Any, context: Context = ()) -> str | None:
        """The first fault in a part; ``context`` is the path to it."""
        if not isinstance(schema, dict):
            return None
        kinds = schema.get("type")
        if self.strict and "enum" in schema and kinds is not None:
            for value in schema["enum"]:
                if not _is_any(value, kinds):
                    given = {"value": value, "kind": repr(kinds)}
                    return words("schema_enum", context=context, **given)
        children = (
            _of_each_type(schema)
            if isinstance(kinds, list)
            else _children(schema)
        )
        for step, child in children:
            if found := self.fault(child, (*context, *step)):
                return found
        return (
            None
            if isinstance(kinds, list)
            else self._own_fault(schema, context)
        )

    def _own_fault(self, schema: Schema, context: Context) -> str | None:
        beside = sorted(schema.keys() - {"$ref"})
        if self.strict and "$ref" in schema and beside:
            keywords = "{" + ", ".join(map(repr, beside)) + "}"
            return words("schema_ref", context=context, keywords=keywords)
        found = self._strict_fault(schema) if self.strict else None
        found = found or _array_fault(schema)
        found = found or self._object_fault(schema, at_root=not context)
        return found and words("schema_place", context=context, text=found)

    def _strict_fault(self, schema: Schema) -> str | None:
        """The faults of a part that only strict mode refuses."""
        rule = rules()["schema"]
        for keyword in schema:
            if keyword in rule["not_permitted"]:
                return words("schema_keyword", keyword=keyword)
        if "$ref" in schema:
            return self._reference_fault(schema["$ref"])
        if not schema.keys() & {"type", "anyOf", "properties"}:
            return words("schema_untyped")
        if schema.get("format") not in (None, *rule["formats"]):
            return words("schema_format", format=schema["format"])
        return None

    def _reference_fault(self, reference: str) -> str | None:
        if reference == "#":
            return None
        found = DEFINITION.fullmatch(reference)
        if found is None:
            return words("schema_reference")
        place, name = found.groups()
        is_there = name in self.root.get(place, {})
        return None if is_there else words("schema_unresolved", ref=reference)

    def _object_fault(self, schema: Schema, at_root: bool) -> str | None:
        properties = schema.get("properties")
        if schema.get("type") != "object" and properties is None:
            return None
        if not self.strict:
            is_map = "additionalProperties" in schema and not at_root
            lacking = properties is None and not is_map
            return words("schema_properties") if lacking else None
        if _is_open_map(schema) and not at_root:
            return None
        if schema.get("additionalProperties") is not False:
            return words("schema_closed")
        required = schema.get("required") or []
        parts = properties or {}
        names = [name for name in parts if not _is_open_map(parts[name])]
        for name in names:
            if name not in required:
                return words("schema_lacking", name=name)
        for name in required:
            if name not in names:
                return words("schema_extra", name=name)
        return None


def _array_fault(schema: Schema) -> str | None:
    if schema.get("type") != "array" or schema.keys() & {
        "items",
        "prefixItems",
    }:
        return None
    return words("schema_items")


def _is_open_map(schema: Any) -> bool:
    """An object without ``properties``, whose keys are data: strict mode ignores it."""
    if not isinstance(schema, dict) or "properties" in schema:
        return False
    if schema.get("type") != "object":
        return False
    others = schema.get("additionalProperties")
    return others is False or isinstance(others, dict)


def _of_each_type(schema: Schema) -> Iterator[tuple[Context, Any]]:
    """A part with a list of types, as one part for each type."""
    rest = {name: value for name, value in schema.items() if name != "enum"}
    for i, kind in enumerate(schema["type"]):
        yield ("type", str(i)), {**rest, "type": kind}


def _children(schema: Schema) -> Iterator[tuple[Context, Any]]:
    """The schemas directly below one that are checked, each with the steps to it."""
    for keyword in WITH_PARTS:
        value = schema.get(keyword)
        if keyword in rules()["schema"]["places"]["by_name"]:
            for name, child in (value or {}).items():
                yield (keyword, name), child
        elif isinstance(value, list):
            for i, child in enumerate(value):
                yield (keyword, str(i)), child
        elif isinstance(value, dict):
            yield (keyword,), value


def _levels(schema: Any) -> int:
    """How deep properties and items are nested; references are not followed."""
    deepest = 0
    for step, child in _children(schema) if isinstance(schema, dict) else ():
        own = 0 if step[0] in ("anyOf", "$defs", "definitions") else 1
        deepest = max(deepest, own + _levels(child))
    return deepest


def _properties(schema: Any) -> int:
    """The number of properties in all objects together."""
    if not isinstance(schema, dict):
        return 0
    own = len(schema.get("properties") or ())
    return own + sum(_properties(child) for _, child in _children(schema))


# --- what is not a JSON schema at all


def _meta_fault(root: Any) -> str | None:
    """The first fault against the meta-schema, nearest to the root first."""
    waiting = deque([root])
    while waiting:
        schema = waiting.popleft()
        if isinstance(schema, bool):
            continue
        if not isinstance(schema, dict):
            return _wrong_type(schema, "object", "boolean")
        for keyword, value in schema.items():
            if found := _keyword_fault(keyword, value):
                return found
        waiting.extend(_all_children(schema))
    return None


def _keyword_fault(keyword: str, value: Any) -> str | None:
    rule = rules()["schema"]
    kind = rule["keywords"].get(keyword)
    if kind is not None and not _is_any(value, kind):
        return _wrong_type(value, kind)
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        known = [
            name for name in names if isinstance(name, str) and name in KINDS
        ]
        if not names or known != names:
            return words("schema_type_name", value=shown(value))
    if keyword in rule["lists"] and not value:
        return words("schema_empty", value=shown(value))
    if keyword == "required":
        for name in value:
            if not isinstance(name, str):
                return _wrong_type(name, "string")
        if len(set(value)) < len(value):
            return words("schema_unique", value=shown(value))
    if keyword == "pattern" and not _is_pattern(value):
        return words("schema_pattern", value=shown(value))
    return None


def _wrong_type(value: Any, *kinds: str) -> str:
    types = ", ".join(f"'{kind}'" for kind in kinds)
    return words("schema_type", value=shown(value), types=types)


def _is_any(value: Any, kinds: str | list[str]) -> bool:
    """Whether a JSON value has one of these types of JSON Schema."""
    names = [kinds] if isinstance(kinds, str) else kinds
    if isinstance(value, bool):  # in Python True is an integer
        return "boolean" in names
    if isinstance(value, float) and value.is_integer() and "integer" in names:
        return True
    return any(isinstance(value, KINDS[name]) for name in names)


def _is_pattern(value: str) -> bool:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _all_children(schema: Schema) -> Iterator[Any]:
    """All schemas directly below one, also those that strict mode does not allow."""
    rule = rules()["schema"]
    for keyword, value in schema.items():
        if keyword in rule["places"]["one"]:
            yield value
        elif keyword in rule["places"]["by_name"]:
            yield from value.values()
        elif keyword in rule["lists"]:
            yield from value
