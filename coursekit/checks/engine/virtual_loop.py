"""An event loop with virtual time: ``asyncio.sleep(60)`` takes no real time and measures as 60
seconds.

A check can therefore measure a learner's concurrency exactly, with the same result on every
machine. Time jumps to the next timer whenever no task can run. The loop waits for work in other
threads in real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

from ...foundation.platform import EventLoop
from ...foundation.portable import Portable

# Virtual seconds by which every timer is late, as real timers are. Otherwise, a sleep of 1e-16 s
# would end at the same time as it began, and code that checks after a wait whether there is room
# would be a tiny bit too early.
LATE = 1e-6
REAL = 0.02  # real seconds for one wait for another thread
# after this many waits without any thread, timer, or connection to wait for, nothing can happen
# anymore
IDLE = 5


class Deadlock(Portable, RuntimeError):
    """Every task waits for something that will never happen. ``waiting``: for each task, the frames
    in which it waits.
    """

    def __init__(self, waiting: list[list[Any]]) -> None:
        super().__init__("every task waits for something that never happens")
        self.waiting = waiting


class VirtualTimeLoop(EventLoop):
    """An event loop whose ``time()`` starts at 0 and advances only when all tasks wait."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.threads = 0  # whose work a task waits for
        super().__init__(_Jumping(self))
        # errors that a learner's tasks leave behind are not worth a traceback
        self.set_exception_handler(lambda *_: None)

    def time(self) -> float:
        return self.seconds

    def call_at(  # type: ignore[override]
        self, when: float, *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        return super().call_at(when + LATE, *args, **options)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._one_less)
        return future

    def _one_less(self, _: Any) -> None:
        self.threads -= 1

    async def shutdown_default_executor(self, *args: Any) -> None:
        # asyncio waits for it in a separate thread, which takes long on a busy machine
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.threads -= 1


class _Jumping(selectors.SelectSelector):
    """A selector that makes time jump to the next timer instead of sleeping until then."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self.loop = loop
        self.idle = 0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (timeout > 0 and self.loop.threads):
            return self._wait()
        self.idle = 0
        ready = super().select(0)
        if not ready and timeout > 0:
            self.loop.seconds += timeout
        return ready

    def _wait(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for a thread or a connection, but only for a short time, because a check may want to
        end the learner's thread.
        """
        ready = super().select(REAL)
        # the loop's own pipe, which threads use to wake it
        only_the_wakeup = len(self.get_map()) <= 1
        self.idle = (
            0
            if ready or self.loop.threads or not only_the_wakeup
            else self.idle + 1
        )
        if self.idle == IDLE:
            self.idle = 0
            raise Deadlock(list(map(_frames, asyncio.all_tasks(self.loop))))
        return ready


def _frames(task: asyncio.Task[Any]) -> list[Any]:
    frames: list[Any] = []
    awaited: Any = task.get_coro()
    # a coroutine; at the end of the chain is a future
    while hasattr(awaited, "cr_frame"):
        frames.append(awaited.cr_frame)
        awaited = awaited.cr_await
    return frames


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
        return seconds  # the SDK also sleeps in this loop
