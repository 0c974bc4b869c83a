"""One batch: its status and results at a given time.

The time a batch takes is not random: it follows ``Stages``. (A genuine batch of nine requests took
3, 128 and 2 seconds; the real API promises no more than 24 hours.)
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any

from ..exchange import CHAT_COMPLETIONS
from .files import FileStore
from .input import Line, LineResult

WINDOW = 86_400  # seconds of completion_window "24h"
OVER = ("completed", "cancelled")
LAST = ("finalizing", "completed")


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that a batch spends in each status; ``cancelling`` when it is cancelled."""

    validating: float = 3.0
    in_progress: float = 10.0
    finalizing: float = 2.0
    cancelling: float = 1.0

    def scaled(self, factor: float) -> Stages:
        return Stages(*(factor * seconds for seconds in astuple(self)))


@dataclass
class Job:
    """A batch. Times are seconds on the clock of the API.

    created    when it was created
    epoch      the POSIX time at which that clock was at 0
    faults     why the file was refused
    results    of the lines, in order; empty when the file was refused
    cancelled  when it was cancelled
    files      of the answers (True) and of the errors (False), once they are written
    """

    id: str
    input_file_id: str
    metadata: Any
    created: float
    epoch: int
    lines: list[Line]
    faults: list[dict[str, Any]]
    results: list[LineResult]
    stages: Stages
    cancelled: float | None = None
    files: dict[bool, str] = field(default_factory=dict)
    written: bool = False

    def __post_init__(self) -> None:
        self.validated = self.created + self.stages.validating
        self.worked = self.validated + self.stages.in_progress
        self.done = self.worked + self.stages.finalizing

    @property
    def size(self) -> int:
        """Bytes of its results."""
        return sum(len(result.line) for result in self.results)

    def status(self, now: float) -> str:
        if now < self.validated and self.cancelled is None:
            return "validating"
        if self.faults:
            return "failed" if now >= self.validated else "validating"
        if self.cancelled is not None and self.cancelled < self.done:
            stopped = self.cancelled + self.stages.cancelling
            return "cancelled" if now >= stopped else "cancelling"
        if now < self.worked:
            return "in_progress"
        return "finalizing" if now < self.done else "completed"

    def finished(self, now: float) -> list[LineResult]:
        """The results by now: requests are answered at an even rate, until a cancellation."""
        if self.faults:
            return []
        until = now if self.cancelled is None else min(now, self.cancelled)
        if until >= self.worked:
            return self.results
        share = max(0.0, (until - self.validated) / self.stages.in_progress)
        return self.results[: int(len(self.results) * share)]

    def write_files(self, store: FileStore, now: float) -> None:
        """When the batch is over: write the files of the answers and of the errors, if there are
        any.

        Raises StorageFull.
        """
        if self.written or self.status(now) not in OVER:
            return
        results = self.finished(now)
        for good, name in ((True, "output"), (False, "error")):
            content = b"".join(one.line for one in results if one.good is good)
            if content and good not in self.files:
                file = store.add(
                    content, f"{self.id}_{name}.jsonl", "batch_output"
                )
                self.files[good] = file.id
        self.written = True

    def as_dict(self, now: float) -> dict[str, Any]:
        """The Batch object."""
        status, finished = self.status(now), self.finished(now)
        good = [result for result in finished if result.good]
        stopped = self.cancelled or 0.0
        reached = {  # by field: when the batch got there, and the states that have been there
            "in_progress_at": (self.validated, ("in_progress", *LAST)),
            "finalizing_at": (self.worked, LAST),
            "completed_at": (self.done, ("completed",)),
            "failed_at": (self.validated, ("failed",)),
            "expired_at": (0.0, ()),
            "cancelling_at": (stopped, ("cancelling", "cancelled")),
            "cancelled_at": (stopped + self.stages.cancelling, ("cancelled",)),
        }
        times = {
            name: int(self.epoch + at) if status in states else None
            for name, (at, states) in reached.items()
        }
        counts = {
            "total": 0 if status == "validating" else len(self.results),
            "completed": len(good),
            "failed": len(finished) - len(good),
        }
        created = int(self.epoch + self.created)
        errors = {"object": "list", "data": self.faults}
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": CHAT_COMPLETIONS,
            "errors": errors if status == "failed" else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": status,
            "output_file_id": self.files.get(True),
            "error_file_id": self.files.get(False),
            "created_at": created,
            "expires_at": created + WINDOW,
            **times,
            "request_counts": counts,
            "metadata": self.metadata,
            "model": self.lines[0].body.get("model") if self.lines else None,
            "usage": usage(good),
        }


def usage(results: list[LineResult]) -> dict[str, Any]:
    """The tokens of these answers, in the shape of BatchUsage."""
    prompt, cached, completion, hidden = (
        sum(result.tokens[i] for result in results) for i in range(4)
    )
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": hidden},
        "total_tokens": prompt + completion,
    }
