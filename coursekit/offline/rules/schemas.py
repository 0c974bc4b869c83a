"""The JSON schemas of a request: those of functions and of response_format, strict or not.

The API first checks a schema against JSON Schema's own meta-schema, then looks at its root, and
then at each part: a part's children before the part itself. A list of types counts as one part for
each of them: ('properties', 'unit', 'type', '0'). Keywords, formats and limits are in
data/request_rules.toml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..exchange import ApiAnswer
from .form import rules
from .refusals import refuse, shown, words

Schema = Mapping[str, Any]
Context = tuple[str, ...]
EMPTY = {"type": "object", "properties": {}}  # what a function without parameters has
KINDS: Mapping[str, Any] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
LOOKED_AT = (
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
    tools = body.get("tools") or ()
    functions = [
        (f"tools[{i}].function", tool.get("function")) for i, tool in enumerate(tools)
    ]
    functions += [
        (f"functions[{i}]", function)
        for i, function in enumerate(body.get("functions") or ())
    ]
    for where, function in functions:
        text = _function_fault(function) if function else None
        if function and text:
            return refuse(
                "function_schema", where=where, name=function["name"], text=text
            )
    format_ = (body.get("response_format") or {}).get("json_schema") or {}
    text = _format_fault(format_) if format_.get("schema") is not None else None
    return refuse("format_schema", name=format_["name"], text=text) if text else None


def _function_fault(function: Mapping[str, Any]) -> str | None:
    schema = function.get("parameters")
    if schema is None or schema == {}:
        schema = EMPTY
    if found := _meta_fault(schema) or _root_fault(schema):
        return found
    at_the_top = rules()["schema"]["not_at_the_top"]
    if schema.keys() & set(at_the_top):
        return words(
            "schema_top", keywords="/".join(f"'{name}'" for name in at_the_top)
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
        return words("schema_size", number=properties, limit=limits["properties"])
    return None


class _Parts:
    """Looks for the first fault in the parts of one schema."""

    def __init__(self, root: Schema, strict: bool) -> None:
        self.root, self.strict = root, strict

    def fault(self, schema: Any, context: Context = ()) -> str | None:
        """The first fault in a part; ``context`` is the path to it, shown as Python shows it."""
        if not isinstance(schema, dict):
            return None
        kinds = schema.get("type")
        if self.strict and "enum" in schema and kinds is not None:
            for value in schema["enum"]:
                if not _is_any(value, kinds):
                    return words(
                        "schema_enum", context=context, value=value, kind=repr(kinds)
                    )
        children = _children(schema)
        if isinstance(kinds, list):
            rest = {name: value for name, value in schema.items() if name != "enum"}
            children = (
                (("type", f"{i}"), {**rest, "type": kind})
                for i, kind in enumerate(kinds)
            )
        for step, child in children:
            if found := self.fault(child, (*context, *step)):
                return found
        return None if isinstance(kinds, list) else self._own_fault(schema, context)

    def _own_fault(self, schema: Schema, context: Context) -> str | None:
        beside = sorted(schema.keys() - {"$ref"})
        if self.strict and "$ref" in schema and beside:
            keywords = "{" + ", ".join(map(repr, beside)) + "}"
            return words("schema_ref", context=context, keywords=keywords)
        found = (self._strict_fault(schema) if self.strict else None) or _array_fault(
            schema
        )
        found = found or self._object_fault(schema, at_root=not context)
        return found and words("schema_place", context=context, text=found)

    def _strict_fault(self, schema: Schema) -> str | None:
        """What only strict schemas may not have."""
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
            lacking = properties is None and (
                at_root or "additionalProperties" not in schema
            )
            return words("schema_properties") if lacking else None
        if _is_open_map(schema) and not at_root:
            return None
        if schema.get("additionalProperties") is not False:
            return words("schema_closed")
        required = schema.get("required") or []
        names = [
            name for name, part in (properties or {}).items() if not _is_open_map(part)
        ]
        for name in names:
            if name not in required:
                return words("schema_lacking", name=name)
        for name in required:
            if name not in names:
                return words("schema_extra", name=name)
        return None


def _array_fault(schema: Schema) -> str | None:
    if schema.get("type") != "array" or schema.keys() & {"items", "prefixItems"}:
        return None
    return words("schema_items")


def _is_open_map(schema: Any) -> bool:
    """An object without ``properties``, whose keys are data: strict mode passes over it."""
    if (
        not isinstance(schema, dict)
        or schema.get("type") != "object"
        or "properties" in schema
    ):
        return False
    others = schema.get("additionalProperties")
    return others is False or isinstance(others, dict)


def _children(schema: Schema) -> Iterator[tuple[Context, Any]]:
    """The schemas right below one that are looked at, each with the steps that lead to it."""
    for keyword in LOOKED_AT:
        value = schema.get(keyword)
        if keyword in rules()["schema"]["places"]["by_name"]:
            yield from (
                ((keyword, name), child) for name, child in (value or {}).items()
            )
        elif isinstance(value, list):
            yield from (((keyword, str(i)), child) for i, child in enumerate(value))
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
    """How many properties there are in all objects together."""
    if not isinstance(schema, dict):
        return 0
    own = len(schema.get("properties") or ())
    return own + sum(_properties(child) for _, child in _children(schema))


# --- what is not a JSON schema at all


def _meta_fault(root: Any) -> str | None:
    """What the meta-schema does not allow, nearest to the root first."""
    level = [root]
    while level:
        for schema in level:
            if not isinstance(schema, dict | bool):
                return _wrong_type(schema, "object", "boolean")
            for keyword, value in schema.items() if isinstance(schema, dict) else ():
                if found := _keyword_fault(keyword, value):
                    return found
        level = [
            child
            for schema in level
            if isinstance(schema, dict)
            for child in _all_children(schema)
        ]
    return None


def _keyword_fault(keyword: str, value: Any) -> str | None:
    rule = rules()["schema"]
    kind = rule["keywords"].get(keyword)
    if kind is not None and not _is_any(value, kind):
        return _wrong_type(value, kind)
    if keyword == "type":
        names = value if isinstance(value, list) else [value]
        if not names or not all(
            isinstance(name, str) and name in KINDS for name in names
        ):
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
    """The schemas right below one, those in keywords that strict mode does not take among them."""
    rule = rules()["schema"]
    for keyword, value in schema.items():
        if keyword in rule["places"]["one"]:
            yield value
        elif keyword in rule["places"]["by_name"]:
            yield from value.values()
        elif keyword in rule["lists"]:
            yield from value
