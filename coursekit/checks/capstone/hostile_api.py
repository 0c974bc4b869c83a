"""The capstone's API: the offline API with an account, a script of failures, and models, one of
which will be shut down.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from ...offline.engine import OfflineApi
from ...offline.exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    error_answer,
)
from ...offline.faults import Fault
from ...offline.limits.account import Account
from ...offline.watched.ledger import Ledger, LoggedAttempt
from ...wired import Journal, Wired, wire
from ..engine.virtual_loop import LoopClock
from .simulated import Support, is_finished
from .tickets import Ticket, tickets_of

if TYPE_CHECKING:
    import openai

BUDGET = Decimal("0.50")  # dollars in the account
RPM, TPM = 500, 30_000  # for each model separately
MOST_REQUESTS, MOST_SECONDS = 2_000, 7_200.0  # in a run; more than this ends it
ORGANIZATION = "org-tidewater"
NO_KEY = "the-capstone-needs-no-key"


class Stopped(SystemExit):
    """Raised to stop a run that would not end on its own. Because it is a SystemExit, ``except
    Exception`` and asyncio's tasks let it pass.
    """


@dataclass(frozen=True, slots=True)
class SentRequest:
    """One request as the server saw it. Times are seconds since the run began.

    ticket  the ticket's id; None if the request is not about a ticket
    raw     the body
    whole   whether it got a complete answer: status 200, all of it sent, finish_reason "stop"
    """

    ticket: str | None
    model: str
    raw: bytes
    at: float
    attempt: LoggedAttempt
    whole: bool


class HostileApi:
    """The outermost layer, which records the requests and accepts only chat completions.

    seed  determines the order of the tickets, the script, the model's shutdown, and the case
          numbers
    """

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"capstone/api/{seed}")
        self.tickets: list[Ticket] = tickets_of(seed)
        self.clock = LoopClock()
        self.support = Support(self.tickets, seed, lives=rng.randint(70, 90))
        self.account = Account(
            rpm=RPM, tpm=TPM, spend=BUDGET, organization=ORGANIZATION
        )
        self._api = OfflineApi(
            self.support,
            self.clock,
            faults=script(rng),
            rate_limit=self.account,
            seed=seed,
        )
        self.requests: list[SentRequest] = []
        # the same requests as the client's side saw them
        self.ledger = Ledger()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        now = self.clock.now()
        if len(self.requests) >= MOST_REQUESTS or now > MOST_SECONDS:
            raise Stopped
        if (request.method, request.path) != ("POST", CHAT_COMPLETIONS):
            return error_answer(
                403,
                "This account may use chat completions only.",
                code="no_access",
            )
        answer, ticket = (
            self._api.answer(request),
            self.support.ticket(request.body),
        )
        attempt = Ledger(1).open(request, answer, now)
        whole = (
            attempt.status == 200
            and attempt.sent == "whole"
            and is_finished(answer)
        )
        name = None if ticket is None else ticket.id
        self.requests.append(
            SentRequest(name, attempt.model, request.raw, now, attempt, whole)
        )
        return answer

    def client(self) -> openai.AsyncOpenAI:
        """Return the SDK's own client, which this API answers. The client belongs to the event loop
        in which it is created.
        """
        import openai

        from ...offline.transport import OfflineTransport

        journal, ledger = Journal("replay"), self.ledger
        http_client = openai.DefaultAsyncHttpx2Client(
            transport=OfflineTransport(self, self.clock, journal, ledger)
        )
        client = openai.AsyncOpenAI(
            api_key=NO_KEY,
            base_url="https://api.openai.com/v1",
            http_client=http_client,
        )
        wire(client, Wired(journal, self.clock, ledger))
        return client


def script(rng: random.Random) -> list[Fault]:
    """Return what goes wrong, in an order drawn from this rng: 24 requests fail for any client."""
    troubles = [
        [
            Fault(
                "rate_limit",
                times=4,
                after=rng.randint(5, 25),
                retry_after=rng.randint(3, 8),
            )
        ],
        [
            Fault(
                "rate_limit",
                times=5,
                after=rng.randint(5, 25),
                retry_after=rng.randint(8, 15),
            )
        ],
        [Fault("server_error", times=4, after=rng.randint(5, 25))],
        [
            Fault(
                "overloaded",
                times=4,
                after=rng.randint(5, 25),
                retry_after=rng.randint(2, 5),
            )
        ],
        [
            Fault("connection", after=rng.randint(5, 25)),
            Fault("cut_stream", times=2),
        ],
        [
            Fault("connection", after=rng.randint(5, 25)),
            Fault("cut_stream", times=1),
            Fault("malformed"),
        ],
        [Fault("timeout", after=rng.randint(5, 25))],
    ]
    rng.shuffle(troubles)
    return [fault for trouble in troubles for fault in trouble]
