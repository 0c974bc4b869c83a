"""Keywords that a function hands on to ``client.chat.completions.create``: a wrong one is named,
and nothing sent.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def refuse_unknown(
    function: Callable[..., Any], client: Any, given: Iterable[str]
) -> None:
    """Raise TypeError for the first keyword that ``client.chat.completions.create`` does not take.

    function  the function that was given them; the error names it, and its own arguments count as
              meant
    client    sync or async; one whose create() takes any keyword refuses none
    given     names of keywords
    """
    parameters = inspect.signature(client.chat.completions.create).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            own = [
                each.name
                for each in inspect.signature(function).parameters.values()
                if each.kind != each.VAR_KEYWORD
            ]
            close = difflib.get_close_matches(name, [*own, *parameters], n=1)
            cure = (
                f"Did you mean {close[0]}?"
                if close
                else "Leave it out, or put it into extra_body={…}."
            )
            raise TypeError(
                f"{name!r} is not an argument of {function.__name__}() or of "
                f"client.chat.completions.create(). {cure}"
            )
