"""Our own exceptions: they survive the way between processes, and are short in a notebook.

Python restores a pickled or copied exception by calling its class with ``args``. A class whose
``__init__`` takes anything other than the message cannot be restored that way: a process pool that
receives one breaks, or hangs. Our own exceptions are ``Portable``; ``packed`` does the same for
those of other libraries.
"""

from __future__ import annotations

import copy
import pickle
import re
import traceback
from typing import Any, NamedTuple

# what IPython names a cell: in a kernel, in a terminal
CELL = re.compile(r"ipykernel_\d+|<ipython-input")


def restored(
    kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]
) -> BaseException:
    """An exception with these ``args`` and attributes, made without its ``__init__``."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Portable(BaseException):
    """Mix it in first: ``class Cut(Portable, RuntimeError)``. Pickling and copying keep message and
    attributes; a notebook shows the learner's own lines and the message.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.args, dict(self.__dict__))

    def _render_traceback_(self) -> list[str]:
        # What IPython shows for an uncaught one. Python's traceback would put two hundred lines
        # from inside the SDK above the message.
        frames = traceback.extract_tb(self.__traceback__)
        cells = [frame for frame in frames if CELL.search(frame.filename)]
        own = [f"  line {frame.lineno}: {frame.line}" for frame in cells]
        return [type(self).__name__, *own, *str(self).splitlines()]


class Packed(NamedTuple):
    """An exception taken apart, in parts that pickle can hold."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]


def packed(error: Exception | None) -> Packed | None:
    """``error`` in a form that can be pickled; ``unpacked`` puts it together again.

    The SDK's errors carry the request, whose headers hold the API key: the key stays here. An error
    that cannot be pickled even so becomes a RuntimeError with its type's name and its message.
    """
    if error is None:
        return None
    state = {
        name: _without_headers(value) for name, value in error.__dict__.items()
    }
    whole = Packed(type(error), error.args, state)
    try:
        unpacked(pickle.loads(pickle.dumps(whole)))
    except Exception:  # noqa: BLE001 - whatever an attribute of a foreign exception does when it is pickled
        return Packed(RuntimeError, (f"{type(error).__name__}: {error}",), {})
    return whole


def unpacked(parts: Packed | None) -> Exception | None:
    """The exception that ``packed`` took apart."""
    if parts is None:
        return None
    error = restored(*parts)
    assert isinstance(error, Exception)
    return error


def _without_headers(value: Any) -> Any:
    """A request without its headers, and a response without its request's: recognized by their
    form, not their library.
    """
    kind = type(value)
    if kind.__name__ == "Request" and hasattr(value, "url"):
        return kind(value.method, str(value.url))
    if kind.__name__ == "Response" and hasattr(value, "status_code"):
        # without the stream, as pickle copies it
        response = copy.copy(value)
        response._request = _without_headers(getattr(value, "_request", None))
        return response
    return value
