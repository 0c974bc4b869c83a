"""How the API words a refusal: one function for each kind of fault, each returning the whole
answer.

``where`` is the path of the value at fault, as the API writes it: "temperature",
"messages[0].content". Texts, codes and parameters are those of genuine refusals.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..exchange import ApiAnswer, error_answer

UNPARSABLE = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If "
    "you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
# longer names are shortened to their first and last three characters in some sentences
LONG_NAME = 12


def refusal(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
) -> ApiAnswer:
    """Any refusal. A lone surrogate out of the request becomes "?": the answer is valid UTF-8
    whatever was sent.
    """
    clean = None if param is None else _clean(param)
    return error_answer(status, _clean(message), param=clean, code=code)


def unparsable() -> ApiAnswer:
    return refusal(UNPARSABLE)


def missing(where: str) -> ApiAnswer:
    return refusal(
        f"Missing required parameter: '{where}'.",
        param=where,
        code="missing_required_parameter",
    )


def unknown_parameter(where: str, similar: Iterable[str] = ()) -> ApiAnswer:
    names = list(similar)
    hint = f" Did you mean {listed(names, 'or')}?" if names else ""
    return refusal(
        f"Unknown parameter: '{where}'.{hint}", param=where, code="unknown_parameter"
    )


def unrecognized_arguments(names: Iterable[str]) -> ApiAnswer:
    """The same fault in the words of the models before the o-series: no param, no code."""
    found = sorted(names)
    plural = "s" if len(found) > 1 else ""
    return refusal(
        f"Unrecognized request argument{plural} supplied: {', '.join(found)}"
    )


def wrong_type(where: str, expected: str, value: Any) -> ApiAnswer:
    given = type_name(value)
    message = (
        f"Invalid type for '{where}': expected {expected}, but got {given} instead."
    )
    return refusal(message, param=where, code="invalid_type")


def wrong_value(where: str, value: str, values: Iterable[str]) -> ApiAnswer:
    message = (
        f"Invalid value: '{value}'. Supported values are: {listed(values, 'and')}."
    )
    return refusal(message, param=where, code="invalid_value")


def out_of_range(
    where: str, value: float, limit: float, *, integer: bool, above: bool
) -> ApiAnswer:
    kind = "integer" if integer else "decimal"
    side, sign, code = (
        ("above maximum", "<=", "above_max")
        if above
        else ("below minimum", ">=", "below_min")
    )
    got = f"Expected a value {sign} {limit}, but got {shown(value)} instead."
    message = f"Invalid '{where}': {kind} {side} value. {got}"
    return refusal(message, param=where, code=f"{kind}_{code}_value")


def empty_array(where: str) -> ApiAnswer:
    expected = (
        "Expected an array with minimum length 1, but got an empty array instead."
    )
    return refusal(
        f"Invalid '{where}': empty array. {expected}", param=where, code="empty_array"
    )


def long_array(where: str, limit: int, length: int) -> ApiAnswer:
    message = (
        f"Invalid '{where}': array too long. Expected an array with maximum length {limit}, "
        f"but got an array with length {length} instead."
    )
    return refusal(message, param=where, code="array_above_max_length")


def empty_string(where: str) -> ApiAnswer:
    expected = (
        "Expected a string with minimum length 1, but got an empty string instead."
    )
    return refusal(
        f"Invalid '{where}': empty string. {expected}", param=where, code="empty_string"
    )


def long_string(where: str, limit: int, length: int) -> ApiAnswer:
    message = (
        f"Invalid '{where}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {length} instead."
    )
    return refusal(message, param=where, code="string_above_max_length")


def no_match(where: str, pattern: str) -> ApiAnswer:
    expected = f"Expected a string that matches the pattern '{pattern}'."
    return refusal(
        f"Invalid '{where}': string does not match pattern. {expected}",
        param=where,
        code="invalid_value",
    )


def many_properties(where: str, limit: int, number: int) -> ApiAnswer:
    message = (
        f"Invalid '{where}': too many properties. Expected an object with at most {limit} "
        "properties, "
        f"but got an object with {number} properties instead."
    )
    return refusal(message, param=where, code="object_above_max_properties")


def long_property_name(where: str, name: str, limit: int) -> ApiAnswer:
    message = (
        f"Invalid property name in '{where}': '{short(name)}' is too long. "
        f"Expected a string with maximum length {limit}, but got a string with length {len(name)} "
        "instead."
    )
    return refusal(
        message, param=f"{where}.{name}", code="property_name_above_max_length"
    )


def not_a_token(where: str, key: str) -> ApiAnswer:
    message = (
        f"Invalid key in '{where}': {key}. "
        "You should only be submitting non-negative integers."
    )
    return refusal(message, param=where)


def unsupported_parameter(where: str, instead: str | None = None) -> ApiAnswer:
    hint = f" Use '{instead}' instead." if instead else ""
    message = (
        f"Unsupported parameter: '{where}' is not supported with this model.{hint}"
    )
    return refusal(message, param=where, code="unsupported_parameter")


def unsupported_value(
    where: str, value: Any, values: Iterable[str] = (), default: Any = None
) -> ApiAnswer:
    said = (
        json.dumps(value) if value is None or isinstance(value, bool) else shown(value)
    )
    message = f"Unsupported value: '{where}' does not support {said} with this model."
    if default is not None:
        message += f" Only the default ({default}) value is supported."
    elif supported := list(values):
        message += f" Supported values are: {listed(supported, 'and')}."
    return refusal(message, param=where, code="unsupported_value")


def listed(values: Iterable[str], conjunction: str) -> str:
    """'a', 'b', and 'c'; without the comma for two."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return f" {conjunction} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {conjunction} {quoted[-1]}"


def type_name(value: Any) -> str:
    """A JSON value's type in the API's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "an integer" if value.is_integer() else "a decimal number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def shown(value: Any) -> str:
    """A value as the API prints it, which is how Python does: 0.0, 'max', {'a': 1}."""
    try:
        return repr(value)
    except ValueError:  # an integer of more than 4,300 digits
        return "a very large integer"


def short(name: str) -> str:
    return f"{name[:3]}...{name[-3:]}" if len(name) > LONG_NAME else name


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
