"""Information about a learner's own code: the line that raised an error, and whether a newer
version did not run.
"""

from __future__ import annotations

import ast
import linecache
import re
import traceback
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parents[2])


def line_of(error: BaseException, function: Any) -> str:
    """Return the last line of the learner's own code that the error passed through, with its number
    in the cell; "" if there is none.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return _own_line(
        [(frame.filename, frame.lineno or 0) for frame in frames], function
    )


def line_waiting(stacks: list[list[Any]], function: Any) -> str:
    """Return the line in the learner's own code at which a task waits; "" if there is none."""
    return _own_line(
        [
            (frame.f_code.co_filename, frame.f_lineno)
            for stack in stacks
            for frame in stack
        ],
        function,
    )


def _own_line(places: list[tuple[str, int]], function: Any) -> str:
    file = _file(function)
    lines = [
        line
        for filename, line in places
        if filename == file and not filename.startswith(OURS)
    ]
    if not lines:
        return ""
    text = linecache.getline(str(file), lines[-1]).strip()
    return f"{lines[-1]}: {text}" if text else f"{lines[-1]}"


def _file(function: Any) -> str | None:
    """Return the file that contains the code of a function or a class."""
    parts = (
        vars(function).values() if isinstance(function, type) else [function]
    )
    codes = [part.__code__ for part in parts if hasattr(part, "__code__")]
    return codes[0].co_filename if codes else None


def newer_with_syntax_error(name: str) -> str:
    """Return the error in the newest cell that defines ``name``, if that cell could not run;
    otherwise "".

    Python then still has the older function, so its check would be confusing.
    """
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return ""
    shell = get_ipython()
    if shell is None:
        return ""
    definition = re.compile(
        rf"^\s*((async\s+)?def|class)\s+{name}\b", re.MULTILINE
    )
    newest = next(
        (
            source
            for source in reversed(shell.user_ns.get("In", []))
            if definition.search(source)
        ),
        "",
    )
    try:
        ast.parse(newest)
    except SyntaxError as error:
        return f"SyntaxError in line {error.lineno}: {error.msg}"
    return ""
