"""A verdict on the client: how it took errors, waits and broken answers, judged from the server's
side.

What a server sees are attempts, not a program, so some things it cannot know:
  - Attempts belong together when their request bodies are equal. Of these, the SDK's own retries
    follow its header
    x-stainless-retry-count; a first attempt after one that failed counts as the program's asking
      again. A
    program that asks the same question twice for another reason looks the same.
  - A question that was changed before it was asked again is a new question, and the old one stays
    unanswered.
  - Whether the program noticed that a stream was cut shows only if it asked again. If not, it may
    also have
    shown the text as partial.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from ...wired import wired_to
from .ledger import Attempt, Ledger

FINAL_STATUS = (400, 401, 403, 404, 422)
# 429s that no wait cures
FINAL_CODES = ("insufficient_quota", "request_too_large")
WHOLE, LEFT, CUT, LATE = "200", "200, left", "200, cut", "200, too late for the caller"
SATISFIED = (WHOLE, LEFT)
LOST = (LATE, "200, broken", "200, malformed")
TOLERANCE = 0.0015  # seconds; Retry-After-Ms is in whole milliseconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the attempts of one or more clients show. Times are seconds.

    attempts       requests on the wire; ``outcomes`` counts them by what they met: "200", "429
                   rate_limit_exceeded", …
    questions      different requests, retries not counted
    answered       questions that got a whole answer, or were left by the caller mid-stream
    sdk_retries    attempts by which the SDK asked again
    own_retries    attempts by which the program asked the same again after a failure
    waits          answers with a Retry-After after which the same was asked again
    too_early      of these, asked again before that time was over; ``early_by`` is the sum of the
                   missing seconds
    waited         seconds between failures and the attempts that followed, all together (not in the
                   text: the SDK's back-off is drawn by lot)
    wasted         retries after an error that asking again cannot mend (400, 401, 403, 404, 422, no
                   quota, too large)
    retried_400    of these, after a 400
    lost           answers that were made, and billed, but not received whole: the connection broke,
                   the caller's timeout came first, or what arrived was malformed
    unnoticed_cuts streams that ended in good order before they were done, and were not asked for
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
        """Whether every question was answered, and nothing was wasted, lost, hurried or taken for
        whole.
        """
        faults = self.wasted + self.too_early + self.lost + self.unnoticed_cuts
        return faults == 0 and self.answered == self.questions

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for a grade book or JSON."""
        return {**asdict(self), "good": self.good}

    def __str__(self) -> str:
        met = ", ".join(
            f"{count} x {outcome}" for outcome, count in self.outcomes.items()
        )
        lines = [
            f"Verdict on the client: {'good' if self.good else 'there is something to mend'}",
            f"  questions answered   {self.answered} of {self.questions}",
            f"  attempts             {self.attempts}" + (f" ({met})" if met else ""),
            (
                f"  retries              {self.sdk_retries} by the SDK, {self.own_retries} by the "
                "program"
            ),
        ]
        told = [
            (
                self.too_early,
                (
                    f"of {self.waits} waits cut short, by {self.early_by:.1f} s: wait for "
                    "Retry-After"
                ),
            ),
            (
                self.wasted,
                (
                    "retries wasted: a wrong request or an empty account stays so; raise the "
                    "error at "
                    "once"
                ),
            ),
            (self.retried_400, "of these after a 400: mend the request instead"),
            (
                self.lost,
                (
                    "answers made and billed, but lost on the way: allow more time, or stream and "
                    "keep what came"
                ),
            ),
            (
                self.unnoticed_cuts,
                (
                    "cut streams not asked for again: no finish_reason means it is not the whole "
                    "answer"
                ),
            ),
            (self.left, "streams left before their end"),
        ]
        return "\n".join(
            lines + [f"  {count:<3} {what}" for count, what in told if count]
        )


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
    met = {id(attempt): outcome_of(attempt) for attempt in attempts}
    questions = _questions(attempts, met)
    pairs = [
        (earlier, later)
        for question in questions
        for earlier, later in pairwise(question)
    ]
    waits = [pair for pair in pairs if pair[0].retry_after]
    missing = [
        (earlier.retry_after or 0.0) - (later.at - earlier.ended_at)
        for earlier, later in waits
    ]
    short = [seconds for seconds in missing if seconds > TOLERANCE]
    outcomes = Counter(met[id(attempt)] for attempt in attempts)
    return Verdict(
        attempts=len(attempts),
        outcomes=dict(outcomes),
        questions=len(questions),
        answered=sum(met[id(question[-1])] in SATISFIED for question in questions),
        sdk_retries=sum(later.retry > 0 for _, later in pairs),
        own_retries=sum(later.retry == 0 for _, later in pairs),
        waits=len(waits),
        too_early=len(short),
        early_by=sum(short),
        waited=sum(max(0.0, later.at - earlier.ended_at) for earlier, later in pairs),
        wasted=sum(
            earlier.status in FINAL_STATUS or earlier.code in FINAL_CODES
            for earlier, _ in pairs
        ),
        retried_400=sum(earlier.status == 400 for earlier, _ in pairs),
        lost=sum(outcomes[outcome] for outcome in LOST),
        unnoticed_cuts=sum(met[id(question[-1])] == CUT for question in questions),
        left=outcomes[LEFT],
    )


def _attempts(source: Any) -> Iterable[Attempt]:
    wired = wired_to(source)
    ledger = source if wired is None else wired.ledger
    if isinstance(ledger, (Ledger, list, tuple)):
        return ledger
    raise ValueError(
        f"There is no ledger to judge {type(source).__name__} by. Only the offline API keeps one: "
        'give a client of connect(mode="replay").'
    )


def _questions(attempts: list[Attempt], met: dict[int, str]) -> list[list[Attempt]]:
    """The attempts of each question, in order. The SDK's retry n follows the first attempt n - 1 of
    the same body that had failed by then; of the failures that the SDK left, a first attempt of the
    same body follows the first."""
    after: dict[int, Attempt] = {}  # by id: the attempt that follows
    followers: set[int] = set()
    for by_sdk in (True, False):
        failed: defaultdict[tuple[int, int], list[Attempt]] = defaultdict(list)
        for attempt in attempts:
            if id(attempt) not in followers and (attempt.retry > 0 or not by_sdk):
                waiting = failed[attempt.body, attempt.retry - 1 if by_sdk else 0]
                earlier = next(
                    (one for one in waiting if one.ended_at <= attempt.at), None
                )
                if earlier is not None:
                    waiting.remove(earlier)
                    after[id(earlier)] = attempt
                    followers.add(id(attempt))
            if met[id(attempt)] not in SATISFIED and id(attempt) not in after:
                failed[attempt.body, attempt.retry if by_sdk else 0].append(attempt)
    questions = [[attempt] for attempt in attempts if id(attempt) not in followers]
    for question in questions:
        while id(question[-1]) in after:
            question.append(after[id(question[-1])])
    return questions


def outcome_of(attempt: Attempt) -> str:
    """What the attempt met, in words."""
    if attempt.status == 0:
        return "timeout" if attempt.received == "timed out" else "no connection"
    if attempt.status != 200:
        return (
            f"{attempt.status} {attempt.code}" if attempt.code else str(attempt.status)
        )
    if attempt.received == "timed out":
        return LATE
    sent = attempt.sent
    if sent in ("error", "malformed"):  # at which the caller stops reading
        return f"200, {sent}"
    if attempt.received == "left":
        return LEFT if attempt.streamed else LATE
    return WHOLE if sent == "whole" else f"200, {sent}"
