"""A case: one thing that a check does with a learner's function, and what must come of it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

from .describe import call_text, describe

Function = Callable[..., Any]
TOLERANCE, NEAR_ZERO = (
    1e-9,
    1e-15,
)  # relative and absolute: sums may be taken in another order


@dataclass(frozen=True)
class Case:
    """One use of the learner's function.

    given     what is done, in words or as a call; the learner reads it
    run       does it with the learner's function, and returns what came: the value, or whatever
              plain values tell how it behaved, such as {"text": "Hi", "requests": 1}; may return an
              awaitable
    expected  what must come: a plain value, ``Raises(…)`` or ``Such(…)``
    why       what a learner who misses this case has most likely overlooked; "" leaves that to the
              first hint
    """

    given: str
    run: Callable[[Function], Any]
    expected: Any
    why: str = ""


@dataclass(frozen=True)
class Raises:
    """Expected is an exception of this ``kind`` (or a subclass) whose message has each of ``words``
    in it.
    """

    kind: type[BaseException]
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        saying = " and ".join(repr(word) for word in self.words)
        return f"raises {self.kind.__name__}" + (
            f" with {saying} in its message" if saying else ""
        )

    def fits(self, error: BaseException) -> bool:
        return isinstance(error, self.kind) and all(
            word in str(error) for word in self.words
        )


@dataclass(frozen=True)
class Such:
    """Expected is any value for which ``holds`` is true; ``words`` say which. An error in ``holds``
    is a miss.
    """

    words: str
    holds: Callable[[Any], bool]

    def __str__(self) -> str:
        return self.words


def call(
    *given: Any, expects: Any, why: str = "", shown: str | None = None, **keywords: Any
) -> Case:
    """The case of one plain call, ``function(*given, **keywords)``.

    expects, why  as in ``Case``
    shown         the arguments as the learner reads them, where their own text is too long
    """

    def run(function: Function) -> Any:
        return function(*given, **keywords)

    return Case(
        f"({shown})" if shown is not None else call_text(given, keywords),
        run,
        expects,
        why,
    )


def fits(came: Any, expected: Any) -> bool:
    """Whether a value is what was expected. Numbers may differ by rounding, a tuple may stand for a
    list, a NumPy array for either; True is not 1. Never raises: what cannot be compared does not
    fit."""
    try:
        return (
            bool(expected.holds(came))
            if isinstance(expected, Such)
            else _equal(came, expected)
        )
    except Exception:  # noqa: BLE001  whatever is wrong with the value is the learner's miss
        return False


def exactly(number: int) -> Such:
    """Expected is this int, to the last digit; a NumPy integer is one, a float and a bool are
    none.
    """
    return Such(
        f"{number}, an int",
        lambda came: not isinstance(came, bool) and operator.index(came) == number,
    )


def expectation(expected: Any) -> str:
    """What is expected, as the learner reads it."""
    return str(expected) if isinstance(expected, Raises | Such) else describe(expected)


def _equal(came: Any, expected: Any) -> bool:
    if hasattr(came, "tolist"):
        came = came.tolist()
    if (
        isinstance(expected, bool)
        or isinstance(came, bool)
        or expected is None
        or came is None
    ):
        return type(came) is type(expected) and came == expected
    if isinstance(expected, Number) and isinstance(came, Number):
        return came == expected or _close(came, expected)
    if isinstance(expected, str):
        return isinstance(came, str) and str.__eq__(came, expected)
    if isinstance(expected, list | tuple):
        if not isinstance(came, list | tuple) or len(came) != len(expected):
            return False
        return all(
            _equal(one, other) for one, other in zip(came, expected, strict=True)
        )
    if isinstance(expected, Mapping):
        if not isinstance(came, Mapping) or set(came) != set(expected):
            return False
        return all(_equal(came[key], value) for key, value in expected.items())
    return isinstance(came, type(expected)) and bool(came == expected)


def _close(came: Any, expected: Any) -> bool:
    try:
        return math.isclose(came, expected, rel_tol=TOLERANCE, abs_tol=NEAR_ZERO)
    except (TypeError, ValueError, OverflowError):  # complex numbers, signaling NaN
        return False
