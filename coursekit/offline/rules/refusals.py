"""The API's refusals in its own words: each kind is a table of data/refusals.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ...course import DATA
from ...foundation.portable import Portable
from ..exchange import ApiAnswer, ApiRequest, Headers, Json, error_answer

LONG_NAME = 12  # characters: some messages shorten longer names


class Refused(Portable, Exception):
    """Raised by a rule: the request is refused. See ``refuse`` for the arguments."""

    def __init__(self, kind: str, /, **values: Any) -> None:
        super().__init__(kind)
        self.values = values

    @property
    def answer(self) -> ApiAnswer:
        """What the API says. It is made when it is sent: some only ask whether there is one."""
        return refuse(self.args[0], **self.values)


@cache
def kinds() -> Mapping[str, Json]:
    """data/refusals.toml: kind -> its message, code, param, status and sources."""
    return tomllib.loads((DATA / "refusals.toml").read_text(encoding="utf-8"))


def refuse(
    kind: str, headers: Headers | None = None, /, **values: Any
) -> ApiAnswer:
    """The refusal of one kind; ``values`` are filled into its message, param, code and type."""
    rule = kinds()[kind]
    filled = {
        name: valid(rule[name].format(**values))
        for name in ("message", "type", "param", "code")
        if name in rule
    }
    return error_answer(
        rule.get("status", 400),
        **filled,
        headers=headers or {},
        kind=kind,
        written_as=rule.get("as"),
    )


def invalid_url(request: ApiRequest) -> ApiAnswer:
    """404 for a path that the API does not have."""
    return refuse(
        "invalid_url", method=request.method[:20], path=request.path[:200]
    )


def refusal(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
) -> ApiAnswer:
    """A refusal in our own words: what only the offline API refuses."""
    return error_answer(
        status, valid(message), param=param and valid(param), code=code
    )


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
    """A name as the API shortens it, if it is long: "kkk...kkk"."""
    return f"{name[:3]}...{name[-3:]}" if len(name) > LONG_NAME else name


def valid(text: str) -> str:
    """The text as valid UTF-8: a lone surrogate becomes "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
