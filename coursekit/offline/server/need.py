"""Who needs the teacher: the signs that a learner is stuck, most urgent first.

Nothing here guesses at what somebody thinks. A reason is something that happened: a hand that was
raised, requests or checks that failed one after another, a program that takes a cut stream for a
complete answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..watched.verdict import Verdict
from .learners import Learner

ERRORS, CHECKS = 3, 3  # failures in a row that make somebody stuck
HAND, FAILING, CHECK, HABIT = 400, 300, 200, 100  # what comes first


@dataclass(frozen=True, slots=True)
class Reason:
    """``weight``: the higher, the more urgent; ``kind``: "hand", "errors", "check" or "habit"."""

    weight: int
    kind: str
    text: str


def reasons(learner: Learner, verdict: Verdict, now: float) -> list[Reason]:
    """Why the teacher should look, most urgent first; empty if all seems well. ``now``: the
    server's clock.
    """
    found = []
    if learner.hand is not None:
        minutes = int((now - learner.hand_at) // 60)
        since = f" for {minutes} min" if minutes else ""
        text = f"hand up{since}: {learner.hand or 'no question given'}"
        found.append(Reason(HAND, "hand", text))
    if learner.errors_in_a_row >= ERRORS and learner.error is not None:
        count = learner.errors_in_a_row
        text = f"{count} requests failed in a row: {error_text(learner)}"
        found.append(Reason(FAILING + min(count, 99), "errors", text))
    for place, count in sorted(
        learner.failed.items(), key=lambda item: -item[1]
    ):
        if count >= CHECKS:
            chapter, _, exercise = place.partition("/")
            text = f"check {exercise} failed {count} times in a row ({chapter})"
            found.append(Reason(CHECK + min(count, 99), "check", text))
    habits = [
        (verdict.unnoticed_cuts, "took {} for the whole answer", "cut stream"),
        (verdict.too_early, "retried {} too early", "time"),
        (verdict.wasted, "retried {} that cannot succeed", "request"),
    ]
    for count, template, what in habits:
        if count:
            text = template.format(f"{count} {what}{'s' * (count > 1)}")
            found.append(Reason(HABIT + min(count, 99), "habit", text))
    return sorted(found, key=lambda reason: -reason.weight)


def error_text(learner: Learner) -> str:
    """The last failure, as "429 rate_limit_exceeded"; "" where nothing has failed."""
    error = learner.error
    if error is None:
        return ""
    status = str(error.status) if error.status else "no answer"
    return f"{status} {error.code}" if error.code else status
