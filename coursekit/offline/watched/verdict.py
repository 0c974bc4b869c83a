"""A verdict on the client: how it handled errors, waits and broken answers, as the server sees it.

A server sees attempts, not a program. So there are limits to what it can know:

  - Attempts with equal request bodies belong together. Of these, the SDK's own retries carry its
    header x-stainless-retry-count; a first attempt after a failed one counts as the program's
    retry. A program that repeats a question for another reason looks the same.
  - A question that was changed before it was sent again is a new one. The old one stays
    unanswered.
  - A program shows that it noticed a cut stream only by requesting it again. If it did not, it may
    still have shown the text as partial.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from ...wired import wired_to
from .ledger import Ledger, LoggedAttempt

FINAL_STATUS = (400, 401, 403, 404, 422)
# 429s that waiting does not fix
FINAL_CODES = (
    "insufficient_quota",
    "request_too_large",
)
WHOLE, LEFT, CUT = "200", "200, left", "200, cut"
LATE = "200, after the caller gave up"
SATISFIED = (WHOLE, LEFT)
LOST = (LATE, "200, broken", "200, malformed")
TOLERANCE = 0.0015  # seconds; Retry-After-Ms is in whole milliseconds

# The lines of a verdict that appear only if there is something to count: label, text.
REMARKS = {
    "too_early": (
        "waits cut short",
        "{too_early} of {waits}, by {early_by:.1f} s in all: wait as long as Retry-After says",
    ),
    "wasted": (
        "retries wasted",
        "{wasted}: retrying cannot help an invalid request or an empty account",
    ),
    "retried_400": (
        "retries after a 400",
        "{retried_400}: fix the request instead",
    ),
    "lost": (
        "billed, but lost",
        "{lost}: allow more time, or stream and keep what has arrived",
    ),
    "unnoticed_cuts": (
        "cuts not noticed",
        "{unnoticed_cuts}: a stream without finish_reason is not complete",
    ),
    "left": ("streams left early", "{left}"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the attempts of one or more clients show. Times are seconds.

    attempts       requests on the wire; ``outcomes`` counts them by outcome: "200", "429
                   rate_limit_exceeded", …
    questions      different requests, retries not counted
    answered       questions that got a complete answer, or whose stream the caller left
    sdk_retries    attempts that were retries by the SDK
    own_retries    attempts that were retries by the program itself after a failure
    waits          answers with a Retry-After that were followed by a retry
    too_early      of these, retried before that time was over; ``early_by`` is the sum of the
                   missing seconds
    waited         seconds between failures and the attempts that followed, in total (not in the
                   text: the SDK draws its back-off at random)
    wasted         retries after an error that no retry fixes (400, 401, 403, 404, 422, no quota,
                   too large)
    retried_400    of these, after a 400
    lost           answers that were made and billed, but not fully received: the connection broke,
                   the caller's timeout ended it, or it was malformed
    unnoticed_cuts streams that were closed cleanly before they were done, and were not requested
                   again
    left           streams that the caller left before their end
    """

    attempts: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    questions: int = 0
    answered: int = 0
    sdk_retries: int = 0
    own_retries: int = 0
    waits: int = 0
    too_early: int = 0
    early_by: float = 0.0
    waited: float = 0.0
    wasted: int = 0
    retried_400: int = 0
    lost: int = 0
    unnoticed_cuts: int = 0
    left: int = 0

    @property
    def good(self) -> bool:
        """Whether every question was answered, and there is nothing to fix."""
        faults = self.wasted + self.too_early + self.lost + self.unnoticed_cuts
        return faults == 0 and self.answered == self.questions

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for a grade book or JSON."""
        return {**asdict(self), "good": self.good}

    def __str__(self) -> str:
        good = "good" if self.good else "something to fix"
        counts = ", ".join(
            f"{count} x {what}" for what, count in self.outcomes.items()
        )
        retries = (
            f"{self.sdk_retries} by the SDK, {self.own_retries} by the program"
        )
        lines = [
            f"Verdict on the client: {good}",
            f"  questions answered   {self.answered} of {self.questions}",
            f"  attempts             {self.attempts}"
            + (f" ({counts})" if counts else ""),
            f"  retries              {retries}",
        ]
        numbers = asdict(self)
        for name, (label, remark) in REMARKS.items():
            if numbers[name]:
                lines.append(f"  {label:20} {remark.format(**numbers)}")
        return "\n".join(lines)


def verdict_on(*sources: Any) -> Verdict:
    """Judge clients by what the offline API saw of them.

    sources  clients of ``connect()`` or ``connect_async()`` in replay mode, or Ledgers, or lists of
             Attempts; several are judged together

    Raises ValueError for a client without a ledger, as in live mode.
    """
    attempts = sorted(
        (attempt for source in sources for attempt in _attempts(source)),
        key=lambda attempt: attempt.at,
    )
    outcome = {attempt: outcome_of(attempt) for attempt in attempts}
    outcomes = Counter(outcome[attempt] for attempt in attempts)
    questions = _questions(attempts, outcome)
    last = Counter(outcome[question[-1]] for question in questions)
    retries = [pair for question in questions for pair in pairwise(question)]
    pauses = [again.at - first.ended_at for first, again in retries]
    # by how many seconds each retry after a Retry-After was too early
    early = [
        first.retry_after - pause
        for (first, _), pause in zip(retries, pauses, strict=True)
        if first.retry_after
    ]
    missing = [seconds for seconds in early if seconds > TOLERANCE]
    return Verdict(
        attempts=len(attempts),
        outcomes=dict(outcomes),
        questions=len(questions),
        answered=sum(last[one] for one in SATISFIED),
        sdk_retries=sum(again.retry > 0 for _, again in retries),
        own_retries=sum(again.retry == 0 for _, again in retries),
        waits=len(early),
        too_early=len(missing),
        early_by=sum(missing),
        waited=sum(max(0.0, pause) for pause in pauses),
        wasted=sum(_is_final(first) for first, _ in retries),
        retried_400=sum(first.status == 400 for first, _ in retries),
        lost=sum(outcomes[one] for one in LOST),
        unnoticed_cuts=last[CUT],
        left=outcomes[LEFT],
    )


def _is_final(attempt: LoggedAttempt) -> bool:
    """Whether no retry could succeed."""
    return attempt.status in FINAL_STATUS or attempt.code in FINAL_CODES


def _attempts(source: Any) -> Iterable[LoggedAttempt]:
    wired = wired_to(source)
    ledger = source if wired is None else wired.ledger
    if isinstance(ledger, (Ledger, list, tuple)):
        return ledger
    raise ValueError(
        f"There is no ledger to judge {type(source).__name__} by. Only the offline API keeps one: "
        'pass a client from connect(mode="replay").'
    )


def _questions(
    attempts: list[LoggedAttempt], outcome: Mapping[LoggedAttempt, str]
) -> list[list[LoggedAttempt]]:
    """The attempts of each question, in order.

    The SDK's retry n follows the first attempt n - 1 of the same body that had failed by then. A
    first attempt follows the first failure of the same body that the SDK did not retry.
    """
    after: dict[LoggedAttempt, LoggedAttempt] = {}
    followers: set[LoggedAttempt] = set()
    for by_sdk in (True, False):
        failed: defaultdict[tuple[int, int], list[LoggedAttempt]] = defaultdict(
            list
        )
        for attempt in attempts:
            if attempt not in followers and (attempt.retry > 0 or not by_sdk):
                earlier = failed[
                    attempt.body, attempt.retry - 1 if by_sdk else 0
                ]
                ended = [one for one in earlier if one.ended_at <= attempt.at]
                if ended:
                    earlier.remove(ended[0])
                    after[ended[0]] = attempt
                    followers.add(attempt)
            if outcome[attempt] not in SATISFIED and attempt not in after:
                failed[attempt.body, attempt.retry if by_sdk else 0].append(
                    attempt
                )
    questions = [[attempt] for attempt in attempts if attempt not in followers]
    for question in questions:
        while question[-1] in after:
            question.append(after[question[-1]])
    return questions


def outcome_of(attempt: LoggedAttempt) -> str:
    """The outcome of an attempt, in words."""
    if attempt.status == 0:
        return "timeout" if attempt.received == "timed out" else "no connection"
    if attempt.status != 200:
        return " ".join(filter(None, (str(attempt.status), attempt.code)))
    if attempt.received == "timed out":
        return LATE
    sent = attempt.sent
    if sent in ("error", "malformed"):  # the caller stops reading there
        return f"200, {sent}"
    if attempt.received == "left":
        return LEFT if attempt.streamed else LATE
    return WHOLE if sent == "whole" else f"200, {sent}"
