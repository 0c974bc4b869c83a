"""A case: one use of a learner's function in a check, and the expected result."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

from ...foundation.portable import Portable
from .describe import call_text, describe

Function = Callable[..., Any]
ORDER = "The items are right, but their order is not."
# relative and absolute tolerance, because numbers may be added in another order
TOLERANCE, NEAR_ZERO = 1e-9, 1e-15


@dataclass(frozen=True)
class Case:
    """One use of the learner's function.

    given     the call as the learner reads it, or a function that makes this text, which is called
              only for a failed case
    run       uses the learner's function and returns what is to be compared: its value, or a dict
              of observations
              such as {"returned": "Hi", "requests": 1}; may return an awaitable
    expected  a plain value, ``Raises(…)``, ``Matching(…)``, or a dict of them
    why       what a learner who misses this case most likely overlooked; "": the first hint is
              shown instead
    show      how expected and returned values are shown
    """

    given: str | Callable[[], str]
    run: Callable[[Function], Any]
    expected: Any
    why: str = ""
    show: Callable[[Any], str] = describe

    @property
    def text(self) -> str:
        """The call as the learner reads it."""
        return self.given if isinstance(self.given, str) else self.given()

    def remark(self, got: Any, remarks: Mapping[str, str]) -> str:
        """Return what to think about after the case returned ``got`` (None: it raised an error).

        remarks  the exercise's remarks, by the observation that did not fit
        """
        seen = explain(got, self.expected)
        if seen and seen != ORDER:
            return seen
        if isinstance(got, dict) and isinstance(self.expected, dict):
            expected = self.expected.items()
            missed = next(
                (
                    name
                    for name, value in expected
                    if not fits(got.get(name), value)
                ),
                "",
            )
            return remarks.get(missed, self.why)
        return f"{seen} {self.why}".strip()


@dataclass(frozen=True)
class Raises:
    """The expected result is an exception of this ``kind``, or a subclass, whose message contains
    each of ``words``.
    """

    kind: type[BaseException]
    words: tuple[str, ...] = ()

    def __repr__(self) -> str:
        saying = " and ".join(repr(word) for word in self.words)
        return f"raises {self.kind.__name__}" + (
            f" with {saying} in its message" if saying else ""
        )

    def fits(self, error: BaseException) -> bool:
        """Return whether the error is one of these."""
        return isinstance(error, self.kind) and all(
            word in str(error) for word in self.words
        )


@dataclass(frozen=True)
class Matching:
    """The expected result is any value for which ``holds`` is true; an error in ``holds`` counts as
    a miss.

    words  words that describe these values; "": they look like ``value``
    value  the plain value among them, if there is one
    """

    words: str
    holds: Callable[[Any], bool]
    value: Any = None

    def __repr__(self) -> str:
        return self.words or describe(self.value)


def exactly(number: int) -> Matching:
    """Expect exactly this int, not a float, a bool, or a NumPy integer."""

    def holds(got: Any) -> bool:
        return (
            isinstance(got, int) and not isinstance(got, bool) and got == number
        )

    return Matching(f"{number}, an int", holds, number)


@dataclass(frozen=True)
class Once:
    """An argument that is passed as an iterator, which can be read only once, like a stream."""

    items: Iterable[Any]

    def __repr__(self) -> str:
        return f"iter({describe(list(self.items))})"


class Misuse(Portable, Exception):
    """Raised by a case whose function changed an argument, or returned it.

    text  what the case got; ``why``: what to think about
    """

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.text, self.why = text, why


def call(
    *given: Any,
    expects: Any,
    why: str = "",
    text: str | Callable[[], str] | None = None,
    new: bool = False,
    **keywords: Any,
) -> Case:
    """Return the case for one plain call, ``function(*given, **keywords)``. A changed argument is a
    miss.

    given, keywords  values that can be copied and compared; each run gets copies. Exceptions are
                     passed without copying them
    expects, why     as in ``Case``
    text             the arguments as the learner reads them, if their own text is too long
    new              the function may not return a list or dict that is among its arguments
    """

    def run(function: Function) -> Any:
        places = [_copied(value) for value in given]
        names = {name: _copied(value) for name, value in keywords.items()}
        raised: Exception | None = None
        got = None
        try:
            got = function(*map(_passed, places), **names)
        except Exception as error:
            if not isinstance(expects, Raises) or not expects.fits(error):
                raise
            raised = error
        unchanged(
            [*places, *names.values()],
            [*given, *keywords.values()],
            lambda: call_text(places, names),
        )
        if raised is not None:
            raise raised
        if new and any(
            got is place for place in places if isinstance(place, list | dict)
        ):
            raise Misuse(
                "the same object that was passed in",
                "A change to one changes both. Return a new one.",
            )
        return got

    return Case(text or (lambda: call_text(given, keywords)), run, expects, why)


def unchanged(
    now: Iterable[Any], given: Iterable[Any], text: Callable[[], str]
) -> None:
    """Raise Misuse if a function changed its arguments.

    now, given  the arguments after the call, and as they were passed
    text        the arguments after the call, as the learner reads them
    """
    if not all(map(_same, now, given)):
        raise Misuse(
            f"a call that changed its arguments. They are now {text()}",
            "The arguments belong to the caller: work on a copy, or build something"
            " new.",
        )


def _copied(value: Any) -> Any:
    if isinstance(value, Once):
        return Once(copy.deepcopy(list(value.items)))
    return value if isinstance(value, BaseException) else copy.deepcopy(value)


def _passed(value: Any) -> Any:
    """Return what the function receives."""
    return iter(list(value.items)) if isinstance(value, Once) else value


def _same(now: Any, given: Any) -> bool:
    return now is given or bool(now == given)


def fits(got: Any, expected: Any) -> bool:
    """Return whether a value is what was expected. Never raises: a value that cannot be compared
    does not fit.

    Numbers may have rounding errors and may be NumPy's; True is neither 1 nor NumPy's True. A list,
    a tuple, and an array are different.
    """
    try:
        return _equal(got, expected)
    except Exception:  # noqa: BLE001  anything wrong with the value counts as the learner's miss
        return False


def _equal(got: Any, expected: Any) -> bool:
    if isinstance(expected, Matching):
        return bool(expected.holds(got))
    if (
        isinstance(expected, bool)
        or isinstance(got, bool)
        or expected is None
        or got is None
    ):
        return type(got) is type(expected) and got == expected
    if getattr(got, "ndim", None) == 0:
        got = got.item()  # a NumPy number
    if isinstance(expected, Number) and isinstance(got, Number):
        # complex numbers raise a TypeError, and fits() makes that a miss
        return got == expected or math.isclose(
            got,  # type: ignore[arg-type]
            expected,  # type: ignore[arg-type]
            rel_tol=TOLERANCE,
            abs_tol=NEAR_ZERO,
        )
    if isinstance(expected, str):
        return isinstance(got, str) and str.__eq__(got, expected)
    if isinstance(expected, list | tuple):
        kind = list if isinstance(expected, list) else tuple
        return (
            isinstance(got, kind)
            and len(got) == len(expected)
            and all(map(_equal, got, expected))
        )
    if isinstance(expected, dict):
        if not isinstance(got, dict) or set(got) != set(expected):
            return False
        return all(_equal(got[key], value) for key, value in expected.items())
    return isinstance(got, type(expected)) and bool(got == expected)


def explain(got: Any, expected: Any) -> str:
    """Return the mistake if the value itself gives it away: a wrong type, a wrong order, or
    rounding. Otherwise, return "".
    """
    if (
        isinstance(got, dict)
        and isinstance(expected, dict)
        and "returned" in expected
    ):
        return explain(got.get("returned"), expected["returned"])
    wanted = expected.value if isinstance(expected, Matching) else expected
    if fits(got, expected) or got is None or wanted is None:
        return ""
    if wanted is not expected and type(got) is type(wanted):
        return ""  # an int, but not exactly the expected one
    if fits(_plain(got), _plain(wanted)):
        found, kind = _kinds(got, wanted)
        if found == kind:  # NumPy's bool has the same name as Python's
            found = f"numpy.{found}"
        found, kind = map(_with_article, (found, kind))
        return f"The values are right, but there is {found}. Return {kind}."
    items = _plain(got)
    both_lists = isinstance(wanted, list | tuple) and isinstance(items, list)
    if both_lists and sorted(map(describe, items)) == sorted(
        map(describe, _plain(wanted))
    ):
        return ORDER
    if _rounded(got, wanted):
        return "It looks rounded. Return the exact number."
    return ""


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _plain(value: Any) -> Any:
    """Return the value with tuples and arrays replaced by lists, and ints replaced by floats."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return float(value) if type(value) is int else value


