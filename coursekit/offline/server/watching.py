"""What a teacher sees of a class at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from starlette.concurrency import run_in_threadpool

from .joining import about
from .learners import Learner
from .room import Room

PRESENT = 60.0  # seconds since a learner's last request, in which they count as present
FRESH = 0.5  # seconds in which several consoles are shown the same


class Watch:
    """Looks at a room. ``shown_faults`` tells the faults at work, as the admin endpoints do."""

    def __init__(self, room: Room, shown_faults: Callable[[], list[dict[str, Any]]]) -> None:
        self.room, self.shown_faults = room, shown_faults
        self._seen: tuple[float, dict[str, Any]] | None = None

    async def now(self) -> dict[str, Any]:
        """The learners in the order in which they came, what they come to together, and the faults at work."""
        now = self.room.clock.now()
        if self._seen is None or now - self._seen[0] > FRESH:
            learners = list(self.room.learners)
            told = await run_in_threadpool(lambda: [self._told(learner, now) for learner in learners])
            self._seen = now, {"learners": told, "together": together(told)}
        return {**self._seen[1], "faults": self.shown_faults()}

    def _told(self, learner: Learner, now: float) -> dict[str, Any]:
        told = about(learner)
        errors = sum(count for status, count in told["statuses"].items() if status != "200")
        present = learner.under_way > 0 or now - learner.at < PRESENT
        return {**told, "errors": errors, "present": present}


def together(told: list[dict[str, Any]]) -> dict[str, Any]:
    """What all learners come to; dollars as a string, exact."""
    counts = {
        name: sum(one[name] for one in told) for name in ("requests", "errors", "prompt_tokens", "completion_tokens")
    }
    return {
        "learners": len(told),
        "present": sum(one["present"] for one in told),
        **counts,
        "dollars": str(sum((Decimal(one["dollars"]) for one in told), Decimal(0))),
    }
