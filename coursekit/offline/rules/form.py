"""The form of a request: types, ranges and known fields, checked by the rules in
data/request_rules.toml.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ... import models
from ...course import DATA
from ..exchange import ApiAnswer
from . import refusals

Rule = Mapping[str, Any]
WORDS = {
    "string": "a string",
    "integer": "an integer",
    "decimal": "a decimal",
    "boolean": "a boolean",
    "object": "an object",
    "array": "an array",
}
NEAR = 2  # an unknown parameter's name may be this many edits away from the one meant


@cache
def rules() -> Mapping[str, Any]:
    """data/request_rules.toml: "parameter" (in the order of checks), "message", a role's own,
    "part".
    """
    return tomllib.loads((DATA / "request_rules.toml").read_text(encoding="utf-8"))


def fault(rule: Rule, value: Any, where: str, model: models.Model) -> ApiAnswer | None:
    """The first fault in a value that is there, or None.

    rule    as described in data/request_rules.toml
    where   the value's path, as the API writes it
    model   whose facts a rule may name as a bound
    """
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    kinds = [
        *kinds,
        *(kind for fact, kind in rule.get("also", {}).items() if getattr(model, fact)),
    ]
    kind = next((kind for kind in kinds if _is(value, kind)), None)
    if kind is None:
        return refusals.wrong_type(where, rule.get("expected", WORDS[kinds[0]]), value)
    match kind:
        case "string":
            return _string_fault(rule, value, where)
        case "integer" | "decimal":
            return _number_fault(rule, value, where, model, kind == "integer")
        case "object":
            return _object_fault(rule, value, where, model)
        case "array":
            return _array_fault(rule, value, where, model)
    return None


def unknown_parameters(
    body: Mapping[str, Any], model: models.Model
) -> ApiAnswer | None:
    """The refusal of parameters that this model does not know, in its words, or None."""
    known = rules()["parameter"].keys() | {"model"}
    # Models before the o-series let null pass in parameters that only others know: several clients
    # rely on it.
    strange = [
        key
        for key in body
        if key not in known or (key in model.unknown and body[key] is not None)
    ]
    if not strange:
        return None
    if model.unknown_wording == "unrecognized argument":
        return refusals.unrecognized_arguments(strange)
    return refusals.unknown_parameter(
        strange[0], _similar(strange[0], known - set(model.unknown) - body.keys())
    )


def _is(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return not isinstance(value, bool) and (
                isinstance(value, int)
                or (isinstance(value, float) and value.is_integer())
            )
        case "decimal":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "array":
            return isinstance(value, list)
    return isinstance(value, dict)


def _string_fault(rule: Rule, value: str, where: str) -> ApiAnswer | None:
    if "values" in rule and value not in rule["values"]:
        return refusals.wrong_value(where, value, rule["values"])
    if not value and rule.get("min_length"):
        return refusals.empty_string(where)
    if len(value) > rule.get("max_length", len(value)):
        return refusals.long_string(where, rule["max_length"], len(value))
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        return refusals.no_match(where, rule["pattern"])
    return None


def _number_fault(
    rule: Rule, value: float, where: str, model: models.Model, integer: bool
) -> ApiAnswer | None:
    low, high = rule.get("min"), rule.get("max")
    if isinstance(high, str):
        high = getattr(model, high)
    if low is not None and value < low:
        return refusals.out_of_range(where, value, low, integer=integer, above=False)
    if high is not None and value > high:
        return refusals.out_of_range(where, value, high, integer=integer, above=True)
    return None


def _array_fault(
    rule: Rule, value: list[Any], where: str, model: models.Model
) -> ApiAnswer | None:
    if not value and rule.get("min_items"):
        return refusals.empty_array(where)
    if len(value) > rule.get("max_items", len(value)):
        return refusals.long_array(where, rule["max_items"], len(value))
    if "items" not in rule:
        return None
    found = (
        fault(rule["items"], item, f"{where}[{i}]", model)
        for i, item in enumerate(value)
    )
    return next(filter(None, found), None)


def _object_fault(
    rule: Rule, value: dict[str, Any], where: str, model: models.Model
) -> ApiAnswer | None:
    for name, inner in rule.get("fields", {}).items():
        path = f"{where}.{name}"
        if not _applies(inner, value):
            continue
        if name not in value:
            if _is_required(inner, value):
                return refusals.missing(path)
        elif (value[name] is not None or inner.get("required")) and (
            found := fault(inner, value[name], path, model)
        ):
            return found
    if rule.get("closed") and (
        strange := [key for key in value if key not in rule["fields"]]
    ):
        return refusals.unknown_parameter(f"{where}.{strange[0]}")
    return _map_fault(rule, value, where, model)


def _map_fault(
    rule: Rule, value: dict[str, Any], where: str, model: models.Model
) -> ApiAnswer | None:
    if len(value) > rule.get("max_properties", len(value)):
        return refusals.many_properties(where, rule["max_properties"], len(value))
    if rule.get("whole_keys") and (
        words := [key for key in value if not (key.isascii() and key.isdigit())]
    ):
        return refusals.not_a_token(where, words[0])
    for key, entry in value.items() if "entries" in rule else ():
        if len(key) > rule["max_property_name"]:
            return refusals.long_property_name(where, key, rule["max_property_name"])
        if found := fault(rule["entries"], entry, f"{where}.{key}", model):
            return found
    return None


def _applies(rule: Rule, siblings: Mapping[str, Any]) -> bool:
    return all(
        siblings.get(field) in values for field, values in rule.get("when", {}).items()
    )


def _is_required(rule: Rule, siblings: Mapping[str, Any]) -> bool:
    lifted = any(
        siblings.get(field) in values
        for field, values in rule.get("unless", {}).items()
    )
    others = rule.get("unless_given", ())
    lifted = lifted or (
        bool(others) and all(siblings.get(name) is not None for name in others)
    )
    return bool(rule.get("required")) and not lifted


def _similar(name: str, known: Iterable[str]) -> list[str]:
    """Known names within two edits, the nearest first."""
    near = [
        (_distance(name, other), other)
        for other in known
        if abs(len(name) - len(other)) <= NEAR
    ]
    return [other for distance, other in sorted(near) if distance <= NEAR]


def _distance(a: str, b: str) -> int:
    """Levenshtein distance: the least number of single-character edits."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, previous + (x != y)),
            )
    return row[-1]
