"""An event loop whose time is virtual: ``asyncio.sleep(60)`` takes no time, and measures as 60
seconds.

So a check can measure a learner's concurrency exactly, the same on every machine. Time jumps to the
next timer whenever no task can run. Work in other threads is waited for in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

REAL = 0.02  # real seconds of one wait for another thread


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` begins at 0 and moves only when all tasks wait."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.threads = 0  # with work that a task waits for
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._one_less)
        return future

    def _one_less(self, _: Any) -> None:
        self.threads -= 1


class _Jumping(selectors.SelectSelector):
    """Where the loop would sleep until its next timer, the time jumps there."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self.loop.threads):
            return super().select(
                REAL
            )  # only a thread can wake us; return often, so that we can be stopped
        ready = super().select(0)
        if not ready and timeout > 0:
            self.loop.seconds += timeout
        return ready


class LoopClock:
    """The clock of the running event loop, for the offline API's transport (see
    ``offline.clock.Clock``).
    """

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wait(self, until: float) -> None:
        raise RuntimeError("An async client must not wait in its event loop.")

    async def wait_async(self, until: float) -> None:
        await asyncio.sleep(max(0.0, until - self.now()))

    def real(self, seconds: float) -> float:
        return seconds  # the SDK sleeps in this loop, too
