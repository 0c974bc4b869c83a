"""One batch: its status after so many seconds, and its results by then.

How long a batch takes is not drawn by lot: it follows ``Stages``. (A genuine batch of nine requests
took 3, 128 and 2 seconds; the real API promises no more than 24 hours.)
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any

from ..exchange import CHAT_COMPLETIONS
from .files import FileStore
from .input import Line, Result

WINDOW = 86_400  # seconds of completion_window "24h"
OVER = ("completed", "cancelled")


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
    epoch      the second of 1970 at which that clock stood at 0
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
    results: list[Result]
    stages: Stages
    cancelled: float | None = None
    files: dict[bool, str] = field(default_factory=dict)
    written: bool = False

    def __post_init__(self) -> None:
        self.validated = self.created + self.stages.validating
        self.worked = self.validated + self.stages.in_progress
        self.done = self.worked + self.stages.finalizing

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

    def finished(self, now: float) -> list[Result]:
        """The results by now: requests are worked off evenly, until the batch is cancelled."""
        if self.faults:
            return []
        until = now if self.cancelled is None else min(now, self.cancelled)
        if until >= self.worked:
            return self.results
        share = max(0.0, (until - self.validated) / self.stages.in_progress)
        return self.results[: int(len(self.results) * share)]

    def write_files(self, store: FileStore, now: float) -> None:
        """When it is over, once: the files of the answers and of the errors, if there are any.

        Raises NoRoom.
        """
        if self.written or self.status(now) not in OVER:
            return
        for good, name in ((True, "output"), (False, "error")):
            content = b"".join(
                result.line for result in self.finished(now) if result.good is good
            )
            if content and good not in self.files:
                file = store.add(content, f"{self.id}_{name}.jsonl", "batch_output")
                self.files[good] = file.id
        self.written = True

    def as_dict(self, now: float) -> dict[str, Any]:
        """The Batch object."""
        status, finished = self.status(now), self.finished(now)
        good = [result for result in finished if result.good]
        stopped = self.cancelled if status in ("cancelling", "cancelled") else None
        reached: dict[str, float | None] = {
            "in_progress_at": self.validated,
            "finalizing_at": self.worked
            if status in ("finalizing", "completed")
            else None,
            "completed_at": self.done if status == "completed" else None,
            "failed_at": self.validated if status == "failed" else None,
            "expired_at": None,
            "cancelling_at": stopped,
            "cancelled_at": None,
        }
        if status in ("validating", "failed") or stopped is not None:
            reached["in_progress_at"] = None
        if status == "cancelled" and stopped is not None:
            reached["cancelled_at"] = stopped + self.stages.cancelling
        counts = {
            "total": 0 if status == "validating" else len(self.results),
            "completed": len(good),
            "failed": len(finished) - len(good),
        }
        created = int(self.epoch + self.created)
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": CHAT_COMPLETIONS,
            "errors": {"object": "list", "data": self.faults}
            if status == "failed"
            else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": status,
            "output_file_id": self.files.get(True),
            "error_file_id": self.files.get(False),
            "created_at": created,
            "expires_at": created + WINDOW,
            **{name: at and int(self.epoch + at) for name, at in reached.items()},
            "request_counts": counts,
            "metadata": self.metadata,
            "model": self.lines[0].body.get("model") if self.lines else None,
            "usage": usage(good),
        }


def usage(results: list[Result]) -> dict[str, Any]:
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