def _kinds(got: Any, wanted: Any) -> tuple[str, str]:
    """Return the types at the first position where two values with the same ``_plain`` form differ
    in type.
    """
    if isinstance(wanted, list | tuple) and isinstance(got, type(wanted)):
        pairs = list(zip(got, wanted, strict=True))
    elif isinstance(wanted, dict) and isinstance(got, dict):
        pairs = [(got[name], item) for name, item in wanted.items()]
    else:
        return type(got).__name__, type(wanted).__name__
    return next(
        _kinds(*pair)
        for pair in pairs
        if type(pair[0]) is not type(pair[1]) or not fits(*pair)
    )


def _rounded(got: Any, wanted: Any) -> bool:
    """Return whether rounded numbers are the only thing wrong with a value."""
    if isinstance(wanted, float) and isinstance(got, float) and got:
        return fits(got, wanted) or any(
            got == round(wanted, digits) for digits in range(1, 8)
        )
    if (
        isinstance(wanted, list | tuple)
        and isinstance(got, type(wanted))
        and len(got) == len(wanted)
    ):
        return all(map(_rounded, got, wanted))
    if (
        isinstance(wanted, dict)
        and isinstance(got, dict)
        and got.keys() == wanted.keys()
    ):
        return all(_rounded(got[key], value) for key, value in wanted.items())
    return fits(got, wanted)
