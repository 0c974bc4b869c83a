"""What the server's endpoints share: the clock, the learners, the faults at work, and how a request
is answered.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, field
from decimal import Decimal
from typing import Any

from ..batches.job import Stages
from ..clock import ScaledClock
from ..engine import OfflineApi, replaying
from ..exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    error_answer,
    request_id,
)
from ..fallback import Fallback, FallbackServer
from ..miss import Missing, RecordingNotFound
from ..recordings import DamagedRecording, Recordings
from ..rules.refusals import refuse
from .access_log import AccessLog
from .fallback import Forwarder
from .hosts import Hosts
from .injection import Injected, Injections
from .learners import Learner, Learners
from .refused import FINAL, server_error
from .roll import Roll, SavedClass
from .steady import SteadyRecordings
from .throttle import JOIN_EVERY, JOINS, STRONG, Gate, Throttle, TooMany

IN_FLIGHT = 300  # requests of one learner: more would take the connections of the others
RECORDED = ("live", "local", "written")  # sources that are quick to find
SMALL = 16_384  # bytes of a body that is remembered
REMEMBERED = 2000  # requests
logger = logging.getLogger("coursekit.serve")


@dataclass(eq=False, repr=False)  # its tokens are secret
class Room:
    """Everything that the endpoints of one server share.

    recordings    what it answers from
    speed         of answers and batches: 1.0 as recorded, 10 ten times faster; None: without
                  waiting. Rate limits, and the time that a fault lasts, are real time at any speed:
                  clients know no other
    rate_limit    the limits of each learner, as the arguments of Account; None: none
    access_token  what a learner's key must be: see ``Learners``
    admin_token   the token of the admin endpoints and the console; None: there are none
    saved         the saved class, which makes this its server: only learners who have joined have
                  keys, and joining asks for the access token; None: no class
    shares        whether learners who join a class share chapter, checks and quiz answers, unless
                  they choose otherwise
    places        the exercises and quiz questions that exist, as "01_basics/reply_text" and
                  "01_basics/1": learners cannot share others; None: any of the course's chapters
    hosts         names, separated by commas, that the server answers to besides numeric addresses
                  and local names
    seed          of everything random, and of request ids
    today         the day by which models count as shut down; None: none do, because their
                  recordings can still be replayed
    fallback      another server, which answers requests without a recording; None: they get a 404
    """

    recordings: Recordings
    _: KW_ONLY
    speed: float | None = 1.0
    rate_limit: Mapping[str, Any] | None = None
    access_token: str | None = None
    admin_token: str | None = None
    log: AccessLog = field(default_factory=lambda: AccessLog(None))
    seed: int = 0
    saved: SavedClass | None = None
    shares: bool = False
    places: Collection[str] | None = None
    hosts: str = ""
    today: datetime.date | None = None
    fallback: FallbackServer | None = None

    def __post_init__(self) -> None:
        self.recordings = SteadyRecordings(self.recordings)
        self.answers_to = Hosts(self.hosts).answers
        self.forwarder = Forwarder()
        self.stretch = 0.0 if self.speed is None else 1 / self.speed
        self.clock = ScaledClock()
        self.rng = random.Random(self.seed)
        self.injections = Injections(self.clock)
        self.gate = Gate(self.clock)
        self.joins = Throttle(self.clock, JOINS, JOIN_EVERY)
        # addresses, and keys that were right from there
        self._proven: set[tuple[str, str]] = set()
        # why the class's file cannot be written, for the console
        self.trouble: Callable[[], str] = lambda: ""
        self.roll = Roll(self._api_of, self.saved) if self.saved else None
        self.learners = self.roll or Learners(self._api_of, self.access_token)
        self._threads = ThreadPoolExecutor(2, "offline-api")
        self._remembered: dict[bytes, ApiRequest] = {}
        self._looking: dict[bytes, asyncio.Event] = {}
        # an invalid rate_limit is an error now, not at the first request
        self._api_of("nobody")

    @property
    def open_to_pages(self) -> bool:
        """Whether pages of any site may read answers, as they may at the real API. A recorded
        answer is not secret and costs nothing; a fallback must not serve every page that is open in
        a browser on this machine, unless pages need a key.
        """
        return (
            self.fallback is None
            or self.access_token is not None
            or self.roll is not None
        )

    def learner(self, authorization: str, address: str) -> Learner | ApiAnswer:
        """The learner whose Authorization header this is, or the 401 or 429 for it. A key that is
        made of a short access token can be guessed, so wrong ones are counted by address.
        """
        if (
            self.roll is not None
            or self.access_token is None
            or len(self.access_token) >= STRONG
        ):
            return self.learners.of(authorization)
        proven = (address, authorization) in self._proven
        if not proven and (seconds := self.gate.guesses.wait(address)) > 0:
            return TooMany("wrong keys", seconds).answer
        found = self.learners.of(authorization)
        if isinstance(found, ApiAnswer):
            self.gate.guesses.take(address)
        elif not proven:
            if len(self._proven) >= REMEMBERED:
                self._proven.clear()
            self._proven.add((address, authorization))
        return found

    def rename(self, roll: Roll, learner: Learner, wanted: object) -> None:
        """Give a learner another name; faults that strike them go on. Raises NameRefused."""
        old = learner.name
        roll.rename(learner, wanted)
        if isinstance(learner.api, Injected):
            learner.api.learner = learner.name
        self.injections.rename(old, learner.name)

    async def answer(
        self, learner: Learner, raw: bytes, headers: Mapping[str, str]
    ) -> tuple[ApiRequest, ApiAnswer]:
        """A request to POST /v1/chat/completions, and the answer of the learner's offline API.

        A class sends the same requests, many times and all at once. So requests that were answered
        from a recording are remembered, and answered immediately. All others may take long (a miss
        is compared with every recording): they are answered in a thread, and an equal request that
        arrives meanwhile waits for that answer.
        """
        if (looking := self._looking.get(raw)) is not None:
            await looking.wait()
        remembered = self._remembered.get(raw)
        if remembered is not None:
            request = remembered.with_headers(headers)
            return request, self._answer(learner, request)
        request = ApiRequest("POST", CHAT_COMPLETIONS, raw, headers)
        looking = self._looking[raw] = asyncio.Event()
        try:
            answer = await self.answer_in_thread(learner, request)
        finally:
            self._looking.pop(raw, None)
            looking.set()  # those who wait go on when this one has remembered the request, below
        recorded = answer.forward is None and answer.source.startswith(RECORDED)
        if recorded and len(raw) <= SMALL:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[raw] = request.with_headers({})
        return request, answer

    async def answer_in_thread(
        self, learner: Learner, request: ApiRequest
    ) -> ApiAnswer:
        """The answer of the learner's offline API to a request that may take long. Each learner has
        one at a time, so that a learner who sends many does not take all threads from the others.
        """
        async with learner.turn:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._answer, learner, request
            )

    def own(self, answer: ApiAnswer) -> ApiAnswer:
        """An answer that the server gives by itself, with the request id that every answer of the
        API has.
        """
        return answer.with_headers(
            {**answer.headers, "x-request-id": request_id(self.rng)}
        )

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.log.close()

    def _answer(self, learner: Learner, request: ApiRequest) -> ApiAnswer:
        try:
            return learner.api.answer(request)
        except RecordingNotFound as miss:
            return self.own(
                error_answer(
                    404, str(miss), code="recording_not_found", headers=FINAL
                )
            )
        except DamagedRecording as damage:
            return self.own(server_error(str(damage), "damaged_recording"))
        except RecursionError:  # JSON nested deeper than any request
            return self.own(refuse("unparsable"))
        except Exception:
            logger.exception(
                "The offline API itself failed on a request from %s",
                learner.name,
            )
            return self.own(broken())

    def _api_of(self, name: str, spent: Decimal = Decimal(0)) -> Injected:
        rng = random.Random(f"{self.seed} {name}")
        last = None
        if self.fallback:
            last = Fallback(Missing(self.recordings), self.fallback)
        answers = replaying(self.recordings, last=last, today=self.today)
        api = OfflineApi(
            answers,
            self.clock,
            rate_limit=self.rate_limit,
            seed=rng.getrandbits(32),
            stages=Stages().scaled(self.stretch),
        )
        if api.account is not None:
            api.account.bill(spent)  # before the server was restarted
        return Injected(api, self.injections, name, rng)


def broken() -> ApiAnswer:
    """The answer to a bug of ours."""
    text = "The offline API itself failed on this request; the server's terminal shows where."
    return server_error(text, "offline_api_failed")
