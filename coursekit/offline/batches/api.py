"""The Batch API: /v1/files and /v1/batches.

The real API has separate limits for batches, so the account's requests and tokens per minute, and
its dollars, do not count. A request without a recording fails when the batch is created, in process
as RecordingNotFound: it could never be answered. Left out: batches that expire, and all endpoints
except chat completions.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..clock import Clock
from ..exchange import ApiAnswer, ApiRequest, Layer, error_answer, json_answer
from ..rules.form import fault, rules
from ..rules.refusals import invalid_url, refusal, refuse
from .files import (
    FILES,
    ROOM,
    FileStore,
    StorageFull,
    below,
    full,
    no_such_file,
    page,
)
from .input import answered, read_input
from .job import OVER, Job, Stages

BATCHES = "/v1/batches"
MOST = 50  # batches that are remembered, with their results


@dataclass(eq=False)
class BatchApi:
    """The layer of files and batches.

    inner    answers all other requests
    answers  answers the requests of a batch: see ``engine.replaying``
    clock    the time of batches
    rng      source of the ids
    stages   how long a batch takes
    """

    inner: Layer
    answers: Layer
    clock: Clock
    rng: random.Random
    stages: Stages

    def __post_init__(self) -> None:
        self.files = FileStore(
            lambda: int(self._epoch + self.clock.now()), self.rng
        )
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @cached_property
    def _epoch(self) -> int:
        """The POSIX time at which the clock was at 0."""
        return int(time.time() - self.clock.now())

    def answer(self, request: ApiRequest) -> ApiAnswer:
        if is_below(FILES, request.path):
            return self.files.answer(request)
        if not is_below(BATCHES, request.path):
            return self.inner.answer(request)
        name, _, rest = below(BATCHES, request.path).partition("/")
        match (request.method, bool(name), rest):
            case ("POST", False, _):
                return self._create(request.body)
            case ("GET", False, _):
                now = self.clock.now()
                return page(
                    job.as_dict(now) for job in list(self._jobs.values())
                )
            case ("GET", True, "") | ("POST", True, "cancel"):
                return self._one(name, cancel=bool(rest))
        return invalid_url(request)

    def _create(self, body: Any) -> ApiAnswer:
        if not isinstance(body, dict):
            return refuse("unparsable")
        if refused := fault(rules()["batch"], body, ""):
            return refused
        file = self.files.get(body["input_file_id"])
        if file is None:
            return no_such_file(body["input_file_id"])
        lines, faults = read_input(file.content)
        results = []
        if not faults:
            results = [answered(line, self.answers, self.rng) for line in lines]
        with self._lock:
            if len(self._jobs) >= MOST:
                text = (
                    f"The offline API keeps at most {MOST} batches for a client. Create a new "
                    "client."
                )
                headers = {"x-should-retry": "false"}
                return error_answer(
                    429, text, code="too_many_batches", headers=headers
                )
            used = sum(job.size for job in self._jobs.values())
            if used + sum(len(result.line) for result in results) > ROOM:
                return full()
            job = Job(
                f"batch_{self.rng.getrandbits(128):032x}",
                file.id,
                body.get("metadata"),
                self.clock.now(),
                self._epoch,
                lines,
                faults,
                results,
                self.stages,
            )
            self._jobs[job.id] = job
        return json_answer(200, job.as_dict(self.clock.now()))

    def _one(self, name: str, *, cancel: bool) -> ApiAnswer:
        job = self._jobs.get(name)
        if job is None:
            return refusal(f"No batch found with id '{name[:80]}'.", status=404)
        now = self.clock.now()
        with self._lock:
            if cancel:
                status = job.status(now)
                if status in (*OVER, "failed"):
                    text = f"Cannot cancel a batch with status '{status}'."
                    return refusal(text, status=409)
                job.cancelled = now if job.cancelled is None else job.cancelled
            try:
                job.write_files(self.files, now)
            except StorageFull:
                return full()
        return json_answer(200, job.as_dict(now))


def is_below(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root}/")
