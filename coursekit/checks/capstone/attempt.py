"""Run a learner's ``solve`` against the hostile API, in virtual time, and score what it returns.

Taught in 09 §1.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, cast

from ...foundation.markup import NAME, NUMBER, table
from ...retrying.sdk_jitter import seeded_jitter
from ...throughput import RunSpan
from ..engine.running import NotAwaitable, run
from ..engine.virtual_loop import Deadlock, VirtualTimeLoop
from .hostile_api import (
    BUDGET,
    MOST_REQUESTS,
    MOST_SECONDS,
    ORGANIZATION,
    HostileApi,
    SentRequest,
    Stopped,
)
from .scoring import POINTS, Facts, counted, points, reasons
from .tickets import Ticket, answer_to
from .waste import wasted

Solve = Callable[
    ..., Awaitable[tuple[Mapping[str, str | None], Decimal | float]]
]
# these have headers with the number of tokens left
METERED = (
    "answered",
    "incomplete",
    "refused",
)
SECONDS = 60.0  # of computing, for a whole run; a good run takes two or three
# Without it, two dollar signs in a cell would be rendered as a formula.
NO_MATH = "mathjax_ignore tex2jax_ignore"


class RunEnded(RuntimeError):
    """The run was stopped because it would not have ended on its own; the message names the limit
    that it reached.
    """


@dataclass(frozen=True)
class ScoredRun:
    """A run's score, which is displayed as a table.

    facts     the facts of the run
    seed      the seed of the run's API
    requests  the run's requests, in the order in which they were sent, for ``widgets.run_replay``
    """

    facts: Facts
    seed: int
    requests: tuple[RunSpan, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def points(self) -> dict[str, float]:
        """The points for each axis, 0 to 20."""
        return points(self.facts)

    @property
    def total(self) -> float:
        """The total points, 0 to 100."""
        return sum(self.points.values())

    def __repr__(self) -> str:
        why = reasons(self.facts)
        rows = [
            f"  {axis:18}{value:5.1f}  {why[axis]}"
            for axis, value in self.points.items()
        ]
        return "\n".join(
            [f"{self.total:.1f} of 100 points (seed {self.seed})", *rows]
        )

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> dict[str, str]:
        why = reasons(self.facts)
        rows = [
            [axis, f"{value:.1f} of {POINTS:g}", why[axis]]
            for axis, value in self.points.items()
        ]
        caption = (
            f"{self.total:.1f} of 100 points (seed {self.seed}, simulated)"
        )
        shown = table(
            ("axis", "points", "because"),
            rows,
            (NAME, NUMBER, NAME),
            caption=caption,
        )
        html = f'<div class="coursekit-capstone {NO_MATH}">{shown}</div>'
        return {"text/html": html, "text/plain": repr(self)}


def attempt(solve: Solve, *, seed: int = 1) -> ScoredRun:
    """Let ``solve`` answer the 200 tickets, and score the result. The same seed gives the same
    score; nothing is ever spent.

    solve  an async function: client, tickets, budget -> (answers, cost). The client is the SDK's
           AsyncOpenAI, the tickets are a list of ``Ticket``, the budget is dollars (Decimal); the
           answers map each ticket's id to the model's text, or to None if there is none; the cost
           is what ``solve`` thinks it spent, in dollars
    seed   the API's seed, which determines the order of the tickets, what fails and when, and after
           how many answers a model is shut down

    Time is virtual, including that of ``asyncio.sleep`` and of the SDK's own waits. Use these for
    waiting, not ``time.sleep``.

    Raises what ``solve`` raises, with a note about what was lost; TypeError or ValueError for an
    invalid result; RunEnded for a run that can never end, or that takes more than 2,000 requests,
    two hours of virtual time, or a minute of computing.
    """
    apis: list[HostileApi] = []

    async def whole() -> tuple[Any, float]:
        apis.append(api := HostileApi(seed))
        loop = asyncio.get_running_loop()
        async with api.client() as client:
            promised = solve(client, list(api.tickets), BUDGET)
            if not inspect.isawaitable(promised):
                raise NotAwaitable
            result = await promised
            # The class's own method, because solve() may have replaced the loop's.
            return result, VirtualTimeLoop.time(cast(VirtualTimeLoop, loop))

    with seeded_jitter(seed):
        ran = run(whole, awaits=True, seconds=SECONDS)
    if ran.endless:
        raise RunEnded(
            f"solve() was still computing after {SECONDS:g} seconds. Does it have a loop that "
            "never awaits, or does it call time.sleep()?"
        )
    if isinstance(ran.error, Deadlock):
        raise RunEnded(
            "solve() waits for something that never happens: every task in it is waiting. "
            + _lost(apis[0])
        ) from None
    if isinstance(ran.error, Stopped):
        raise RunEnded(_why_ended(apis[0])) from None
    if isinstance(ran.error, NotAwaitable):
        raise TypeError(
            "solve() must be async. Begin it with: async def solve(client, tickets,"
            " budget):"
        ) from None
    if ran.error is not None:
        ran.error.add_note(_lost(apis[0]))
        raise ran.error
    delivered, seconds = ran.value
    facts = _facts(apis[0], *_read(delivered, apis[0].tickets), seconds)
    return ScoredRun(facts, seed, tuple(_spans(apis[0], seconds)))


def _spans(api: HostileApi, seconds: float) -> Iterator[RunSpan]:
    """Return the run's requests; one that is still in flight ends with the run."""
    received = (
        attempt for attempt in api.ledger if attempt.code != "no_access"
    )
    for sent, attempt in zip(api.requests, received, strict=True):
        outcome = _outcome(sent)
        left = attempt.answer.headers.get("x-ratelimit-remaining-tokens")
        yield RunSpan(
            sent.at,
            min(attempt.ended_at, seconds),
            attempt.status,
            attempt.model,
            outcome,
            int(left) if left is not None and outcome in METERED else None,
        )


