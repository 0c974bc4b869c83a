"""The form of a request: types, ranges, known fields, by the rules in data/request_rules.toml."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from ... import models
from ...course import DATA
from ..exchange import ApiAnswer
from .refusals import listed, refuse, short, shown, type_name

Rule = Mapping[str, Any]
Facts = models.Model | None
WORDS = {
    "string": "a string",
    "integer": "an integer",
    "decimal": "a decimal",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
}
NUMBER = (int, float)
TYPES: Mapping[str, Any] = {
    "string": str,
    "decimal": NUMBER,
    "object": dict,
    "array": list,
}
NEAR = 2  # edits between an unknown parameter's name and the suggested one, at most


@cache
def rules() -> Mapping[str, Any]:
    """data/request_rules.toml; its "parameter" is in the order in which the API checks."""
    return tomllib.loads(
        (DATA / "request_rules.toml").read_text(encoding="utf-8")
    )


def fault(
    rule: Rule, value: Any, where: str, model: Facts = None
) -> ApiAnswer | None:
    """The first fault in a value that is there, or None.

    rule    as described in data/request_rules.toml
    where   the value's path, as the API writes it; "" for the body itself
    model   a rule may name one of its facts as a bound
    """
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    for fact, type_ in rule.get("also", {}).items():
        if getattr(model, fact):
            types = [*types, type_]
    for type_ in types:
        if _is(value, type_):
            check = CHECKS.get(type_)
            return check(rule, value, where, model) if check else None
    expected, got = _expected(rule, types[0]), type_name(value)
    return refuse("invalid_type", where=where, expected=expected, got=got)


def unknown_parameters(
    body: Mapping[str, Any], model: models.Model
) -> ApiAnswer | None:
    """The refusal of parameters that this model does not know, in its words, or None."""
    names = rules()["parameter"].keys() | {"model"}
    strange = [key for key in body if key not in names]
    # Models before the o-series accept null in parameters that only others know. Clients need it.
    strange += [key for key in model.unknown if body.get(key) is not None]
    if not strange:
        return None
    if model.unknown_wording == "unrecognized argument":
        return refuse_arguments("unrecognized_arguments", strange)
    first = min(strange, key=list(body).index)
    near = _similar(first, names - set(model.unknown) - body.keys())
    hint = f" Did you mean {listed(near, 'or')}?" if near else ""
    return refuse("unknown_parameter", where=first, hint=hint)


def refuse_arguments(kind: str, names: Iterable[str]) -> ApiAnswer:
    """The refusal of one or several parameters at once, in alphabetical order."""
    found = sorted(names)
    return refuse(kind, s="s" if len(found) > 1 else "", names=", ".join(found))


def _is(value: Any, type_: str) -> bool:
    if isinstance(value, bool):  # in Python True is an integer
        return type_ == "boolean"
    if type_ == "integer":
        return isinstance(value, NUMBER) and value == value // 1
    return type_ != "boolean" and isinstance(value, TYPES[type_])


def _expected(rule: Rule, type_: str) -> str:
    if "expected" in rule:
        return str(rule["expected"])
    if "values" in rule:
        return f"one of {listed(rule['values'], 'or')}"
    return WORDS[type_]


def _string_fault(
    rule: Rule, value: str, where: str, model: Facts
) -> ApiAnswer | None:
    values = rule.get("values", [value])
    if value not in values and not getattr(
        model, rule.get("any_for", ""), False
    ):
        known = listed(values, "and")
        return refuse("invalid_value", where=where, value=value, values=known)
    if not value and rule.get("min_length"):
        return refuse("empty_string", where=where)
    limit = rule.get("max_length", math.inf)
    if len(value) > limit:
        return refuse(
            "long_string", where=where, limit=limit, length=len(value)
        )
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        return refuse("no_match", where=where, pattern=rule["pattern"])
    return None


def _number_fault(
    rule: Rule, value: float, where: str, model: Facts
) -> ApiAnswer | None:
    low, high = rule.get("min", -math.inf), rule.get("max", math.inf)
    if isinstance(high, str):
        high = getattr(model, high)
    if value < low:
        side, sign, limit = "below minimum", ">=", low
    elif value > high:
        side, sign, limit = "above maximum", "<=", high
    else:
        return None
    return refuse(
        "out_of_range",
        where=where,
        kind=rule["type"],
        side=side,
        side_code=side.replace(" ", "_")[:9],  # below_min, above_max
        sign=sign,
        limit=limit,
        value=shown(value),
    )


def _array_fault(
    rule: Rule, value: list[Any], where: str, model: Facts
) -> ApiAnswer | None:
    if not value and rule.get("min_items"):
        return refuse("empty_array", where=where)
    limit = rule.get("max_items", math.inf)
    if len(value) > limit:
        return refuse("long_array", where=where, limit=limit, length=len(value))
    for i, item in enumerate(value if "items" in rule else ()):
        if found := fault(rule["items"], item, f"{where}[{i}]", model):
            return found
    return None


def _object_fault(
    rule: Rule, value: dict[str, Any], where: str, model: Facts
) -> ApiAnswer | None:
    for name, inner in rule.get("fields", {}).items():
        path = f"{where}.{name}" if where else name
        if not _applies(inner, value):
            continue
        if name not in value and _is_required(inner, value):
            return refuse("missing", where=path)
        if value.get(name) is None and not (
            name in value and inner.get("required")
        ):
            continue
        if found := fault(inner, value[name], path, model):
            return found
    if rule.get("closed"):
        for key in value:
            if key not in rule["fields"]:
                return refuse(
                    "unknown_parameter", where=f"{where}.{key}", hint=""
                )
    return _map_fault(rule, value, where, model)


def _map_fault(
    rule: Rule, value: dict[str, Any], where: str, model: Facts
) -> ApiAnswer | None:
    if len(value) > rule.get("max_properties", math.inf):
        limit = rule["max_properties"]
        return refuse(
            "many_properties", where=where, limit=limit, number=len(value)
        )
    longest = rule.get("max_property_name", math.inf)
    for key, entry in value.items():
        if rule.get("whole_keys") and not (key.isascii() and key.isdigit()):
            return refuse("not_a_token", where=where, key=key)
        if len(key) > longest:
            lengths = {"length": len(key), "limit": longest}
            return refuse(
                "long_property_name",
                where=where,
                name=key,
                short=short(key),
                **lengths,
            )
        if "entries" in rule:
            found = fault(rule["entries"], entry, f"{where}.{key}", model)
            if found:
                return found
    return None


CHECKS: Mapping[str, Callable[..., ApiAnswer | None]] = {
    "string": _string_fault,
    "integer": _number_fault,
    "decimal": _number_fault,
    "array": _array_fault,
    "object": _object_fault,
}


def _applies(rule: Rule, siblings: Mapping[str, Any]) -> bool:
    when = rule.get("when", {})
    return all(siblings.get(field) in values for field, values in when.items())


def _is_required(rule: Rule, siblings: Mapping[str, Any]) -> bool:
    unless = rule.get("unless", {})
    if any(siblings.get(field) in values for field, values in unless.items()):
        return False
    others = rule.get("unless_given", ())
    if others and all(siblings.get(name) is not None for name in others):
        return False
    return bool(rule.get("required"))


def _similar(name: str, names: Iterable[str]) -> list[str]:
    """Known names within two edits, the nearest first."""
    near = sorted((_distance(name, other), other) for other in names)
    return [other for distance, other in near if distance <= NEAR]


def _distance(a: str, b: str) -> int:
    """Levenshtein distance, the least number of single-character edits; NEAR + 1 if larger."""
    if abs(len(a) - len(b)) > NEAR:
        return NEAR + 1
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            fewest = min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
            previous, row[j] = row[j], fewest
    return row[-1]
