"""Time as a parameter: real, faster, or virtual.

The offline API counts in seconds of the API's own time. ``speed`` says how fast they pass: at 10, a
recorded second takes a tenth of a real one; at "instant", time is virtual: waiting moves the clock
and takes no time. So the results are the same at every speed.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
import time

from ..wired import Clock

__all__ = ["Clock", "ScaledClock", "VirtualClock", "clock_for"]

# A woken task may need several turns of the event loop until it waits again, and only then may the
# next one wake. (asyncio has no public way to ask whether anything else is ready to run.)
TURNS = 20
# real seconds, once per event loop: the SDK's first call asks a thread for its platform
GRACE = 0.005


class ScaledClock:
    """Real time, ``speed`` times as fast (speed > 0)."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.perf_counter()

    def now(self) -> float:
        return (time.perf_counter() - self._start) * self.speed

    def wait(self, until: float) -> None:
        while (left := until - self.now()) > 0:
            time.sleep(left / self.speed)

    async def wait_async(self, until: float) -> None:
        while (left := until - self.now()) > 0:
            await asyncio.sleep(left / self.speed)

    def real(self, seconds: float) -> float:
        return seconds / self.speed


class VirtualClock:
    """Virtual time: waiting moves the clock. Concurrent tasks wake in order of their due times."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._waker: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = 0

    def now(self) -> float:
        return self._now

    def wait(self, until: float) -> None:
        with self._lock:
            self._now = max(self._now, until)

    async def wait_async(self, until: float) -> None:
        if until <= self._now:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleepers, (until, next(self._order), future))
        self._turns = TURNS  # more tasks may be about to wait
        if self._waker is not loop:  # none yet, or of a loop that has ended
            self._waker = loop
            first, self._loop = self._loop is not loop, loop
            loop.call_later(GRACE if first else 0, self._turn, loop)
        await future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._turns:
            self._turns -= 1
            loop.call_soon(self._turn, loop)
            return
        while self._sleepers:
            until, _, future = heapq.heappop(self._sleepers)
            if future.done() or future.get_loop() is not loop:
                continue  # cancelled, or of a loop that has ended
            self.wait(until)
            future.set_result(None)
            self._turns = TURNS
            loop.call_soon(self._turn, loop)
            return
        self._waker = None

    def real(self, seconds: float) -> float:
        self.wait(self._now + seconds)
        return 0.0


def clock_for(speed: float | str) -> Clock:
    """The clock of a speed: a number > 0, or "instant". Raises ValueError for anything else."""
    if speed == "instant":
        return VirtualClock()
    try:
        factor = float(speed)
    except (TypeError, ValueError):
        factor = 0.0
    if not 0 < factor < float("inf"):
        raise ValueError(
            f"speed={speed!r} is not a speed. Give a number above 0 (1.0 as recorded, 10 ten times "
            'faster) or "instant" (no waiting).'
        )
    return ScaledClock(factor)
