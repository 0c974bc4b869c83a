"""run_batch(): many requests, under two budgets, resumable.

One loop decides what is sent next and when; everything that happens (an answer, a refusal, a limit that changed) makes
it look again. What is ours in it is what has to see the same answer: pacing by headers, one layer of retries, money,
and the checkpoint. The bar is tqdm's, the file SQLite's, and how long a retry waits is ``retrying``'s.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import math
import random
import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai

from ..metering import Meter
from ..offline.miss import RecordingNotFound
from ..pricing import ZERO
from ..retrying import Clock, Policy, UnusableReply, classify, clock_of, retry_after
from .checkpoint import Checkpoint, open_checkpoint
from .pacing import Pacer, Ticket, reserved_tokens
from .progress import Progress
from .requests import Request, as_requests
from .results import BatchCancelled, NotSent, Result, Results
from .spending import SpendingCap

MAX_CONCURRENCY = 100  # as many connections as the SDK keeps open
PATIENCE = 10.0  # real seconds in which a cancelled run waits for answers that are under way
POLICY = Policy(max_attempts=8, cap=30.0, deadline=None)
# What a request may fail by. Anything else is a mistake of the program, and ends the run.
FAILURES = (openai.OpenAIError, RecordingNotFound, UnusableReply, ValueError, TypeError)


async def run_batch(
    client: openai.AsyncOpenAI,
    prompts_or_requests: Iterable[str | Mapping[str, Any]],
    *,
    rpm: float | None = None,
    tpm: float | None = None,
    max_concurrency: int = MAX_CONCURRENCY,
    checkpoint: str | Path | None = None,
    progress: bool | None = None,
    max_cost: Decimal | float | None = None,
    policy: Policy | None = None,
    rng: random.Random | None = None,
    **params: Any,
) -> Results:
    """Send many requests as fast as the limits allow, and return what became of each, in order.

    client           from ``connect_async()``, or any ``openai.AsyncOpenAI``. Waits pass on its clock
    prompts_or_requests  each a prompt (str), or a mapping of create()'s arguments with, if you like, a ``custom_id``
    rpm, tpm         requests and tokens per minute to keep to, above 0; None: learnt from the x-ratelimit headers of
                     the answers. Where the server's own limit is as low or lower, its headers rule, and what they show
                     as left may go at once; else requests go evenly
    max_concurrency  requests under way at once, 1 or more. It is no rate: it needs to be above rpm / 60 · latency
    checkpoint       a file that keeps each answer before it counts. A run with the same file asks only for what is
                     missing in it, so nothing is paid twice. One run at a time
    progress         a bar with rate, time left and cost; None: where somebody can see it
    max_cost         US dollars. A call that could go beyond is not sent, and the run stops. Needs max_completion_tokens
    policy           of retries; None: up to 8 attempts each. The SDK's own are switched off
    rng              draws the jitter of the retries; None: a new one
    params           of all requests: model, max_completion_tokens, temperature, …; a request's own go before

    Returns Results: one Result per request, in order, with a reply or the exception that it failed by. After an error
    that no further request would survive (a wrong key, no money left) nothing more is sent; what was not is NotSent.

    Raises, before anything is sent: ValueError and TypeError for requests that are none, CheckpointError for a file
    that cannot be used. BatchCancelled when it is cancelled: what is under way is awaited for 10 s, what was paid for
    is in the checkpoint and in its ``results``.
    """
    _check(client, rpm=rpm, tpm=tpm, max_concurrency=max_concurrency)
    requests = as_requests(prompts_or_requests, params)
    cap = SpendingCap(max_cost)
    worst = cap.worst(requests)
    run = _Run(client, Pacer(rpm, tpm, clock_of(client).now()), max_concurrency, cap, policy or POLICY, rng)
    if checkpoint is None:
        return await run.whole(requests, worst, None, progress)
    with open_checkpoint(checkpoint, requests) as kept:
        return await run.whole(requests, worst, kept, progress)


@dataclass(slots=True)
class _Trial:
    """A request on its way to a result. ``due``: the time from which it may be sent, seconds."""

    place: int
    request: Request
    worst: Decimal
    tokens: int = -1  # reckoned when it is its turn
    due: float = -math.inf
    attempts: int = 0
    started: float = 0.0
    error: Exception | None = None


@dataclass(slots=True)
class _Run:
    client: openai.AsyncOpenAI
    pacer: Pacer
    most: int
    cap: SpendingCap
    policy: Policy
    rng: random.Random | None
    results: list[Result | None] = field(default_factory=list)
    fresh: deque[_Trial] = field(default_factory=deque)
    again: list[tuple[float, int, _Trial]] = field(default_factory=list)  # a heap
    flying: set[asyncio.Task[None]] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: str | None = None
    crashed: BaseException | None = None
    refused: int = 0
    ended: float = 0.0
    clock: Clock = field(init=False)
    meter: Meter = field(init=False)
    create: Any = field(init=False)
    kept: Checkpoint | None = None
    bar: Progress = field(init=False)

    def __post_init__(self) -> None:
        self.clock, self.meter = clock_of(self.client), Meter(self.client)
        self.create = self.client.with_options(max_retries=0).chat.completions.with_raw_response.create
        self.rng = self.rng or random.Random()

    async def whole(
        self, requests: list[Request], worst: list[Decimal], kept: Checkpoint | None, show: bool | None
    ) -> Results:
        """The run from beginning to end."""
        start = self.ended = self.clock.now()
        self.kept = kept
        self.results = [self._resumed(request) for request in requests]
        missing = [place for place, result in enumerate(self.results) if result is None]
        self.fresh.extend(_Trial(place, requests[place], worst[place]) for place in missing)
        self.bar = Progress(len(requests), len(requests) - len(missing), show, self.clock)
        try:
            await self._send_all()
        except asyncio.CancelledError:
            self.stopped = "it was cancelled"
            await self._land()
            raise BatchCancelled(self._collected(requests, start)) from None
        finally:
            self.bar.close()
        if self.crashed is not None:
            raise self.crashed
        return self._collected(requests, start)

    async def _send_all(self) -> None:
        while (until := self._send_what_may_go()) is not None:
            self.changed.clear()
            if until == math.inf:
                await self.changed.wait()
            else:
                alarm = asyncio.ensure_future(self.clock.wait_async(until))
                alarm.add_done_callback(self._rings)
                await self.changed.wait()
                alarm.cancel()

    def _rings(self, alarm: asyncio.Future[None]) -> None:
        if not alarm.cancelled():
            self.changed.set()

    def _send_what_may_go(self) -> float | None:
        """Returns the time at which to look again (infinite: when something has happened), or None: all is over."""
        while self.stopped is None and (self.fresh or self.again):
            now = self.clock.now()
            trial = self._next(now)
            if len(self.flying) >= self.most:
                return math.inf
            due = max(trial.due, self.pacer.earliest(trial.tokens, now))
            if due > now:
                return due
            if not self.cap.allows(trial.worst):
                if self.flying:  # what comes back may have cost less than its worst
                    return math.inf
                self.stopped = (
                    f"the next call could cost {trial.worst:f} dollars, which is more than what max_cost leaves"
                )
                break
            if trial.attempts:
                heapq.heappop(self.again)
            else:
                self.fresh.popleft()
            self._send(trial, now)
        return math.inf if self.flying else None

    def _next(self, now: float) -> _Trial:
        """Whose turn it is: a retry that is due, else a request that was not sent yet, else the next retry."""
        if self.again and (self.again[0][0] <= now or not self.fresh):
            return self.again[0][2]
        trial = self.fresh[0]
        if trial.tokens < 0:
            trial.tokens = reserved_tokens(trial.request.params)
        return trial

    def _send(self, trial: _Trial, now: float) -> None:
        if not trial.attempts:
            trial.started = now
        trial.attempts += 1
        self.cap.hold(trial.worst)
        task = asyncio.ensure_future(self._attempt(trial, self.pacer.take(trial.tokens, now)))
        self.flying.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self.flying.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crashed = self.crashed or error
            self.stopped = f"{type(error).__name__}: {error}"
        self.changed.set()

    async def _attempt(self, trial: _Trial, ticket: Ticket) -> None:
        """Send one request, and note what became of it."""
        spent, used, headers = ZERO, None, None
        try:
            raw = await self.create(**trial.request.params)
            headers, reply = raw.headers, raw.parse()
            if not getattr(reply, "choices", None):  # a page of HTML from a proxy, say
                raise UnusableReply("The answer holds no choice. Is it the API that answers at this base_url?", reply)
            receipt = self.meter.add(reply)
            spent = receipt.price.total if receipt.price else trial.worst
            used = receipt.usage.prompt + receipt.usage.completion if receipt.usage else None
        except FAILURES as error:
            headers = headers or getattr(getattr(error, "response", None), "headers", None)
            if classify(error).billed:
                spent = trial.worst
            self._failed(trial, error)
        else:
            result = Result(trial.request.custom_id, reply, None, trial.attempts, receipt)
            self.results[trial.place] = result
            if self.kept is not None:
                await self._keep(trial.request.key, raw.text, raw.request_id)
            self.bar.over(False, self.cap.spent + spent)
        finally:
            self.cap.settle(trial.worst, spent)
            self.pacer.back(ticket, headers, used)
            self.ended = self.clock.now()

    async def _keep(self, key: str, body: str, request_id: str | None) -> None:
        assert self.kept is not None
        try:
            await self.kept.keep(key, body, request_id)
        except sqlite3.Error as error:
            self.stopped = f"the checkpoint cannot be written any more ({error}); make room, then run again"

    def _failed(self, trial: _Trial, error: Exception) -> None:
        decision, now = classify(error), self.clock.now()
        trial.error = error
        if getattr(error, "status_code", None) == 429 and decision.action == "retry":
            self.refused += 1
            self.pacer.refused(now + (retry_after(error) or 0.0))
        if decision.action == "stop" and self.stopped is None:
            self.stopped = f"{decision.reason} {decision.advice}"
        assert self.rng is not None
        wait, _ = self.policy.next(trial.attempts, now - trial.started, error, self.rng)
        if wait is None:
            self.results[trial.place] = Result(trial.request.custom_id, None, error, trial.attempts)
            self.bar.over(True, self.cap.spent)
        else:
            trial.due = now + wait
            heapq.heappush(self.again, (trial.due, trial.place, trial))

    async def _land(self) -> None:
        """Wait a while for what is under way: it is paid for."""
        if self.flying:
            _, late = await asyncio.wait(self.flying, timeout=PATIENCE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    def _resumed(self, request: Request) -> Result | None:
        found = None if self.kept is None else self.kept.find(request.key)
        if found is None:
            return None
        from openai.types.chat import ChatCompletion

        reply = ChatCompletion.construct(**json.loads(found.body))
        return Result(request.custom_id, reply, receipt=self.meter.add(reply), resumed=True)

    def _collected(self, requests: list[Request], start: float) -> Results:
        for _, place, trial in self.again:  # would have been asked again, had the run gone on
            self.results[place] = Result(trial.request.custom_id, None, trial.error, trial.attempts)
        self.again = []
        results = [
            result or Result(request.custom_id, error=NotSent(f"This request was not sent, because {self.stopped}."))
            for result, request in zip(self.results, requests, strict=True)
        ]
        return Results(results, seconds=self.ended - start, refused=self.refused, stopped=self.stopped)


def _check(client: Any, **numbers: Any) -> None:
    """Raises TypeError for a client that cannot be awaited, ValueError for a limit that is none."""
    if not isinstance(client, openai.AsyncOpenAI):
        raise TypeError(f"run_batch takes the client of connect_async(), and this is a {type(client).__name__}.")
    for name, value in numbers.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and 0 < value < math.inf):
            raise ValueError(f"{name}={value!r:.40} is no limit. Give a number above 0.")
    most = numbers["max_concurrency"]
    if not isinstance(most, int):
        raise ValueError(f"max_concurrency={most!r:.40}: give a whole number of requests, from 1 on.")
