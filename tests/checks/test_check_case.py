"""What a case expects, and how errors are described to a learner."""

from __future__ import annotations

import numpy as np
import pytest

from coursekit.checks.case import exactly, fits
from coursekit.checks.exercise import describe_error


@pytest.mark.parametrize(
    ("value", "right"), [(3, True), (np.int64(3), True), (4, False), (True, False)]
)
def test_an_exact_number_is_an_int(value: object, right: bool) -> None:
    """exactly(n) takes the int n, NumPy's too, and neither another one nor a bool."""
    assert fits(value, exactly(3)) is right
    assert not fits(True, exactly(1))


def test_a_long_error_is_shortened() -> None:
    """300 characters of an error's message are shown; what is longer is cut, and one can see that
    it is.
    """
    assert describe_error(ValueError("x" * 300)) == "x" * 300
    assert describe_error(ValueError("x" * 301)) == "x" * 300 + " …"


def test_an_error_that_cannot_be_printed_is_a_question_mark() -> None:
    """A learner's __str__ may itself raise."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert describe_error(Broken()) == "?"
