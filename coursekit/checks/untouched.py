"""A call that must leave its arguments as they are."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from .case import Case, Function, Raises, call
from .describe import call_text


@dataclass(frozen=True)
class Changed:
    """What came where a function changed an argument: equal to nothing that is expected."""

    text: str

    def __repr__(self) -> str:
        return self.text


def untouched(*given: Any, expects: Any, why: str = "", **keywords: Any) -> Case:
    """The case of one plain call, as ``call()``, which is also missed where an argument is changed.

    given, keywords  plain values that compare by ``==``; each run gets copies, so a case can be run again
    """
    case = call(*given, expects=expects, why=why, **keywords)

    def run(function: Function) -> Any:
        places, names = copy.deepcopy((given, keywords))
        try:
            came = function(*places, **names)
        except Exception as error:
            if (places, names) == (given, keywords) or not (isinstance(expects, Raises) and expects.fits(error)):
                raise
        if (places, names) != (given, keywords):
            return Changed(f"a call that changed its arguments. They are now {call_text(places, names)}")
        return came

    return Case(case.given, run, case.expected, why)
