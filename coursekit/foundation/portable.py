"""A base class for our exceptions, which can be passed between processes and are short in a
notebook.

Python restores a pickled or copied exception by calling its class with ``args``. A class whose
``__init__`` takes anything other than the message cannot be restored that way: a process pool that
receives one breaks, or hangs. Our own exceptions are ``Portable``; ``packed`` does the same for
exceptions from other libraries.
"""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from typing import Any, NamedTuple

# how IPython names a cell: in a kernel, in a terminal
CELL = re.compile(r"ipykernel_\d+|<ipython-input")


def restored(
    kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]
) -> BaseException:
    """Create an exception with these ``args`` and attributes without calling its ``__init__``."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Portable(BaseException):
    """Mix it in first: ``class Cut(Portable, RuntimeError)``. Pickling and copying preserve the
    message and the attributes; a notebook shows the learner's own lines and the message.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.args, dict(self.__dict__))

    def _render_traceback_(self) -> list[str]:
        # What IPython shows for an uncaught exception. Python's traceback would put two hundred
        # lines from inside the SDK above the message.
        frames = traceback.extract_tb(self.__traceback__)
        cells = [frame for frame in frames if CELL.search(frame.filename)]
        own = [f"  line {frame.lineno}: {frame.line}" for frame in cells]
        return [type(self).__name__, *own, *str(self).splitlines()]


class Packed(NamedTuple):
    """An exception split into parts that can be pickled."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]


def packed(error: Exception | None) -> Packed | None:
    """Return ``error`` in a form that can be pickled; ``unpacked`` restores it.

    The SDK's errors carry the request, whose headers contain the API key; the headers are removed,
    so the key does not leave the process. An error that still cannot be pickled becomes a
    RuntimeError with the name of its type and its message.
    """
    if error is None:
        return None
    state = {
        name: _without_headers(value) for name, value in error.__dict__.items()
    }
    whole = Packed(type(error), error.args, state)
    try:
        unpacked(pickle.loads(pickle.dumps(whole)))
    except Exception:  # noqa: BLE001  an attribute of another library's exception can raise anything
        return Packed(RuntimeError, (f"{type(error).__name__}: {error}",), {})
    return whole


def unpacked(parts: Packed | None) -> Exception | None:
    """Restore an exception that ``packed`` has split."""
    if parts is None:
        return None
    error = restored(*parts)
    assert isinstance(error, Exception)
    return error


def _without_headers(value: Any) -> Any:
    """Return a request without its headers, or a response without its request's headers. Both are
    recognized by their attributes, not by their library.
    """
    kind = type(value)
    if kind.__name__ == "Request" and hasattr(value, "url"):
        return kind(value.method, str(value.url))
    if kind.__name__ == "Response" and hasattr(value, "status_code"):
        # without the stream, as in a pickled copy
        response = copy.copy(value)
        response._request = _without_headers(getattr(value, "_request", None))
        return response
    return value
