"""The JSON schemas of a request: those of functions and of response_format, strict or not.

The API first checks a schema against JSON Schema's own meta-schema, then its root, and then each
part, children before their parent. A list of types counts as one part for each type:
('properties', 'unit', 'type', '0'). Keywords, formats and limits are in data/request_rules.toml.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from ...foundation.portable import Portable
from ..exchange import Json
from .form import is_a, rules
from .refusals import Refused, kinds, shown

Context = tuple[str, ...]
EMPTY = {"type": "object", "properties": {}}  # of a function without parameters
# The keywords whose schemas are checked, in the API's order.
WITH_PARTS = (
    "properties",
    "$defs",
    "definitions",
    "items",
    "anyOf",
    "additionalProperties",
)
NO_LEVEL = ("anyOf", "$defs", "definitions")  # not counted as nesting
DEFINITION = re.compile(r"#/(\$defs|definitions)/([^/]+)")


class SchemaFault(Portable, Exception):
    """Raised by a check of a schema: a kind of data/refusals.toml that is part of a message."""

    def __init__(self, kind: str, /, **values: Any) -> None:
        super().__init__(kinds()[kind]["message"].format(**values))


def check_schemas(body: Json) -> None:
    """Raises Refused for the first schema of a well-formed request that the API refuses."""
    for i, tool in enumerate(body.get("tools") or ()):
        if function := tool.get("function"):
            _check_function(function, f"tools[{i}].function")
    for i, function in enumerate(body.get("functions") or ()):
        _check_function(function, f"functions[{i}]")
    wanted = (body.get("response_format") or {}).get("json_schema") or {}
    if wanted.get("schema") is None:
        return
    try:
        _check_meta(wanted["schema"])
        if wanted.get("strict"):
            _check_root(wanted["schema"])
            _check_parts(wanted["schema"], strict=True)
    except SchemaFault as fault:
        raise Refused(
            "format_schema", name=wanted["name"], text=fault
        ) from None


def _check_function(function: Json, where: str) -> None:
    schema = function.get("parameters") or EMPTY
    banned = rules()["schema"]["not_at_the_top"]
    try:
        _check_meta(schema)
        _check_root(schema)
        if schema.keys() & set(banned):
            raise SchemaFault(
                "schema_top", keywords="/".join(map(repr, banned))
            )
        _check_parts(schema, bool(function.get("strict")))
    except SchemaFault as fault:
        name = function["name"]
        raise Refused(
            "function_schema", where=where, name=name, text=fault
        ) from None


def _check_root(schema: Any) -> None:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind != "object":
        raise SchemaFault("schema_root", kind=kind)


def _check_parts(root: Json, strict: bool) -> None:
    _check_part(root, root, strict, ())
    if not strict:
        return
    limits = rules()["schema"]["limits"]
    levels, number = _size(root)
    if levels > limits["levels"]:
        raise SchemaFault(
            "schema_levels", levels=levels, limit=limits["levels"]
        )
    if number > limits["properties"]:
        raise SchemaFault(
            "schema_size", number=number, limit=limits["properties"]
        )


def _check_part(
    schema: Any, root: Json, strict: bool, context: Context
) -> None:
    """Checks a part of ``root``, children first; ``context`` is the path to it."""
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type")
    if strict and kinds is not None:
        for value in schema.get("enum", ()):
            if not _is_any(value, kinds):
                raise SchemaFault(
                    "schema_enum",
                    context=context,
                    value=value,
                    kind=repr(kinds),
                )
    if isinstance(kinds, list):
        # one part for each type, and none for the list
        single = {name: schema[name] for name in schema if name != "enum"}
        for i, kind in enumerate(kinds):
            part = {**single, "type": kind}
            _check_part(part, root, strict, (*context, "type", str(i)))
        return
    for step, child in _children(schema, WITH_PARTS):
        _check_part(child, root, strict, (*context, *step))
    beside = sorted(schema.keys() - {"$ref"})
    if strict and "$ref" in schema and beside:
        keywords = "{" + ", ".join(map(repr, beside)) + "}"
        raise SchemaFault("schema_ref", context=context, keywords=keywords)
    try:
        if strict:
            _check_keywords(schema, root)
        if schema.get("type") == "array" and not (
            schema.keys() & {"items", "prefixItems"}
        ):
            raise SchemaFault("schema_items")
        if schema.get("type") == "object" or "properties" in schema:
            _check_object(schema, strict, at_root=not context)
    except SchemaFault as fault:
        raise SchemaFault("schema_place", context=context, text=fault) from None


def _check_keywords(schema: Json, root: Json) -> None:
    """The keywords of a part that only strict mode refuses."""
    rule = rules()["schema"]
    for keyword in schema:
        if keyword in rule["not_permitted"]:
            raise SchemaFault("schema_keyword", keyword=keyword)
    if "$ref" in schema:
        _check_reference(schema["$ref"], root)
    elif not schema.keys() & {"type", "anyOf", "properties"}:
        raise SchemaFault("schema_untyped")
    elif schema.get("format") not in (None, *rule["formats"]):
        raise SchemaFault("schema_format", format=schema["format"])


def _check_reference(reference: str, root: Json) -> None:
    if reference == "#":
        return
    found = DEFINITION.fullmatch(reference)
    if found is None:
        raise SchemaFault("schema_reference")
    place, name = found.groups()
    if name not in root.get(place, {}):
        raise SchemaFault("schema_unresolved", ref=reference)


def _check_object(schema: Json, strict: bool, at_root: bool) -> None:
    if not strict:
        is_map = "additionalProperties" in schema and not at_root
        if "properties" not in schema and not is_map:
            raise SchemaFault("schema_properties")
        return
    if _is_open_map(schema) and not at_root:
        return
    if schema.get("additionalProperties") is not False:
        raise SchemaFault("schema_closed")
    required = schema.get("required") or []
    parts = schema.get("properties") or {}
    names = [name for name in parts if not _is_open_map(parts[name])]
    for name in names:
        if name not in required:
            raise SchemaFault("schema_lacking", name=name)
    for name in required:
        if name not in names:
            raise SchemaFault("schema_extra", name=name)


def _is_open_map(schema: Any) -> bool:
    """Whether this is an object without ``properties``, whose keys are data: strict mode ignores
    it.
    """
    if not isinstance(schema, dict) or "properties" in schema:
        return False
    others = schema.get("additionalProperties")
    is_map = others is False or isinstance(others, dict)
    return schema.get("type") == "object" and is_map


def _children(
    schema: Json, keywords: Iterable[str]
) -> Iterator[tuple[Context, Any]]:
    """The schemas directly below one, in these keywords, each with the steps to it."""
    rule = rules()["schema"]
    for keyword in keywords:
        if keyword not in schema:
            continue
        value = schema[keyword]
        if keyword in rule["places"]["by_name"]:
            for name, child in value.items():
                yield (keyword, name), child
        elif keyword in rule["lists"]:
            for i, child in enumerate(value):
                yield (keyword, str(i)), child
        elif keyword in rule["places"]["one"]:
            yield (keyword,), value


def _size(schema: Any) -> tuple[int, int]:
    """How deep properties and items are nested, and the number of properties in all objects.

    References are not followed.
    """
    if not isinstance(schema, dict):
        return 0, 0
    levels, number = 0, len(schema.get("properties") or ())
    for step, child in _children(schema, WITH_PARTS):
        below, more = _size(child)
        if step[0] not in NO_LEVEL and child is not False:
            below += 1
        levels = max(levels, below)
        number += more
    return levels, number


# --- what is not a JSON schema at all


def _check_meta(root: Any) -> None:
    """Raises SchemaFault for the first fault against the meta-schema, nearest to the root first."""
    waiting = deque([root])
    while waiting:
        schema = waiting.popleft()
        if isinstance(schema, bool):
            continue
        _must_be(schema, "object", "boolean")
        for keyword, value in schema.items():
            _check_keyword(keyword, value)
        waiting.extend(child for _, child in _children(schema, schema))


def _check_keyword(keyword: str, value: Any) -> None:
    rule = rules()["schema"]
    if keyword in rule["keywords"]:
        _must_be(value, rule["keywords"][keyword])
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        if not names or any(name not in rule["types"] for name in names):
            raise SchemaFault("schema_type_name", value=shown(value))
    if keyword in rule["lists"] and not value:
        raise SchemaFault("schema_empty", value=shown(value))
    if keyword == "required":
        for name in value:
            _must_be(name, "string")
        if len(set(value)) < len(value):
            raise SchemaFault("schema_unique", value=shown(value))
    if keyword == "pattern":
        try:
            re.compile(value)
        except (re.error, OverflowError, RecursionError):
            raise SchemaFault("schema_pattern", value=shown(value)) from None


def _must_be(value: Any, *kinds: str) -> None:
    if not _is_any(value, kinds):
        types = ", ".join(map(repr, kinds))
        raise SchemaFault("schema_type", value=shown(value), types=types)


def _is_any(value: Any, kinds: str | Iterable[str]) -> bool:
    """Whether a JSON value has one of these types of JSON Schema."""
    names = [kinds] if isinstance(kinds, str) else kinds
    return any(is_a(value, name) for name in names)
