"""A check's result: what it judges, what it says, and how it is displayed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import progress
from coursekit.checks.engine import Case, Matching, Raises, call, fits
from coursekit.checks.engine.describe import SHOWN, describe
from coursekit.checks.engine.exercise import Exercise, row_values
from coursekit.checks.engine.result import NotPassed, result_html

HINTS = ("one", "two", "three")


def made(*cases: Case, awaits: bool = False, seconds: float = 5.0) -> Exercise:
    """An exercise named double in chapter 01."""

    def double() -> Iterator[Case]:
        """Twice the number."""
        yield from cases

    return Exercise(
        double,
        chapter="01_basics",
        stars=1,
        hints=HINTS,
        awaits=awaits,
        seconds=seconds,
    )


TWO = (call(1, expects=2), call(5, expects=10, why="Five, too."))


def test_a_row_of_a_chapter_s_file_becomes_a_case() -> None:
    """In a row, "None" means None at any depth, and an exception's name with words from its message
    becomes the expected error.
    """
    row = {"given": ["None", {"a": "None"}], "raises": "OSError", "says": ["x"]}
    assert row_values(row) == {
        "given": [None, {"a": None}],
        "expects": Raises(OSError, ("x",)),
    }
    assert row_values({"raises": "BadRequestError"})["expects"] == Raises(
        openai.BadRequestError
    )
    assert row["raises"] == "OSError"


def test_a_right_answer_passes() -> None:
    """If all cases pass, the result is true and gives their number."""
    result = made(*TWO).result(lambda number: 2 * number)
    assert result
    assert repr(result) == "✓ double: passed (2 of 2 cases)"


def test_the_first_miss_is_told_in_full() -> None:
    """A failed case shows the call, what was expected, what was returned, the case's own reason,
    and where to find hints. No later case is run.
    """
    result = made(*TWO, call(0, expects=0)).result(lambda number: 2)
    assert repr(result).splitlines() == [
        "✗ double: not right yet (case 2 of 3)",
        "  call      double(5)",
        "  expected  10",
        "  got       2",
        "  Five, too.",
        "  More: check.double.hint(1)",
    ]


def test_a_miss_without_a_reason_shows_the_first_hint() -> None:
    """If a case has no reason of its own, the first hint is shown. For None, a missing return is
    suggested.
    """
    assert "  Hint 1: one\n  More: check.double.hint(2)" in repr(
        made(*TWO).result(lambda number: number)
    )
    assert "does every path end in return?" in repr(
        made(*TWO).result(lambda number: None)
    )


def test_a_generator_is_explained() -> None:
    """If a function has a yield, a message says so, without a memory address."""

    def double(number: int) -> Iterator[int]:
        yield 2 * number

    said = repr(made(*TWO).result(double))
    assert "Use return." in said
    assert "0x" not in said


def test_an_error_is_told_with_the_learner_s_line() -> None:
    """An error in the learner's code shows its message and their own line, but none of ours."""

    def double(number: int) -> int:
        return number.twice  # type: ignore[attr-defined]

    said = repr(made(*TWO).result(double))
    assert "✗ double: your code raised an error (case 1 of 2)" in said
    assert (
        "got       AttributeError: 'int' object has no attribute 'twice'"
        in said
    )
    assert "return number.twice" in said
    assert "coursekit" not in said


def test_a_class_can_be_the_answer() -> None:
    """An exercise may ask for a class; its errors also show the line."""

    class Broken:
        def __init__(self, number: int) -> None:
            raise KeyError(number)

    case = Case("Double(1).value", lambda kind: kind(1).value, 2)
    assert "raise KeyError(number)" in repr(made(case).result(Broken))


def test_the_stub_is_not_yet() -> None:
    """NotImplementedError is neither right nor wrong, in any case."""

    def half(number: int) -> int:
        if number == 1:
            return 2
        raise NotImplementedError

    assert repr(made(*TWO).result(half)).startswith("… double: not yet\n")


def test_an_endless_loop_is_told() -> None:
    """An endless loop is stopped and explained."""

    def double(number: int) -> int:
        while True:
            number += 1

    said = repr(made(*TWO, seconds=0.2).result(double))
    assert "✗ double: never returned (case 1 of 2)" in said
    assert "nothing within 0.2 seconds" in said
    assert "It contains a loop that never ends" in said
    assert "More: check.double.hint(1)" in said


def test_a_forgotten_await_is_told() -> None:
    """A coroutine instead of a value is explained by a missing await, or by an async def that was
    not needed.
    """

    async def fetch(number: int) -> int:
        return 2 * number

    def forgot(number: int) -> Any:
        return fetch(number)

    assert "write await fetch(…)" in repr(made(*TWO).result(forgot))
    assert "def, not async def" in repr(made(*TWO).result(fetch))


def test_an_async_exercise() -> None:
    """An async def passes. For a plain function, the message asks for an async def. A forgotten
    await inside is reported.
    """

    async def fetch(number: int) -> int:
        return 2 * number

    async def right(number: int) -> int:
        return await fetch(number)

    async def forgot(number: int) -> Any:
        return fetch(number)

    asked = made(*TWO, awaits=True)
    assert asked.result(right)
    # returns an awaitable, which is just as good
    assert asked.result(lambda number: asyncio.sleep(0, 2 * number))
    assert "async def double(…)" in repr(
        asked.result(lambda number: 2 * number)
    )
    assert "write await fetch(…)" in repr(asked.result(forgot))


