"""Run a learner's code with a time limit, and tell what became of it.

It runs in a thread of its own, which works on every platform, leaves the kernel free to say that
time is up (signals would need Unix and the main thread), and lets async code run although the
kernel has an event loop of its own. An endless loop is ended by an exception that Python raises in
that thread; code that blocks outside Python, or that catches everything for ever, is left behind,
and the learner is told to restart the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import inspect
import io
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from .virtual_loop import VirtualTimeLoop

SECONDS = 10.0  # real ones, for one case: far more than any needs on a busy machine
PRINTED = 4_000  # characters of one case
TRIES, PAUSE = 10, 0.1  # to end a thread


class NotAwaitable(TypeError):
    """An async exercise was answered with a plain function."""


class _Stop(SystemExit):
    """Raised in the learner's thread. As a SystemExit it passes `except Exception` and asyncio's
    tasks.
    """


@dataclass(frozen=True)
class Ran:
    """What became of a run: ``value``, or ``error``; or ``endless`` (``left``: it could not be
    ended).

    unawaited  the name of a coroutine that nobody awaited; "" when there is none
    """

    value: Any = None
    error: BaseException | None = None
    endless: bool = False
    left: bool = False
    unawaited: str = ""


def run(
    work: Callable[[], Any], *, awaits: bool = False, seconds: float = SECONDS
) -> Ran:
    """Do the work, and tell what became of it; nothing that it raises comes out.

    awaits   the work returns an awaitable, which is awaited in an event loop of virtual time
    seconds  the limit, in real time
    """
    ended: list[Ran] = []
    context = (
        contextvars.copy_context()
    )  # a kernel knows by it which cell an output belongs to

    def learner() -> None:
        try:
            ended.append(Ran(context.run(_awaited if awaits else _called, work)))
        except BaseException as error:  # noqa: BLE001  to be told, whatever it is
            ended.append(Ran(error=error))

    printed = _FirstLines(sys.stdout)
    with (
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always")
        thread = threading.Thread(
            target=learner, name="a learner's function", daemon=True
        )
        thread.start()
        try:
            thread.join(seconds)
        except KeyboardInterrupt:
            _end(thread)
            raise
        if thread.is_alive():
            return Ran(endless=True, left=not _end(thread))
        ran = ended[0]
        left = _close_coroutines(ran.value) or next(_never_awaited(warned), "")
    return Ran(ran.value, ran.error, unawaited=left)


class _FirstLines(io.TextIOBase):
    """Lets the beginning of what is printed through: an endless loop that prints would stall the
    browser.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.left = stream, PRINTED

    def write(self, text: str) -> int:
        shown = text[: self.left]
        self.left -= len(shown)
        self.stream.write(shown)
        if shown and not self.left:
            self.stream.write("\n… what is printed after this is not shown.\n")
        return len(text)

    def flush(self) -> None:
        self.stream.flush()


def _called(work: Callable[[], Any]) -> Any:
    return work()


def _awaited(work: Callable[[], Any]) -> Any:
    value = work()
    if not inspect.isawaitable(value):
        raise NotAwaitable

    async def whole() -> Any:
        return await value

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(whole())


def _end(thread: threading.Thread) -> bool:
    """Raise ``_Stop`` in the thread until it has ended; whether it has."""
    for _ in range(TRIES):
        if thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(_Stop)
            )
        thread.join(PAUSE)
        if not thread.is_alive():
            return True
    return False


def _close_coroutines(value: Any) -> str:
    """Close what is left to await in a value or within its lists. Returns the first one's name, ""
    for none.
    """
    left = list(_awaitables(value))
    for item in left:
        if inspect.iscoroutine(item):
            item.close()  # or Python warns of it later
    return str(getattr(left[0], "__name__", type(left[0]).__name__)) if left else ""


def _awaitables(value: Any, deep: int = 3) -> Iterator[Any]:
    if inspect.isawaitable(value):
        yield value
    elif deep and isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _awaitables(item, deep - 1)


def _never_awaited(warned: list[warnings.WarningMessage]) -> Iterator[str]:
    for warning in warned:
        if found := re.match(
            r"coroutine '(?:.*\.)?([^']+)' was never awaited", str(warning.message)
        ):
            yield found[1]
