"""The offline API as a whole: its layers, in the order in which a request meets them."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .batches.api import BatchApi
from .batches.job import Stages
from .clock import Clock
from .exchange import ORGANIZATION, ApiAnswer, ApiRequest, Layer
from .faults import Fault, Faults, fault_list
from .limits.account import Account, account_of
from .limits.rate_limits import RateLimits
from .miss import Missing
from .model_list import ModelList
from .recorded.replay import Replay
from .recordings import Recordings
from .rules.validation import Validation
from .standard_headers import StandardHeaders
from .trace import step, trace


def replaying(
    recordings: Recordings,
    *,
    used: Path | None = None,
    last: Layer | None = None,
    today: datetime.date | None = None,
) -> Layer:
    """The layers of replay mode: recordings, then the refusal of invalid requests, then ``last``.

    used   a file that gets a line with the path of each recording that is served, or None
    last   answers valid requests without a recording; None: raises RecordingNotFound
    today  models that were shut down by this day are refused; None: no model is
    """
    validation = Validation(step(last or Missing(recordings)), today=today)
    models = ModelList(step(validation))
    return step(Replay(recordings, step(models), used))


class OfflineApi:
    """The offline API of one client, or of one learner at the server: all layers.

    answers     the layer that answers, such as ``replaying(...)``
    clock       the time of limits, faults and batches
    faults      a Fault, or several in order
    rate_limit  an Account, its arguments in a dict, or None for no limits
    seed        of random faults and request ids
    stages      how long a batch takes (``batches.job``)

    Faults, account and clock are attributes: ``faults.add(...)`` adds a fault later, and clients
    that share an account share its clock.

    Raises ValueError for impossible faults and limits.
    """

    def __init__(
        self,
        answers: Layer,
        clock: Clock,
        *,
        faults: Fault | Iterable[Fault] | None = None,
        rate_limit: Account | Mapping[str, Any] | None = None,
        seed: int = 0,
        stages: Stages | None = None,
    ) -> None:
        self.account, self.clock = account_of(rate_limit), clock
        organization = ORGANIZATION
        if self.account is not None:
            self.clock = self.account.clock(clock)
            organization = self.account.organization
        rng = random.Random(seed + 2)
        limited = step(RateLimits(answers, self.account, self.clock))
        batches = step(
            BatchApi(limited, answers, self.clock, rng, stages or Stages())
        )
        strikes = random.Random(seed)
        self.faults = Faults(
            batches, fault_list(faults), strikes, self.clock.now
        )
        headers = StandardHeaders(
            step(self.faults), random.Random(seed + 1), organization
        )
        self._layers = trace(step(headers))

    def answer(self, request: ApiRequest) -> ApiAnswer:
        return self._layers.answer(request)
