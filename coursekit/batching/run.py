"""run_batch(): many requests, under two budgets, resumable.

This module does only what has to see the same answer: pacing by its headers, one layer of retries,
money, and the checkpoint. tqdm draws the bar, SQLite writes the file, and ``retrying`` decides
which errors to retry, and when. Taught in 05 §6 to §8.
"""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from ..foundation.arguments import is_number, takes_client
from ..metering import Meter
from ..offline.miss import RecordingNotFound
from ..pricing import ZERO
from ..retrying import Policy, UnusableReply, classify, clock_of, retry_after
from .checkpoint import Checkpoint, open_checkpoint
from .dispatch import Dispatcher, Trial
from .pacing import Pacer, Reservation
from .progress import ProgressBar
from .requests import Request, as_requests
from .results import NotSent, Result, Results
from .spending import SpendingCap

MAX_CONCURRENCY = 100  # as many connections as the SDK keeps open
# refusals in a row, each asking for a longer wait than the policy allows: the model is given up
TURNED_AWAY = 3
POLICY = Policy(max_attempts=8, cap=30.0, deadline=None)
# The errors that make a request fail. Any other error is a bug in the program, and ends the run.
FAILURES = (
    openai.OpenAIError,
    RecordingNotFound,
    UnusableReply,
    ValueError,
    TypeError,
)


@takes_client(is_async=True)
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
    """Send many requests as fast as the limits allow, and return the result of each, in order.

    client           from ``connect_async()``, or any ``openai.AsyncOpenAI``. Waits pass on its
                     clock
    prompts_or_requests  each a prompt (str), or a mapping of create()'s arguments and, optionally,
                         a ``custom_id``
    rpm, tpm         requests and tokens per minute for each model, above 0; None: learned from the
                     x-ratelimit headers of the answers. If the server's own limit is the same or
                     lower, its headers decide, and what they show as left can be sent immediately;
                     otherwise requests are spaced evenly
    max_concurrency  requests in flight at once, 1 or more. This is not a rate: it needs to be above
                     rpm / 60 · latency
    checkpoint       a file to which each answer is saved before it counts. A run with the same file
                     requests only what is missing from it, so you pay for nothing twice. One run
                     at a time
    progress         a bar with rate, time left and cost; None: only if someone can see it
    max_cost         US dollars. A call that could exceed it is not sent, and the run stops. Needs
                     max_completion_tokens
    policy           of retries; None: up to 8 attempts each. The SDK's own are switched off
    rng              draws the jitter of the retries; None: a new one
    params           for all requests: model, max_completion_tokens, temperature, …; a request's own
                     take precedence

    Returns Results: one Result per request, in order, with a reply or the exception that made it
    fail. After an error that every further request would hit (a wrong key, no money left), nothing
    more is sent; a model that does not exist, or that refuses three times in a row for longer than
    ``policy.patience``, gets no further requests. Requests that were not sent have NotSent.

    Raises, before anything is sent: ValueError and TypeError for invalid requests, CheckpointError
    for a file that cannot be used. If it is cancelled, it awaits requests in flight for 10 s;
    answers that were paid for are then in the checkpoint, and in the ``results`` of the
    CancelledError (not a subclass, because asyncio's own timeouts do not recognize one).
    """
    _check(max_concurrency, rpm=rpm, tpm=tpm)
    requests = as_requests(prompts_or_requests, params)
    cap = SpendingCap(max_cost)
    worst = cap.worst(requests)
    policy, rng = policy or POLICY, rng or random.Random()
    opened = (
        open_checkpoint(checkpoint, requests)
        if checkpoint is not None
        else nullcontext()
    )
    with opened as saved:
        run = _Run(client, requests, cap, policy, rng, saved)
        # each model has its own limits, and so its own pacer
        pacers = defaultdict[str, Pacer](
            lambda: Pacer(rpm, tpm, run.clock.now())
        )
        return await run.whole(worst, pacers, max_concurrency, progress)


