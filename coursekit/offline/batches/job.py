"""One batch: where it stands after so many seconds, and what it has brought by then.

How long a batch takes is drawn by nobody: it follows ``Stages``. (A genuine batch of nine requests
took 3, 128 and 2 seconds; the real API promises no more than 24 hours.)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..exchange import CHAT_COMPLETIONS
from .files import FileStore
from .input import Line, Result

WINDOW = 86_400  # seconds of completion_window "24h"


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that a batch spends in each status; ``cancelling`` when it is cancelled."""

    validating: float = 3.0
    in_progress: float = 10.0
    finalizing: float = 2.0
    cancelling: float = 1.0

    def scaled(self, factor: float) -> Stages:
        return Stages(
            *(
                factor * seconds
                for seconds in (
                    self.validating,
                    self.in_progress,
                    self.finalizing,
                    self.cancelling,
                )
            )
        )


@dataclass
class Job:
    """A batch. Times on the clock of the API, in seconds; ``stamped`` is 1970's second of clock 0.

    results    of the lines, in order; empty when the file was refused
    faults     why the file was refused
    cancelled  when somebody cancelled it
    """

    id: str
    input_file_id: str
    metadata: Any
    created: float
    stamped: int
    lines: list[Line]
    faults: list[dict[str, Any]]
    results: list[Result]
    stages: Stages
    cancelled: float | None = None
    files: dict[bool, str] = field(
        default_factory=dict
    )  # by whether it is that of the answers
    written: bool = False

    def status(self, now: float) -> str:
        validated = self.created + self.stages.validating
        worked = validated + self.stages.in_progress
        done = worked + self.stages.finalizing
        if self.faults:
            return "failed" if now >= validated else "validating"
        if self.cancelled is not None and self.cancelled < done:
            return (
                "cancelled"
                if now >= self.cancelled + self.stages.cancelling
                else "cancelling"
            )
        for end, status in (
            (validated, "validating"),
            (worked, "in_progress"),
            (done, "finalizing"),
        ):
            if now < end:
                return status
        return "completed"

    def finished(self, now: float) -> list[Result]:
        """The results that there are by now: requests are worked off evenly, and no longer once it
        is cancelled.
        """
        if self.faults:
            return []
        until = now if self.cancelled is None else min(now, self.cancelled)
        worked = until - self.created - self.stages.validating
        if worked >= self.stages.in_progress:
            return self.results
        return self.results[
            : max(0, int(len(self.results) * worked / self.stages.in_progress))
        ]

    def write_files(self, store: FileStore, now: float) -> None:
        """When it is over, once: the file of the answers and that of the errors, each only if there
        is any.

        Raises NoRoom."""
        if self.written or self.status(now) not in ("completed", "cancelled"):
            return
        for good, name in ((True, "output"), (False, "error")):
            content = b"".join(
                result.line for result in self.finished(now) if result.good is good
            )
            if content and good not in self.files:
                self.files[good] = store.add(
                    content, f"{self.id}_{name}.jsonl", "batch_output"
                ).id
        self.written = True

    def as_dict(self, now: float) -> dict[str, Any]:
        """The Batch object."""
        status, done = self.status(now), self.finished(now)
        good = [result for result in done if result.good]
        validated = self.created + self.stages.validating
        worked = validated + self.stages.in_progress
        stopped = (
            None
            if self.cancelled is None or status not in ("cancelling", "cancelled")
            else self.cancelled
        )
        reached = {
            "in_progress_at": validated
            if not self.faults and now >= validated and stopped is None
            else None,
            "finalizing_at": worked if status in ("finalizing", "completed") else None,
            "completed_at": worked + self.stages.finalizing
            if status == "completed"
            else None,
            "failed_at": validated if status == "failed" else None,
            "expired_at": None,
            "cancelling_at": stopped,
            "cancelled_at": stopped + self.stages.cancelling
            if stopped is not None and status == "cancelled"
            else None,
        }
        errors = {"object": "list", "data": self.faults} if status == "failed" else None
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": CHAT_COMPLETIONS,
            "errors": errors,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": status,
            "output_file_id": self.files.get(True),
            "error_file_id": self.files.get(False),
            "created_at": self._stamp(self.created),
            "expires_at": self._stamp(self.created) + WINDOW,
            **{
                name: None if at is None else self._stamp(at)
                for name, at in reached.items()
            },
            "request_counts": {
                "total": 0 if status == "validating" else len(self.results),
                "completed": len(good),
                "failed": len(done) - len(good),
            },
            "metadata": self.metadata,
            "model": self.lines[0].body.get("model") if self.lines else None,
            "usage": usage(good),
        }

    def _stamp(self, at: float) -> int:
        return int(self.stamped + at)


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
