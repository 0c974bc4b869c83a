"""What a teacher sees of a class at one moment, as plain data."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool

from ..watched.verdict import Verdict, verdict_on
from .joining import about
from .learners import Learner
from .need import error_text, reasons
from .room import Room

PRESENT = 60.0  # seconds since a learner's last request, in which they count as present
LATELY = 900.0  # seconds: the author may have fixed what a program did before
JUDGED = 3.0  # seconds for which a verdict is reused, whatever happens
FORMULA = ("=", "+", "-", "@", "\t")  # what a spreadsheet takes for one
FRESH = 0.5  # seconds in which all consoles are shown the same data


class Watch:
    """Looks at a room. ``shown_faults`` returns the faults at work, as the admin endpoints do."""

    def __init__(
        self, room: Room, shown_faults: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self.room, self.shown_faults = room, shown_faults
        self._seen: tuple[float, dict[str, Any]] = -math.inf, {}
        # with the state of the ledger, and when
        self._verdicts: WeakKeyDictionary[
            Learner, tuple[object, float, Verdict]
        ] = WeakKeyDictionary()

    async def now(self) -> dict[str, Any]:
        """The learners, those in need of the teacher first; their totals; quiz votes; and the
        faults at work.
        """
        now = self.room.clock.now()
        if now - self._seen[0] > FRESH:
            self._seen = now, await run_in_threadpool(self._look, now)
        return {
            **self._seen[1],
            "faults": self.shown_faults(),
            "trouble": self.room.trouble(),
            "shares": self.room.shares,
            "class": self.room.roll is not None,
        }

    def _look(self, now: float) -> dict[str, Any]:
        learners = list(self.room.learners)
        rows = [self._row(learner, now) for learner in learners]
        # a stable sort: ties stay in the order in which they joined
        rows.sort(key=lambda row: -row["need"])
        return {
            "learners": rows,
            "together": together(rows),
            "votes": votes(learners),
        }

    def _row(self, learner: Learner, now: float) -> dict[str, Any]:
        row = about(learner)
        why = reasons(learner, self._verdict(learner, now), now)
        away = now - learner.at
        return {
            **row,
            "errors": row["requests"] - row["statuses"].get("200", 0),
            "present": learner.under_way > 0 or away < PRESENT,
            "minutes": int(away // 60) if math.isfinite(away) else None,
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
    """The totals of all learners; dollars as an exact string."""
    counts = ("requests", "errors", "prompt_tokens", "completion_tokens")
    dollars = sum((Decimal(row["dollars"]) for row in rows), Decimal(0))
    return {
        "learners": len(rows),
        "present": sum(row["present"] for row in rows),
        **{name: sum(row[name] for row in rows) for name in counts},
        "dollars": str(dollars),
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
    columns = (
        "name",
        "chapter",
        "passed_reported",
        "requests",
        "errors",
        "prompt_tokens",
        "completion_tokens",
        "dollars",
        "last_error",
    )
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for learner in sorted(rows, key=lambda row: str(row["name"]).casefold()):
        row = {**learner, "passed_reported": sum(learner["passed"].values())}
        cells = [str(row[column]) for column in columns]
        writer.writerow(
            [f"'{cell}" if cell.startswith(FORMULA) else cell for cell in cells]
        )
    return out.getvalue()