@dataclass
class _Run:
    """What the requests of a run share: the client, the money left to spend, the checkpoint, and
    the results.
    """

    client: openai.AsyncOpenAI
    requests: list[Request]
    cap: SpendingCap
    policy: Policy
    rng: random.Random
    saved: Checkpoint | None

    def __post_init__(self) -> None:
        self.clock = clock_of(self.client)
        once = self.client.with_options(max_retries=0)
        self.create = once.chat.completions.with_raw_response.create
        self.results = [self._resumed(request) for request in self.requests]
        self.refused, self.ended = 0, self.clock.now()
        # by model: refusals in a row that asked for too long a wait
        self.turned_away: Counter[str] = Counter()

    async def whole(
        self,
        worst: list[Decimal],
        pacers: Mapping[str, Pacer],
        most: int,
        show: bool | None,
    ) -> Results:
        """The run from its beginning to its end."""
        start = self.ended
        self.trials = [
            Trial(place, request, worst[place], pacers[request.params["model"]])
            for place, request in enumerate(self.requests)
            if self.results[place] is None
        ]
        total = len(self.requests)
        self.bar = ProgressBar(
            total, total - len(self.trials), show, self.clock
        )
        self.dispatcher = Dispatcher(
            self.trials, self.cap, self.clock, most, self.attempt
        )
        try:
            await self.dispatcher.send_all()
        except asyncio.CancelledError as cancelled:
            self.dispatcher.stop("The run was cancelled.")
            await self.dispatcher.land()
            results = self.collected(start)
            cancelled.results = results  # type: ignore[attr-defined]
            cancelled.add_note(
                f"The batch was cancelled with {len(results.answered)} of {len(results)} requests "
                "answered. "
                "These are in this error's .results"
                + (" and in the checkpoint." if self.saved else ".")
            )
            raise
        finally:
            self.bar.close()
        return self.collected(start)

    async def attempt(self, trial: Trial, reservation: Reservation) -> None:
        """Send one request, and record the outcome."""
        headers: Mapping[str, str] | None = None
        try:
            raw = await self.create(**trial.request.params)
            headers, reply = raw.headers, raw.parse()
            # a page of HTML from a proxy, say
            if not getattr(reply, "choices", None):
                raise UnusableReply(
                    "The answer has no choices. Does this base_url belong to the API?",
                    reply,
                )
        except FAILURES as error:
            headers = headers or getattr(
                getattr(error, "response", None), "headers", None
            )
            self._settle(trial, None if classify(error).billed else ZERO)
            trial.pacer.back(reservation, headers)
            self._failed(trial, error)
        except asyncio.CancelledError:
            trial.error = TimeoutError(
                "The run was cancelled before this answer arrived; it may still be billed."
            )
            self._lost(trial)
            raise
        else:
            result = self._result(trial.request, reply, trial.attempts)
            self._settle(trial, self._spent(result, trial.worst))
            trial.pacer.back(
                reservation,
                headers,
                getattr(reply.usage, "total_tokens", None),
                answered=True,
            )
            self.results[trial.place] = result
            self.turned_away[trial.model] = 0
            await self._save(trial.request.key, raw)
            self.bar.over(False, self.cap.spent)

    def _result(
        self, request: Request, reply: Any, attempts: int, resumed: bool = False
    ) -> Result:
        bill = partial(Meter(self.client).add, reply)
        return Result(request.custom_id, reply, None, attempts, resumed, bill)

    def _spent(self, result: Result, worst: Decimal) -> Decimal:
        """What an answer cost, as far as that is needed now; the worst case without a price."""
        if not self.cap.most.is_finite() and not self.bar.shown:
            return ZERO
        priced = result.receipt and result.receipt.price
        return priced.total if priced else worst

    def _settle(self, trial: Trial, spent: Decimal | None) -> None:
        self.cap.settle(trial.worst, spent)
        self.ended = self.clock.now()

    async def _save(self, key: str, raw: Any) -> None:
        if self.saved is not None:
            try:
                await self.saved.save(key, raw.text, raw.request_id)
            except sqlite3.Error as error:
                self.dispatcher.stop(
                    f"The checkpoint can no longer be written ({error}). Free some space, then "
                    "run again."
                )

    def _failed(self, trial: Trial, error: Exception) -> None:
        decision, now = classify(error), self.clock.now()
        model = trial.model
        wanted = retry_after(error) or 0.0
        too_long = wanted > self.policy.patience
        trial.error = error
        limited = getattr(error, "status_code", None) == 429
        if limited and decision.action == "retry":
            self.refused += 1
            if not too_long:
                trial.pacer.refused(now + wanted)
        if decision.action == "stop":
            self.dispatcher.stop(f"{decision.reason} {decision.advice}")
        wait, why = self.policy.next(
            trial.attempts, now - trial.started, error, self.rng
        )
        self.turned_away[model] += too_long
        no_such_model = getattr(error, "code", None) == "model_not_found"
        if no_such_model or self.turned_away[model] >= TURNED_AWAY:
            self.dispatcher.drop(model, f"{model}: {why}")
        if wait is None:
            self._lost(trial)
            self.bar.over(True, self.cap.spent)
        else:
            self.dispatcher.again(trial, now + wait)

    def _resumed(self, request: Request) -> Result | None:
        found = self.saved.find(request.key) if self.saved else None
        if found is None:
            return None
        reply = ChatCompletion.construct(**json.loads(found.body))
        reply._request_id = found.request_id
        return self._result(request, reply, 0, resumed=True)

    def collected(self, start: float) -> Results:
        """The results so far."""
        dropped = self.dispatcher.dropped
        stopped = self.dispatcher.stopped or " ".join(dropped.values()) or None
        for trial in self.trials:
            # it failed, and would have been sent again if the run had continued
            if trial.error is not None and self.results[trial.place] is None:
                self._lost(trial)
        results = []
        for request, result in zip(self.requests, self.results, strict=True):
            why = dropped.get(str(request.params["model"])) or stopped
            not_sent = NotSent(f"This request was not sent. {why}")
            results.append(result or Result(request.custom_id, error=not_sent))
        return Results(
            results,
            seconds=self.ended - start,
            refused=self.refused,
            stopped=stopped,
        )

    def _lost(self, trial: Trial) -> None:
        """Its last error is its result."""
        self.results[trial.place] = Result(
            trial.request.custom_id, None, trial.error, trial.attempts
        )


def _check(max_concurrency: int, **limits: float | None) -> None:
    """Raises ValueError for an invalid limit."""
    limits["max_concurrency"] = max_concurrency
    for name, value in limits.items():
        if value is not None and not (is_number(value) and value > 0):
            raise ValueError(
                f"{name}={value!r:.40} is not a limit. Give a number above 0."
            )
    if not isinstance(max_concurrency, int):
        raise ValueError(
            f"max_concurrency={max_concurrency!r:.40}: give a whole number of requests, 1 or more."
        )
