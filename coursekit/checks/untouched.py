"""A call that must leave its arguments as they are, and may have to return something new."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .case import Case, Function, Raises, call
from .describe import call_text

GIVEN_BACK = (
    "the very object that was given: whoever changes one of them changes both. Return a new "
    "one."
)


@dataclass(frozen=True)
class Shared:
    """What came where a function changed an argument, or handed it back: equal to nothing that is
    expected.
    """

    text: str

    def __repr__(self) -> str:
        return self.text


def untouched(
    *given: Any, expects: Any, why: str = "", fresh: bool = False, **keywords: Any
) -> Case:
    """The case of one plain call, as ``call()``, which is also missed where an argument is changed.

    given, keywords  plain values that compare by ``==``; each run gets copies, so a case can be run
                     again
    fresh            a list or dict among the arguments may not be what is returned
    """
    case = call(*given, expects=expects, why=why, **keywords)

    def run(function: Function) -> Any:
        places, names = copy.deepcopy((given, keywords))
        try:
            came = function(*places, **names)
        except Exception as error:
            if (places, names) == (given, keywords) or not (
                isinstance(expects, Raises) and expects.fits(error)
            ):
                raise
        if (places, names) != (given, keywords):
            return Shared(
                f"a call that changed its arguments. They are now {call_text(places, names)}"
            )
        if fresh and any(
            came is each for each in places if isinstance(each, list | dict)
        ):
            return Shared(GIVEN_BACK)
        return came

    return Case(case.given, run, case.expected, why)
