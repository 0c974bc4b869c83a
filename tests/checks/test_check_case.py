"""What a case expects, what it says about a mistake, and how it watches its arguments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from coursekit.checks.engine import (
    Case,
    Matching,
    Once,
    Raises,
    call,
    exactly,
    fits,
)
from coursekit.checks.engine.case import Misuse
from coursekit.checks.engine.exercise import error_text


@pytest.mark.parametrize(
    ("value", "right"),
    [(3, True), (np.int64(3), False), (4, False), (True, False)],
)
def test_an_exact_number_is_an_int(value: object, right: bool) -> None:
    """exactly(n) accepts the int n, but no other int, no bool, and no NumPy integer."""
    assert fits(value, exactly(3)) is right
    assert not fits(True, exactly(1))


def test_a_long_error_is_shortened() -> None:
    """At most 300 characters of an error's message are shown, and a longer message visibly ends
    early.
    """
    assert error_text(ValueError("x" * 300)) == "x" * 300
    assert error_text(ValueError("x" * 301)) == "x" * 300 + " …"


def test_an_error_that_cannot_be_printed_is_a_question_mark() -> None:
    """A learner's __str__ may itself raise."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert error_text(Broken()) == "?"


@pytest.mark.parametrize(
    ("got", "expected", "remark"),
    [
        ((1, 2), [1, 2], "there is a tuple. Return a list."),
        ([1, 2], (1, 2), "there is a list. Return a tuple."),
        (
            np.array([0.5, 0.5]),
            [0.5, 0.5],
            "there is a ndarray. Return a list.",
        ),
        ([("a", 1)], [["a", 1]], "there is a tuple. Return a list."),
        ({"gaps": (1.0,)}, {"gaps": [1.0]}, "there is a tuple. Return a list."),
        (24.0, exactly(24), "there is a float. Return an int."),
        (
            [2, 1],
            [1, 2],
            "The items are right, but their order is not. Sort them.",
        ),
        (0.333, 1 / 3, "It looks rounded. Return the exact number."),
        (
            ("tpm", 57.14),
            ("tpm", 40 / 0.7),
            "It looks rounded. Return the exact number.",
        ),
        (10**20 + 1, exactly(10**20), "Sort them."),
        (3, [3], "Sort them."),
        (
            {"returned": (1,), "requests": 1},
            {"returned": [1], "requests": 1},
            "Return a list.",
        ),
    ],
)
def test_a_mistake_that_the_value_shows_is_named(
    got: object, expected: object, remark: str
) -> None:
    """A wrong type, a wrong order, and rounding are named; otherwise, the case's own remark is
    shown.
    """
    assert (
        Case("f()", lambda function: None, expected, "Sort them.")
        .remark(got, {})
        .endswith(remark)
    )


def test_the_remark_fits_the_observation_that_is_wrong() -> None:
    """In a dict of observations, the first one that does not fit selects one of the exercise's
    remarks. Without such a remark, and for an exception, the case's own remark is shown.
    """
    expected = {
        "requests": 1,
        "seconds": Matching("at most 2", lambda got: got <= 2),
        "text": "a",
    }
    remarks = {"requests": "Send one.", "seconds": "Be quick."}
    case = Case("f()", lambda function: None, expected, "Look again.")
    assert (
        case.remark({"requests": 2, "seconds": 9, "text": "a"}, remarks)
        == "Send one."
    )
    assert (
        case.remark({"requests": 1, "seconds": 9, "text": "a"}, remarks)
        == "Be quick."
    )
    assert (
        case.remark({"requests": 1, "seconds": 1, "text": "b"}, remarks)
        == "Look again."
    )
    assert case.remark(None, remarks) == "Look again."


def test_a_call_is_described_for_a_failed_case_only() -> None:
    """A call's text is made when it is needed, not when the case is made or run."""

    class Watched:
        shown = 0

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Watched)

        def __hash__(self) -> int:
            return 0

        def __repr__(self) -> str:
            Watched.shown += 1
            return "watched"

    case = call(Watched(), expects=1)
    case.run(lambda value: 1)
    assert Watched.shown == 0
    assert case.text == "(watched)"


# A plain call, which watches its arguments


def test_a_call_that_leaves_its_arguments_alone_is_judged_by_what_it_returns() -> (
    None
):
    """The value arrives unchanged, even if the function makes changes and undoes them."""

    def twice(items: list[int], *, more: dict[str, int]) -> int:
        items.append(1)
        return len(items) + len(more) + len(items[: items.pop() - 1])

    case = call([1, 2], expects=4, more={"a": 1})
    assert case.text == "([1, 2], more={'a': 1})"
    assert case.run(twice) == 4


def test_a_changed_argument_is_a_miss_even_with_the_right_value() -> None:
    """If a list or dict is changed at any depth, it is reported with its new value, and the next
    run gets the original.
    """

    def sneaky(items: list[dict[str, int]]) -> int:
        items[0]["a"] += 1
        return 1

    case = call([{"a": 1}], expects=1)
    for _ in range(2):
        with pytest.raises(Misuse, match=r"changed its arguments.*{'a': 2}"):
            case.run(sneaky)


def test_the_expected_error_does_not_hide_a_change() -> None:
    """A function that changes its argument and then raises the expected error fails the check; any
    other error propagates.
    """

    def late(items: list[int], error: type[Exception]) -> None:
        items.append(1)
        raise error("too late")

    with pytest.raises(Misuse, match=r"\[1\]"):
        call([], ValueError, expects=Raises(ValueError)).run(late)
    with pytest.raises(KeyError):
        call([], KeyError, expects=Raises(ValueError)).run(late)


def test_what_must_be_new_may_not_be_the_argument_itself() -> None:
    """If a new value is required, returning the argument is wrong, but returning an equal copy is
    right.
    """

    def same(items: list[int]) -> list[int]:
        return items

    with pytest.raises(Misuse, match="same object"):
        call([1], expects=[1], new=True).run(same)
    assert call([1], expects=[1], new=True).run(list) == [1]
    assert call([1], expects=[1]).run(same) == [1]


def test_a_changed_item_of_an_iterator_is_a_miss() -> None:
    """The items of an iterator also belong to the caller, and each run gets copies of them."""

    def emptied(lists: Iterator[list[int]]) -> int:
        return sum(each.pop() for each in lists)

    case = call(Once([[1], [2]]), expects=3)
    assert case.run(lambda lists: sum(map(sum, lists))) == 3
    with pytest.raises(Misuse, match="changed its arguments"):
        case.run(emptied)
    assert case.run(lambda lists: sum(map(sum, lists))) == 3