def _outcome(sent: SentRequest) -> str:
    attempt = sent.attempt
    if sent.whole:
        return "answered"
    if attempt.status == 404:
        return "gone"
    if attempt.code == "insufficient_quota":
        return "no money"
    if attempt.status == 429 and ORGANIZATION.encode() in attempt.answer.body:
        return "refused"
    whole = attempt.status == 200 and attempt.sent == "whole"
    return "incomplete" if whole else "struck"


def _facts(
    api: HostileApi,
    answers: Mapping[str, str | None],
    cost: Decimal,
    seconds: float,
) -> Facts:
    seed = api.support.seed
    given = {ticket: answers.get(ticket.id) for ticket in api.tickets}
    right = {
        ticket
        for ticket, text in given.items()
        if text is not None
        and ticket.id in api.support.answered
        and text.strip() == answer_to(ticket, seed)
    }
    return Facts(
        tickets=len(api.tickets),
        answered=len(right),
        truncated=sum(
            text is not None and ticket not in right
            for ticket, text in given.items()
        ),
        spent=api.account.spent,
        reported=cost,
        budget=BUDGET,
        seconds=seconds,
        requests=len(api.requests),
        wasted=wasted(api.requests),
    )


def _read(
    delivered: Any, tickets: list[Ticket]
) -> tuple[Mapping[str, str | None], Decimal]:
    """Check what solve returned, and return it. Raises TypeError or ValueError."""
    if not (
        isinstance(delivered, tuple)
        and len(delivered) == 2
        and isinstance(delivered[0], Mapping)
    ):
        raise TypeError(
            f"solve() returned a {type(delivered).__name__}. It must: return answers,"
            " cost (a dict from each ticket's id to a str or None, and dollars)."
        )
    answers, cost = delivered
    if (
        not isinstance(cost, int | float | Decimal)
        or isinstance(cost, bool)
        or not 0 <= cost < float("inf")
    ):
        raise TypeError(
            f"The cost that solve() returned is {cost!r:.40}. It must be an"
            " amount in dollars, 0 or more."
        )
    ids = {ticket.id for ticket in tickets}
    for name, text in answers.items():
        if name not in ids:
            raise ValueError(
                f"There is an answer to {name!r:.40}, which is not a ticket's id. Use"
                " ticket.id as the key."
            )
        if text is not None and not isinstance(text, str):
            raise TypeError(
                f"The answer to {name} is of type {type(text).__name__}. It must be a str,"
                " or None if there is no answer."
            )
    return answers, Decimal(str(cost))


def _lost(api: HostileApi) -> str:
    requests = counted(len(api.requests), "request")
    answers = counted(len(api.support.answered), "complete answer")
    return (
        f"So solve() delivered nothing: {requests} sent, {answers} received, "
        f"${api.account.spent:.2f} spent."
    )


def _why_ended(api: HostileApi) -> str:
    if len(api.requests) >= MOST_REQUESTS:
        return (
            f"solve() had sent {MOST_REQUESTS:,} requests for 200 tickets. It is"
            " probably in an endless loop."
        )
    return (
        f"solve() was not done after {MOST_SECONDS / 3600:g} hours of virtual time."
        " What is it waiting for?"
    )
