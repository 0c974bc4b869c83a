"""Runs a learner's code with a time limit, and reports how it ended.

The code runs apart from the kernel's event loop (see ``foundation.platform``). Code that blocks
outside Python, or catches everything forever, is abandoned, and the learner is asked to restart the
kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import io
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ...foundation.platform import RunEnd, run_apart
from .virtual_loop import VirtualTimeLoop

SECONDS = 5.0  # of computing, for one case: far more than any case needs
PRINTED = 4_000  # maximum number of characters for one case
NEVER_AWAITED = re.compile(r"coroutine '(?:.*\.)?([^']+)' was never awaited")


class NotAwaitable(TypeError):
    """The learner's function is a plain function, but an async function is needed."""


@dataclass(frozen=True)
class Ran:
    """How a run ended: with ``value`` or ``error``, or it is ``endless`` (``left``: it could not be
    stopped).

    unawaited  the name of a coroutine that was never awaited; "" if there is none
    """

    value: Any = None
    error: BaseException | None = None
    endless: bool = False
    left: bool = False
    unawaited: str = ""


def run(
    work: Callable[[], Any], *, awaits: bool = False, seconds: float = SECONDS
) -> Ran:
    """Do the work and report how it ended. Errors in the work are reported, not raised.

    awaits   the work returns an awaitable, which is awaited in an event loop with virtual time
    seconds  the limit, of computing
    """
    ended: list[Ran] = []
    # it tells a kernel which cell an output belongs to
    context = contextvars.copy_context()

    def learner() -> None:
        try:
            value = context.run(_awaited, work) if awaits else context.run(work)
            ended.append(Ran(value))
        except BaseException as error:  # noqa: BLE001  any error is reported
            ended.append(Ran(error=error))

    printed = _FirstLines(sys.stdout)
    with (
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        outcome = run_apart(learner, seconds)
        if outcome is not RunEnd.DONE:
            return Ran(endless=True, left=outcome is RunEnd.LEFT)
        ran = ended[0]
        unawaited = _close_coroutines(ran.value) or next(
            _never_awaited(warned), ""
        )
    return Ran(ran.value, ran.error, unawaited=unawaited)


class _FirstLines(io.TextIOBase):
    """Passes only the beginning of printed output along, because an endless loop that prints would
    stall the browser.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.left = stream, PRINTED

    def write(self, text: str) -> int:
        shown = text[: self.left]
        self.left -= len(shown)
        self.stream.write(shown)
        if shown and not self.left:
            self.stream.write("\n… the rest of the output is not shown.\n")
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


def _awaited(work: Callable[[], Any]) -> Any:
    value = work()
    if not inspect.isawaitable(value):
        raise NotAwaitable

    async def whole() -> Any:
        return await value

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(whole())


def _close_coroutines(value: Any) -> str:
    """Close the awaitables in a value or in its lists. Returns the first one's name; "" if there
    are none.
    """
    left = list(_awaitables(value))
    for item in left:
        if inspect.iscoroutine(item):
            item.close()  # or Python would warn about it later
    return (
        str(getattr(left[0], "__name__", type(left[0]).__name__))
        if left
        else ""
    )


def _awaitables(value: Any, deep: int = 3) -> Iterator[Any]:
    if inspect.isawaitable(value):
        yield value
    elif deep and isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _awaitables(item, deep - 1)


def _never_awaited(warned: list[warnings.WarningMessage]) -> Iterator[str]:
    for warning in warned:
        if found := NEVER_AWAITED.match(str(warning.message)):
            yield found[1]
