"""What the server's endpoints share: the clock, the learners, the faults at work, and how a request is answered."""

from __future__ import annotations

import asyncio
import datetime
import logging
import random
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from ..batch_job import Stages
from ..clock import ScaledClock
from ..engine import OfflineApi, replaying
from ..exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, error_answer
from ..miss import RecordingNotFound
from ..recordings import DamagedRecording, Recordings
from ..refusals import unparsable
from ..standard_headers import request_id
from .access_log import AccessLog
from .injection import Injected, Injections
from .learners import Learner, Learners
from .roll import Kept, Roll
from .steady import SteadyRecordings

RECORDED = ("live", "local", "written")  # sources of answers that are quick to find
SMALL = 16_384  # bytes of a body that is remembered
REMEMBERED = 2000  # requests
FINAL = {"x-should-retry": "false"}  # the SDK's sign that asking again will not help
logger = logging.getLogger("coursekit.serve")


class Room:
    """All that one server knows.

    recordings    what it answers from
    speed         of answers and batches: 1.0 as recorded, 10 ten times faster; None: they come at once. Rate limits,
                  and the time for which a fault is at work, are real time at any speed: clients know no other
    rate_limit    the limits of each learner, as the arguments of Account; None: none
    access_token  what a learner's key must be: see ``Learners``
    admin_token   what the admin endpoints and the console ask for; None: there are none
    kept          what is kept of a class, which makes this its server: keys are only those of learners who have joined,
                  and the access token is what joining asks for; None: no class
    seed          of what happens by chance, and of request ids
    today         the day by which models count as shut down; None: none does, for their recordings live on
    """

    def __init__(
        self, recordings: Recordings, *, speed: float | None = 1.0, rate_limit: Mapping[str, Any] | None = None,
        access_token: str | None = None, admin_token: str | None = None, log: AccessLog | None = None, seed: int = 0,
        kept: Kept | None = None, today: datetime.date | None = None,
    ) -> None:  # fmt: skip
        self.recordings, self.rate_limit, self.seed = SteadyRecordings(recordings), rate_limit, seed
        self.today = today
        self.stretch = 0.0 if speed is None else 1 / speed
        self.admin_token, self.log = admin_token, log or AccessLog(None)
        self.clock = ScaledClock()
        self.rng = random.Random(seed)
        self.injections = Injections(self.clock)
        self.access_token = access_token
        self.roll = None if kept is None else Roll(self._api_of, kept)
        self.learners = self.roll or Learners(self._api_of, access_token)
        self._threads = ThreadPoolExecutor(2, "offline-api")
        self._known: dict[bytes, ApiRequest] = {}
        self._looking: dict[bytes, asyncio.Event] = {}
        self._api_of("nobody")  # a rate_limit that makes no sense is told now, not at the first request

    async def answer(self, learner: Learner, raw: bytes, headers: Mapping[str, str]) -> tuple[ApiRequest, ApiAnswer]:
        """A request to POST /v1/chat/completions, and the answer of the learner's offline API.

        A class asks the same, many times and all at once. So requests that were answered from a recording are
        remembered, and answered at once. All others may take long (a miss is compared with every recording there is):
        they are answered in a thread, and whoever asks the same meanwhile waits for that.
        """
        if (looking := self._looking.get(raw)) is not None:
            await looking.wait()
        known = self._known.get(raw)
        if known is not None:
            request = known.with_headers(headers)
            return request, self._answer(learner, request)
        request = ApiRequest("POST", CHAT_COMPLETIONS, raw, headers)
        looking = self._looking[raw] = asyncio.Event()
        try:
            answer = await self.answer_in_thread(learner, request)
        finally:
            self._looking.pop(raw, None)
            looking.set()  # those who wait go on when this one has remembered the request, below
        if answer.source.startswith(RECORDED) and len(raw) <= SMALL:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[raw] = request.with_headers({})
        return request, answer

    async def answer_in_thread(self, learner: Learner, request: ApiRequest) -> ApiAnswer:
        """The answer of the learner's offline API to a request that may take long."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, learner, request)

    def own(self, answer: ApiAnswer) -> ApiAnswer:
        """An answer that the server gives by itself, with the request id that every answer of the API has."""
        return answer.with_headers({**answer.headers, "x-request-id": request_id(self.rng)})

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.log.close()

    def _answer(self, learner: Learner, request: ApiRequest) -> ApiAnswer:
        try:
            return learner.api.answer(request)
        except RecordingNotFound as miss:
            return self.own(error_answer(404, str(miss), code="recording_not_found", headers=FINAL))
        except DamagedRecording as damage:
            text, code = str(damage), "damaged_recording"
            return self.own(error_answer(500, text, type="server_error", code=code, headers=FINAL))
        except RecursionError:  # JSON nested as deep as no request is
            return self.own(unparsable())
        except Exception:
            logger.exception("The offline API itself has failed at a request of %s", learner.name)
            return self.own(broken())

    def _api_of(self, name: str, spent: Decimal = Decimal(0)) -> Injected:
        rng = random.Random(f"{self.seed} {name}")
        answers = replaying(self.recordings, today=self.today)
        api = OfflineApi(answers, self.clock, rate_limit=self.rate_limit, seed=rng.getrandbits(32),
                         stages=Stages().scaled(self.stretch))  # fmt: skip
        if api.account is not None:
            api.account.bill(spent)  # in a life of the server before this one
        return Injected(api, self.injections, name, rng)


def broken() -> ApiAnswer:
    """The answer to a mistake of ours."""
    text = "The offline API itself has failed at this request; the server's terminal shows where."
    return error_answer(500, text, type="server_error", code="offline_api_failed", headers=FINAL)
