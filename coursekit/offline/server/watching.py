"""What a teacher sees of a class at one moment, as plain data."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from starlette.concurrency import run_in_threadpool

from ..watched.verdict import Verdict, verdict_on
from .joining import about
from .learners import Learner
from .need import error_text, reasons
from .room import Room

PRESENT = 60.0  # seconds since a learner's last request, in which they count as present
LATELY = 900.0  # seconds: what a program did before, its author may have fixed
JUDGED = 3.0  # seconds for which a verdict holds, whatever happens
FRESH = 0.5  # seconds in which several consoles are shown the same


class Watch:
    """Looks at a room. ``shown_faults`` returns the faults at work, as the admin endpoints do."""

    def __init__(
        self, room: Room, shown_faults: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self.room, self.shown_faults = room, shown_faults
        self._seen: tuple[float, dict[str, Any]] | None = None
        # with the state of the ledger, and when
        self._verdicts: dict[Learner, tuple[object, float, Verdict]] = {}

    async def now(self) -> dict[str, Any]:
        """The learners, those in need of the teacher first; their totals; quiz votes; and the
        faults at work.
        """
        now = self.room.clock.now()
        if self._seen is None or now - self._seen[0] > FRESH:
            learners = list(self.room.learners)
            rows = await run_in_threadpool(
                lambda: [self._row(learner, now) for learner in learners]
            )
            # stable: else in the order in which they joined
            rows.sort(key=lambda one: -one["need"])
            self._verdicts = {
                learner: self._verdicts[learner]
                for learner in learners
                if learner in self._verdicts
            }
            self._seen = (
                now,
                {
                    "learners": rows,
                    "together": together(rows),
                    "votes": votes(learners),
                },
            )
        return {
            **self._seen[1],
            "faults": self.shown_faults(),
            "trouble": self.room.trouble(),
            "shares": self.room.shares,
            "class": self.room.roll is not None,
        }

    def _row(self, learner: Learner, now: float) -> dict[str, Any]:
        rows = about(learner)
        errors = sum(
            count
            for status, count in rows["statuses"].items()
            if status != "200"
        )
        present = learner.under_way > 0 or now - learner.at < PRESENT
        why = reasons(learner, self._verdict(learner, now), now)
        minutes = (
            int((now - learner.at) // 60) if math.isfinite(learner.at) else None
        )
        return {
            **rows,
            "errors": errors,
            "present": present,
            "minutes": minutes,
            "last_error": error_text(learner),
            "need": why[0].weight if why else 0,
            "reasons": [{"kind": one.kind, "text": one.text} for one in why],
            "hand": learner.hand is not None,
        }

    def _verdict(self, learner: Learner, now: float) -> Verdict:
        """The verdict on what a learner's program did lately. It takes a while, so it is
        updated only for those who sent something.
        """
        state = (learner.seen, learner.under_way, now // 60)
        judged = self._verdicts.get(learner)
        if judged is not None and (
            judged[0] == state or now - judged[1] < JUDGED
        ):
            return judged[2]
        verdict = verdict_on(
            [attempt for attempt in learner.ledger if now - attempt.at < LATELY]
        )
        self._verdicts[learner] = state, now, verdict
        return verdict


def together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What all learners come to; dollars as a string, exact."""
    counts = {
        name: sum(one[name] for one in rows)
        for name in ("requests", "errors", "prompt_tokens", "completion_tokens")
    }
    return {
        "learners": len(rows),
        "present": sum(one["present"] for one in rows),
        **counts,
        "dollars": str(
            sum((Decimal(one["dollars"]) for one in rows), Decimal(0))
        ),
    }


def votes(learners: Iterable[Learner]) -> dict[str, dict[str, int]]:
    """How often each option of a quiz question was chosen: {"01_basics/1": {"0": 3, "2": 5}}."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for learner in learners:
        for place, option in learner.votes.items():
            counts[place][str(option)] += 1
    return {
        place: dict(sorted(counts[place].items())) for place in sorted(counts)
    }


def roster(rows: Iterable[dict[str, Any]]) -> str:
    """The learners as CSV, for a spreadsheet. A name that a spreadsheet would take for a formula
    gets an apostrophe. What was passed is what the learner's own machine reported.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    columns = (
        "name",
        "chapter",
        "passed",
        "requests",
        "errors",
        "prompt_tokens",
        "completion_tokens",
        "dollars",
    )
    names = ("passed_reported" if one == "passed" else one for one in columns)
    writer.writerow((*names, "last_error"))
    for one in sorted(rows, key=lambda one: str(one["name"]).casefold()):
        row = {**one, "passed": sum(one["passed"].values())}
        cells = [str(row[column]) for column in (*columns, "last_error")]
        writer.writerow(
            [
                f"'{cell}" if cell[:1] in "=+-@\t" and cell else cell
                for cell in cells
            ]
        )
    return out.getvalue()
