"""A case that watches its arguments."""

from __future__ import annotations

import pytest

from coursekit.checks.case import Raises, fits
from coursekit.checks.untouched import untouched


def test_a_call_that_leaves_its_arguments_alone_is_judged_by_what_it_returns() -> None:
    """The value comes through as it is, also when the function makes changes and undoes them."""

    def twice(items: list[int], *, more: dict[str, int]) -> int:
        items.append(1)
        return len(items) + len(more) + len(items[: items.pop() - 1])

    case = untouched([1, 2], expects=4, more={"a": 1})
    assert case.given == "([1, 2], more={'a': 1})"
    assert case.run(twice) == 4


def test_a_changed_argument_is_a_miss_even_with_the_right_value() -> None:
    """A list or dict that is changed, at any depth, is told with what it has become; the next run
    gets it unchanged.
    """

    def sneaky(items: list[dict[str, int]]) -> int:
        items[0]["a"] += 1
        return 1

    case = untouched([{"a": 1}], expects=1)
    for _ in range(2):
        came = case.run(sneaky)
        assert not fits(came, case.expected)
        assert "changed its arguments" in repr(came)
        assert "[{'a': 2}]" in repr(came)


def test_the_expected_error_does_not_hide_a_change() -> None:
    """A function that changes its argument and then raises what was expected has missed; another
    error comes out.
    """

    def late(items: list[int], error: type[Exception]) -> None:
        items.append(1)
        raise error("too late")

    assert "[1]" in repr(
        untouched([], ValueError, expects=Raises(ValueError)).run(late)
    )
    with pytest.raises(KeyError):
        untouched([], KeyError, expects=Raises(ValueError)).run(late)


def test_what_must_be_new_may_not_be_the_argument_itself() -> None:
    """Where a fresh value is asked for, the argument handed back is a miss, and an equal copy is
    none.
    """

    def same(items: list[int]) -> list[int]:
        return items

    assert "very object" in repr(untouched([1], expects=[1], fresh=True).run(same))
    assert untouched([1], expects=[1], fresh=True).run(list) == [1]
    assert untouched([1], expects=[1]).run(same) == [1]
