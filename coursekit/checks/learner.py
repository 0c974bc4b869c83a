"""What can be told of a learner's own code: the line that raised, and whether a newer version of it
did not run.
"""

from __future__ import annotations

import ast
import linecache
import re
import traceback
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parents[1])


def line_of(error: BaseException, function: Any) -> str:
    """The last line of the learner's own that the error came through, with its number in the cell;
    "" for none.
    """
    file = _file(function)
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if frame.filename == file and file is not None and not file.startswith(OURS)
    ]
    if not own:
        return ""
    text = linecache.getline(own[-1].filename, own[-1].lineno or 0).strip()
    return f"{own[-1].lineno}: {text}" if text else f"{own[-1].lineno}"


def _file(function: Any) -> str | None:
    """Where Python has a function's, or a class's, code from."""
    parts = vars(function).values() if isinstance(function, type) else [function]
    codes = [part.__code__ for part in parts if hasattr(part, "__code__")]
    return codes[0].co_filename if codes else None


def newer_with_syntax_error(name: str) -> str:
    """The error of the newest cell that defines ``name``, when that cell could not run; "" when it
    could.

    Python then still has the older function, and a check of it would puzzle.
    """
    try:
        from IPython.core.getipython import get_ipython
    except ImportError:
        return ""
    shell = get_ipython()
    if shell is None:
        return ""
    for source in reversed(shell.user_ns.get("In", [])):
        if re.search(rf"^\s*((async\s+)?def|class)\s+{name}\b", source, re.MULTILINE):
            try:
                ast.parse(source)
            except SyntaxError as error:
                return f"SyntaxError in line {error.lineno}: {error.msg}"
            return ""
    return ""
