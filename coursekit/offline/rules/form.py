"""The form of a request: types, ranges, known fields, by the rules in data/request_rules.toml."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from ...course import DATA
from ...models import Model
from ..exchange import ApiAnswer, Json
from .refusals import Refused, listed, short, shown, type_name

# The types of JSON Schema; "decimal" is the API's name of a number.
TYPES: Json = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "decimal": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}
NEAR = 2  # edits between an unknown parameter's name and the suggested one, at most


@cache
def rules() -> Json:
    """data/request_rules.toml; its "parameter" is in the order in which the API checks."""
    return tomllib.loads(
        (DATA / "request_rules.toml").read_text(encoding="utf-8")
    )


def fault(rule: Json, value: Any, where: str) -> ApiAnswer | None:
    """The refusal that ``check`` raises, or None."""
    try:
        check(rule, value, where)
    except Refused as refused:
        return refused.answer
    return None


def check(
    rule: Json, value: Any, where: str, model: Model | None = None
) -> None:
    """Raises Refused for the first fault in a value that is given.

    rule    as described in data/request_rules.toml
    where   the value's path, as the API writes it; "" for the body itself
    model   a rule may name one of its facts as a bound
    """
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    for fact, type_ in rule.get("also", {}).items():
        if getattr(model, fact):
            types = [*types, type_]
    for type_ in types:
        if is_a(value, type_):
            if type_ in CHECKS:
                CHECKS[type_](rule, value, where, model)
            return
    expected, got = _expected(rule, types[0]), type_name(value)
    raise Refused("invalid_type", where=where, expected=expected, got=got)


def check_names(body: Json, model: Model) -> None:
    """Refuses parameters that this model does not know, in its words."""
    names = rules()["parameter"].keys() | {"model"}
    strange = [key for key in body if key not in names]
    # Models before the o-series accept null in parameters that only others know. Clients need it.
    strange += [key for key in model.unknown if body.get(key) is not None]
    if not strange:
        return
    if model.unknown_wording == "unrecognized argument":
        refuse_arguments("unrecognized_arguments", strange)
    first = min(strange, key=list(body).index)
    near = _similar(first, names - set(model.unknown) - body.keys())
    hint = f" Did you mean {listed(near, 'or')}?" if near else ""
    raise Refused("unknown_parameter", where=first, hint=hint)


def refuse_arguments(kind: str, names: Iterable[str]) -> None:
    """Refuses parameters, if there are any, in alphabetical order."""
    if found := sorted(names):
        s = "s" if len(found) > 1 else ""
        raise Refused(kind, s=s, names=", ".join(found))


def is_a(value: Any, type_: str) -> bool:
    """Whether a JSON value has a type of ``TYPES``; 1.0 is an integer, true is only a boolean."""
    if isinstance(value, bool):  # in Python True is an integer
        return type_ == "boolean"
    if isinstance(value, float) and type_ == "integer":
        return value.is_integer()
    return isinstance(value, TYPES[type_])


def _expected(rule: Json, type_: str) -> str:
    if "expected" in rule:
        return str(rule["expected"])
    if "values" in rule:
        return f"one of {listed(rule['values'], 'or')}"
    return f"an {type_}" if type_[0] in "aio" else f"a {type_}"


def _check_string(
    rule: Json, value: str, where: str, model: Model | None
) -> None:
    values = rule.get("values", [value])
    if value not in values and not getattr(
        model, rule.get("any_for", ""), False
    ):
        supported = listed(values, "and")
        raise Refused(
            "invalid_value", where=where, value=value, values=supported
        )
    if not value and rule.get("min_length"):
        raise Refused("empty_string", where=where)
    limit, length = rule.get("max_length", math.inf), len(value)
    if length > limit:
        raise Refused("long_string", where=where, limit=limit, length=length)
    if "pattern" in rule and not re.fullmatch(rule["pattern"], value):
        raise Refused("no_match", where=where, pattern=rule["pattern"])


def _check_number(
    rule: Json, value: float, where: str, model: Model | None
) -> None:
    low, high = rule.get("min", -math.inf), rule.get("max", math.inf)
    if isinstance(high, str):
        high = getattr(model, high)
    if low <= value <= high:
        return
    side, code, sign, limit = "above maximum", "above_max", "<=", high
    if value < low:
        side, code, sign, limit = "below minimum", "below_min", ">=", low
    raise Refused(
        "out_of_range",
        where=where,
        kind=rule["type"],
        side=side,
        side_code=code,
        sign=sign,
        limit=limit,
        value=shown(value),
    )


def _check_array(
    rule: Json, value: list[Any], where: str, model: Model | None
) -> None:
    if not value and rule.get("min_items"):
        raise Refused("empty_array", where=where)
    limit, length = rule.get("max_items", math.inf), len(value)
    if length > limit:
        raise Refused("long_array", where=where, limit=limit, length=length)
    if "items" in rule:
        for i, item in enumerate(value):
            check(rule["items"], item, f"{where}[{i}]", model)


def _check_object(
    rule: Json, value: Json, where: str, model: Model | None
) -> None:
    for name, inner in rule.get("fields", {}).items():
        path = f"{where}.{name}" if where else name
        if not _applies(inner, value):
            continue
        if name not in value and _is_required(inner, value):
            raise Refused("missing", where=path)
        null_is_wrong = name in value and inner.get("required")
        if value.get(name) is not None or null_is_wrong:
            check(inner, value[name], path, model)
    if rule.get("closed"):
        for key in value:
            if key not in rule["fields"]:
                path = f"{where}.{key}"
                raise Refused("unknown_parameter", where=path, hint="")
    _check_map(rule, value, where, model)


def _check_map(
    rule: Json, value: Json, where: str, model: Model | None
) -> None:
    limit, number = rule.get("max_properties", math.inf), len(value)
    if number > limit:
        raise Refused(
            "many_properties", where=where, limit=limit, number=number
        )
    longest = rule.get("max_property_name", math.inf)
    for key, entry in value.items():
        if rule.get("whole_keys") and not (key.isascii() and key.isdigit()):
            raise Refused("not_a_token", where=where, key=key)
        if len(key) > longest:
            raise Refused(
                "long_property_name",
                where=where,
                name=key,
                short=short(key),
                length=len(key),
                limit=longest,
            )
        if "entries" in rule:
            check(rule["entries"], entry, f"{where}.{key}", model)


CHECKS: dict[str, Callable[..., None]] = {
    "string": _check_string,
    "integer": _check_number,
    "decimal": _check_number,
    "array": _check_array,
    "object": _check_object,
}


def _applies(rule: Json, siblings: Json) -> bool:
    when = rule.get("when", {})
    return all(siblings.get(field) in values for field, values in when.items())


def _is_required(rule: Json, siblings: Json) -> bool:
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
    """Levenshtein distance: the least number of single-character edits; NEAR + 1 if larger."""
    if abs(len(a) - len(b)) > NEAR:
        return NEAR + 1
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            fewest = min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
            previous, row[j] = row[j], fewest
    return row[-1]
