"""The Batch API of the offline API: /v1/files and /v1/batches; everything else goes on to the next
layer.

A batch has limits of its own at the real API, so neither the account's requests and tokens a minute
nor its dollars are touched. What is neither recorded nor wrong is told when the batch is created,
in process as RecordingNotFound: nobody shall wait for it. Left out: batches that expire, and every
endpoint but chat completions.
"""

from __future__ import annotations

import random
import threading
import time
from functools import cached_property
from typing import Any

from ..clock import Clock
from ..exchange import (
    ApiAnswer,
    ApiRequest,
    Layer,
    error_answer,
    json_answer,
)
from ..rules import refusals
from ..rules.form import fault, rules
from .files import (
    FILES,
    ROOM,
    FileStore,
    NoRoom,
    full,
    no_such_file,
    page,
)
from .input import answered, read_input
from .job import Job, Stages

BATCHES = "/v1/batches"
MOST = 50  # batches that are remembered; their results are kept with them


class BatchApi:
    """The layer.

    inner    answers everything else
    answers  answers the requests of a batch: see ``engine.replaying``
    clock    whose time batches take
    rng      makes the ids
    stages   how long they take
    """

    def __init__(
        self,
        inner: Layer,
        answers: Layer,
        clock: Clock,
        rng: random.Random,
        stages: Stages,
    ) -> None:
        self.inner, self.answers, self.clock, self.rng, self.stages = (
            inner,
            answers,
            clock,
            rng,
            stages,
        )
        self.files = FileStore(lambda: int(self._stamped + clock.now()), rng)
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @cached_property
    def _stamped(self) -> int:
        """The second of 1970 at which the clock stood at 0."""
        return int(time.time() - self.clock.now())

    def answer(self, request: ApiRequest) -> ApiAnswer:
        if is_below(FILES, request.path):
            return self.files.answer(request)
        return (
            self._batches(request)
            if is_below(BATCHES, request.path)
            else self.inner.answer(request)
        )

    def _batches(self, request: ApiRequest) -> ApiAnswer:
        name, _, rest = request.path.removeprefix(BATCHES).strip("/").partition("/")
        if not name:
            if request.method == "POST":
                return self._create(request.body)
            if request.method == "GET":
                return json_answer(
                    200,
                    page(
                        [self._told(job) for job in reversed(list(self._jobs.values()))]
                    ),
                )
        elif (request.method, rest) in (("GET", ""), ("POST", "cancel")):
            return self._one(name, cancel=bool(rest))
        return refusals.invalid_url(request)

    def _create(self, body: Any) -> ApiAnswer:
        refused = _refusal(body)
        if refused is not None:
            return refused
        file = self.files.get(body["input_file_id"])
        if file is None:
            return no_such_file(body["input_file_id"])
        lines, faults = read_input(file.content)
        results = [] if faults else answered(lines, self.answers, self.rng)
        with self._lock:
            if len(self._jobs) >= MOST:
                text = f"The offline API remembers {MOST} batches of a client. Make a new client."
                return error_answer(
                    429,
                    text,
                    code="too_many_batches",
                    headers={"x-should-retry": "false"},
                )
            kept = [result for job in self._jobs.values() for result in job.results]
            if sum(len(result.line) for result in (*kept, *results)) > ROOM:
                return full()
            name = f"batch_{self.rng.getrandbits(128):032x}"
            now, metadata = self.clock.now(), body.get("metadata")
            job = self._jobs[name] = Job(
                name,
                file.id,
                metadata,
                now,
                self._stamped,
                lines,
                faults,
                results,
                self.stages,
            )
        return json_answer(200, self._told(job))

    def _one(self, name: str, *, cancel: bool) -> ApiAnswer:
        job = self._jobs.get(name)
        if job is None:
            return refusals.refusal(
                f"No batch found with id '{name[:80]}'.", status=404
            )
        now = self.clock.now()
        with self._lock:
            if cancel:
                if (status := job.status(now)) not in (
                    "validating",
                    "in_progress",
                    "finalizing",
                    "cancelling",
                ):
                    return refusals.refusal(
                        f"Cannot cancel a batch with status '{status}'.", status=409
                    )
                job.cancelled = now if job.cancelled is None else job.cancelled
            try:
                job.write_files(self.files, now)
            except NoRoom:
                return full()
        return json_answer(200, self._told(job))

    def _told(self, job: Job) -> dict[str, Any]:
        return job.as_dict(self.clock.now())


def is_below(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _refusal(body: Any) -> ApiAnswer | None:
    """What is wrong with the body of POST /v1/batches."""
    if not isinstance(body, dict):
        return refusals.refuse("unparsable")
    return fault(rules()["batch"], body, "")
