"""What is sent next, and when: one loop over the waiting requests, which looks again whenever
something has happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from ..retrying import Clock
from .pacing import Pacer, Reservation, Tokens, tokens_of
from .requests import Request
from .spending import SpendingCap

PATIENCE = (
    10.0  # real seconds for which a cancelled run waits for requests in flight
)


@dataclass(slots=True)
class Trial:
    """A request on its way to a result.

    place     in the list of requests
    worst     US dollars that it can cost
    pacer     of its model
    tokens    that the limiter may count for it; calculated when it is its turn
    due       when it may be sent again, in seconds on the run's clock
    attempts  so far; ``started``: when the first was sent; ``error``: why the last one failed
    """

    place: int
    request: Request
    worst: Decimal
    pacer: Pacer
    tokens: Tokens | None = None
    due: float = -math.inf
    attempts: int = 0
    started: float = 0.0
    error: Exception | None = None

    @property
    def model(self) -> str:
        return str(self.request.params["model"])


class Dispatcher:
    """Sends trials in their order: each as soon as its pacer, the cap and ``most`` requests in
    flight allow it.

    attempt  sends one trial once; afterwards the trial is over, or was handed back with ``again()``

    stopped  why nothing more is sent; None: everything is
    dropped  models to which nothing more is sent, and why
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        cap: SpendingCap,
        clock: Clock,
        most: int,
        attempt: Callable[[Trial, Reservation], Awaitable[None]],
    ) -> None:
        self._fresh = deque(trials)
        self._again: list[tuple[float, int, Trial]] = []  # a heap
        self._cap, self._clock = cap, clock
        self._most, self._attempt = most, attempt
        self._under_way: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()
        self._crash: BaseException | None = None
        self.stopped: str | None = None
        self.dropped: dict[str, str] = {}

    async def send_all(self) -> None:
        """Returns when nothing is in flight and nothing more will be sent. Raises what an attempt
        has raised.
        """
        while (until := self._send_next()) is not None:
            if until <= self._clock.now():
                # it goes out before the next one is stamped with its time
                await asyncio.sleep(0)
            else:
                await self._until(until)
        if self._crash is not None:
            raise self._crash

    def again(self, trial: Trial, due: float) -> None:
        """The trial failed, and is to be sent once more, at ``due`` or later."""
        trial.due = due
        heapq.heappush(self._again, (due, trial.place, trial))

    def stop(self, why: str) -> None:
        """Send nothing more; requests in flight continue."""
        self.stopped = self.stopped or why

    def drop(self, model: str, why: str) -> None:
        """Send nothing more to this model; the others continue."""
        self.dropped[model] = why
        self._fresh = deque(
            trial for trial in self._fresh if trial.model != model
        )
        self._again = [
            entry for entry in self._again if entry[2].model != model
        ]
        heapq.heapify(self._again)

    async def land(self) -> None:
        """Wait a while for requests in flight, since they are paid for, and give up the rest."""
        landing = asyncio.gather(*self._under_way, return_exceptions=True)
        # late requests are cancelled, even if the wait itself is cancelled
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(landing, PATIENCE)

    def _send_next(self) -> float | None:
        """Send one request, if one may go. Returns when to look again: immediately if it sent one,
        never (infinity) if something has to happen first; None: everything is done.
        """
        if (
            self.stopped is None
            and (self._fresh or self._again)
            and len(self._under_way) < self._most
        ):
            now = self._clock.now()
            trial = self._next(now)
            tokens = trial.tokens or tokens_of(trial.request.params)
            trial.tokens = tokens
            due = max(trial.due, trial.pacer.earliest(tokens, now))
            if due > now:
                return due
            if trial.worst <= self._cap.left:
                self._send(trial, tokens, now)
                return now
            # otherwise wait: a request in flight may cost less than its worst case
            if not self._under_way:
                lost = (
                    f" Up to {self._cap.lost:f} may have been billed for answers that did not "
                    "arrive."
                    if self._cap.lost
                    else ""
                )
                self.stop(
                    f"The next call may cost up to {trial.worst:f} dollars, and max_cost leaves "
                    f"{max(0, self._cap.left):f}.{lost}"
                )
        return math.inf if self._under_way else None

    async def _until(self, time: float) -> None:
        """Wait until then, or until something has happened."""
        self._changed.clear()
        if time == math.inf:
            await self._changed.wait()
            return
        alarm = asyncio.ensure_future(self._clock.wait_async(time))
        alarm.add_done_callback(self._rings)
        try:
            await self._changed.wait()
        finally:
            alarm.cancel()

    def _next(self, now: float) -> Trial:
        """The next one to send: a retry that is due, else a request that was not sent yet, else the
        earliest retry.
        """
        if self._again and (self._again[0][0] <= now or not self._fresh):
            return self._again[0][2]
        return self._fresh[0]

    def _send(self, trial: Trial, tokens: Tokens, now: float) -> None:
        if trial.attempts:
            heapq.heappop(self._again)
        else:
            self._fresh.popleft()
            trial.started = now
        trial.attempts += 1
        self._cap.hold(trial.worst)
        task = asyncio.ensure_future(
            self._attempt(trial, trial.pacer.take(tokens, now))
        )
        self._under_way.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Future[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crash = self._crash or error
            self.stop(f"{type(error).__name__}: {error}")
        self._changed.set()

    def _rings(self, alarm: asyncio.Future[None]) -> None:
        if not alarm.cancelled():
            self._changed.set()