def test_an_expected_error() -> None:
    """Raises accepts the error, or a subclass, with all of its words. It does not accept another
    error, other words, or no error.
    """
    asked = made(call(-1, expects=Raises(ValueError, ("negative",))))

    def raising(error: Exception) -> Any:
        def double(number: int) -> int:
            raise error

        return double

    assert asked.result(raising(ValueError("a negative number")))
    assert asked.result(raising(UnicodeError("negative")))
    assert "got       ValueError: no" in repr(
        asked.result(raising(ValueError("no")))
    )
    assert "got       KeyError" in repr(
        asked.result(raising(KeyError("negative")))
    )
    assert "expected  raises ValueError with 'negative' in its message" in repr(
        asked.result(lambda number: 0)
    )


@pytest.mark.parametrize("wrong", [3, "double", None])
def test_what_is_no_function_is_told(wrong: Any) -> None:
    """Passing a result instead of the function is explained."""
    assert "Pass the function itself: check.double(NAME)" in repr(
        made(*TWO).result(wrong)
    )


def test_hints_are_graded() -> None:
    """There are three hints; any other number is an error that lists them."""
    asked = made(*TWO)
    assert asked.hint().text == asked.hint(
        1
    ).text and "check.double(double)" in repr(asked)
    assert [asked.hint(n).text for n in (1, 2, 3)] == [
        f"Hint {n} of 3 for double: {HINTS[n - 1]}" for n in (1, 2, 3)
    ]
    with pytest.raises(ValueError, match="numbered 1 to 3"):
        asked.hint(4)


def test_whatever_a_learner_s_code_gives_is_only_shown() -> None:
    """HTML in a learner's values, errors, and names is escaped, and a value whose repr fails does
    no harm.
    """

    class Hostile:
        def __repr__(self) -> str:
            return "<script>alert(1)</script>"

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    html = result_html(made(*TWO).result(lambda number: Hostile()))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "whose repr raises RuntimeError" in repr(
        made(*TWO).result(lambda number: Broken())
    )


def test_a_verdict_shows_itself_in_a_notebook(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A result is displayed as HTML and text, but is not the cell's value, which nbgrader would use
    as points.
    """
    shown: list[Any] = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda data, **more: shown.append((data, more)),
    )
    made(*TWO).result(lambda number: 2 * number)._ipython_display_()
    [(data, more)] = shown
    assert set(data) == {"text/html", "text/plain"}
    assert more == {"raw": True}
    assert "✓ double: passed" in data["text/html"]


@pytest.mark.parametrize("value", ["autograde", "validate"])
def test_under_nbgrader_a_miss_raises(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nbgrader counts a cell that raises as failed, so under nbgrader, a failed check raises a
    short error, and a pass is not saved.
    """
    monkeypatch.setenv("NBGRADER_EXECUTION", value)
    monkeypatch.setattr(
        progress,
        "passed_now",
        lambda *_: pytest.fail("a student's pass on a teacher's machine"),
    )
    assert made(*TWO)(lambda number: 2 * number)
    with pytest.raises(NotPassed) as raised:
        made(*TWO)(lambda number: 0)
    assert (
        raised.value._render_traceback_()[0]
        == "✗ double: not right yet (case 1 of 2)"
    )


# What counts as equal


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (0.1 + 0.2, 0.3),
        (Decimal("0.3"), 0.3),
        (3, 3.0),
        ([np.float64(0.5)], [0.5]),
        (np.float64(2), 2),
        (Counter("a"), {"a": 1}),
        (float("inf"), float("inf")),
        (None, None),
        ({1, 2}, {2, 1}),
    ],
)
def test_as_good_as_equal(came: Any, expected: Any) -> None:
    """Rounded values, NumPy numbers, Decimals, and subclasses are also right."""
    assert fits(came, expected)


class EqualToAll:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class EqualStr(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        (True, 1),
        (1, True),
        (0, None),
        (None, 0),
        ("", None),
        ("3", 3),
        (3, "3"),
        ([1], [1, 2]),
        ({"a": 1}, {}),
        (EqualToAll(), "a"),
        (EqualToAll(), 3),
        (EqualToAll(), None),
        (EqualStr("b"), "a"),
        (1e-6, 0.0),
        (float("nan"), 1.0),
        ("ab", ["a", "b"]),
        ((1, 2), [1, 2]),
        ([1, 2], (1, 2)),
        (np.array([0.5, 0.5]), [0.5, 0.5]),
        ({"a": (1,)}, {"a": [1]}),
        (1.0000001, 1.0),
        ({1: 2}, [1]),
        (0.0001, 0.0),
    ],
)
def test_not_equal(came: Any, expected: Any) -> None:
    """Other values and types do not pass, and neither does an object that claims to equal
    everything.
    """
    assert not fits(came, expected)


def test_a_predicate_that_fails_is_a_miss() -> None:
    """Matching accepts what its predicate accepts, but nothing that makes the predicate raise."""
    short = Matching("a short text", lambda came: len(came) < 3)
    assert fits("ab", short)
    assert not fits("abc", short)
    assert not fits(3, short)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
    ),
)


@given(PLAIN)
def test_every_plain_value_equals_itself_and_can_be_described(
    value: Any,
) -> None:
    """Any plain value matches itself, and its description is short."""
    assert fits(value, value)
    assert len(describe(value)) <= SHOWN + 40
