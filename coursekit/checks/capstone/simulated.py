"""The simulated models behind the capstone's API: they know the tickets, and imitate how models
fail despite a status of 200.

No text is from a model: the course's authors wrote everything. Tokens are counted and billed as the
real models' tokens would be, and the times are drawn at random (see
``offline.recorded.chunks.Pace``).
"""

from __future__ import annotations

import datetime
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ... import models
from ...offline.exchange import ApiAnswer, ApiRequest
from ...offline.recorded.chunks import Pace
from ...offline.recorded.written import Reply, last_user_text, written_answer
from ...offline.rules.refusals import refuse
from ...offline.rules.validation import refusal_of
from .tickets import Ticket, answer_to, instructions

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-6-luna")  # that this account can use
ON = datetime.date(2026, 11, 22)  # the day whose prices apply
SOURCE = "simulated"
RUNAWAYS = 4  # tickets whose first reply loops
LONGEST = 16_384  # tokens in a reply without a cap: gpt-4o's limit
# reasoning tokens; any higher effort counts as high
HIDDEN = {
    "none": 0,
    "low": 128,
    "medium": 384,
    "high": 896,
}
LOST = (
    "I answer support tickets of Tidewater only, one at a time, with the team's"
    " instructions before it."
)


class Support:
    """The layer that answers requests for tickets.

    tickets  the tickets that it knows
    seed     determines the case numbers and what goes wrong
    lives    how many answers a model gives until it is shut down: the first model that gets there
             is shut down, the others are not

    answered  ids of the tickets that got a complete answer
    dead      the model that was shut down; None: none yet
    """

    def __init__(
        self, tickets: Sequence[Ticket], seed: int, lives: int
    ) -> None:
        self.seed, self.lives = seed, lives
        self.answered: set[str] = set()
        self.dead: str | None = None
        self._by_text = {ticket.text: ticket for ticket in tickets}
        rng = random.Random(f"capstone/runaways/{seed}")
        self._looping = {
            ticket.id for ticket in rng.sample(list(tickets), RUNAWAYS)
        }
        self._served: Counter[str] = Counter()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        body = request.body
        refused = refusal_of(body)
        if refused is not None:
            return refused
        model = models.get(body["model"]).name
        if model not in MODELS:
            return refuse("no_such_model", model=body["model"])
        if model == self.dead:
            return refuse("shut_down", model=body["model"])
        answer = self._said(request, model)
        self._served[model] += 1
        if self.dead is None and self._served[model] == self.lives:
            self.dead = model
        return replace(answer, source=SOURCE)

    def ticket(self, body: Any) -> Ticket | None:
        """Return the ticket that a request's body asks about; None if the models do not know it."""
        messages = body.get("messages") if isinstance(body, dict) else None
        first = (
            messages[0]
            if isinstance(messages, list)
            and messages
            and isinstance(messages[0], dict)
            else {}
        )
        if (
            first.get("role") not in ("system", "developer")
            or first.get("content") != instructions()
        ):
            return None
        return self._by_text.get(last_user_text(body).strip())

    def _said(self, request: ApiRequest, model: str) -> ApiAnswer:
        body, ticket = request.body, self.ticket(request.body)
        text = LOST if ticket is None else answer_to(ticket, self.seed)
        if ticket is not None and ticket.id in self._looping:
            # at random, but only once: the next reply is complete
            self._looping.remove(ticket.id)
            text += " sorry" * (_cap(body) or LONGEST)
        effort = body.get("reasoning_effort")
        hidden = (
            HIDDEN.get(effort or "medium", HIDDEN["high"])
            if models.get(model).reasoning(effort)
            else 0
        )
        answer = written_answer(
            _capped(request), Reply("", text=text, reasoning=hidden), ON, Pace()
        )
        if ticket is not None and is_finished(answer):
            self.answered.add(ticket.id)
        return answer


def is_finished(answer: ApiAnswer) -> bool:
    """Return whether an answer says that the model finished: finish_reason is "stop"."""
    whole = (
        answer.body.replace(b" ", b"")
        if answer.events is None
        else b"".join(e.data for e in answer.events)
    )
    return answer.status == 200 and b'"finish_reason":"stop"' in whole


def _cap(body: Mapping[str, Any]) -> int | None:
    return body.get("max_completion_tokens") or body.get("max_tokens")


def _capped(request: ApiRequest) -> ApiRequest:
    """Return the same request with the longest possible reply as its limit, if it does not set
    one.
    """
    if _cap(request.body):
        return request
    raw = json.dumps(
        {**request.body, "max_completion_tokens": LONGEST}
    ).encode()
    return ApiRequest(request.method, request.path, raw, request.headers)
