"""The rubric: five axes of 20 points each, calculated from a run's facts. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ...pricing import dollars

ANSWERED, SPEND, TIME, WASTE, TRUNCATION = AXES = (
    "answered",
    "spend",
    "time",
    "wasted retries",
    "silent truncation",
)
POINTS = 20.0  # for each axis
# seconds: all points up to the first, none from the second on
FAST, SLOW = 15.0, 180.0
PER_WASTED = 5.0  # wasted requests cost a point
PER_TRUNCATED = 2.0  # points are lost for each incomplete answer that is passed off as complete
HONEST = Decimal("0.10")  # a report may be wrong by this share of the bill

RUBRIC = (
    (
        ANSWERED,
        "20 × a, where a = complete answers / tickets. All other axes are also multiplied by a.",
    ),
    (
        SPEND,
        "20 × the share of the budget that is left; half of that if the report is over 10% off.",
    ),
    (TIME, f"20 for up to {FAST:g} s, falling evenly to 0 at {SLOW:g} s."),
    (
        WASTE,
        f"20, minus 1 for every {PER_WASTED:g} requests that could not have helped.",
    ),
    (
        TRUNCATION,
        f"20, minus {PER_TRUNCATED:g} for each incomplete text delivered as an answer.",
    ),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a run.

    tickets    how many there were, 1 or more
    answered   how many of them have a complete answer that the API gave in this run
    truncated  delivered texts that are not complete answers; None instead of text is honest and
               costs nothing here
    spent      dollars on the account's bill; ``reported``: dollars in the program's own report
    seconds    of virtual time
    wasted     requests that could not help, by reason; ``requests``: all of them
    """

    tickets: int
    answered: int
    truncated: int
    spent: Decimal
    reported: Decimal
    budget: Decimal
    seconds: float
    requests: int
    wasted: Mapping[str, int] = field(default_factory=dict)

    @property
    def report_holds(self) -> bool:
        """Whether the report differs from the bill by at most a tenth of it."""
        return abs(self.reported - self.spent) <= HONEST * self.spent


def points(facts: Facts) -> dict[str, float]:
    """Return the points for each axis, 0 to 20, according to the rubric."""
    share = facts.answered / facts.tickets
    left = max(0.0, float(1 - facts.spent / facts.budget))
    full = {
        ANSWERED: POINTS,
        SPEND: POINTS * left * (1.0 if facts.report_holds else 0.5),
        TIME: POINTS
        * min(1.0, max(0.0, (SLOW - facts.seconds) / (SLOW - FAST))),
        WASTE: max(0.0, POINTS - sum(facts.wasted.values()) / PER_WASTED),
        TRUNCATION: max(0.0, POINTS - PER_TRUNCATED * facts.truncated),
    }
    return {axis: share * most for axis, most in full.items()}


def reasons(facts: Facts) -> dict[str, str]:
    """Return the reasons for the points on each axis, in a few words."""
    bill = f"{dollars(facts.spent)} of {dollars(facts.budget)}"
    waste = [f"{count} {reason}" for reason, count in facts.wasted.items()]
    return {
        ANSWERED: f"{facts.answered} of {facts.tickets} tickets",
        SPEND: (
            bill
            if facts.report_holds
            else f"{bill}; your report says {dollars(facts.reported)}"
        ),
        TIME: f"{facts.seconds:,.0f} s",
        WASTE: (
            f"{counted(facts.requests, 'request')}, "
            + ("; ".join(waste) if waste else "none wasted")
        ),
        TRUNCATION: f"{counted(facts.truncated, 'incomplete text')} delivered",
    }


def counted(number: int, what: str) -> str:
    """Return a number with its noun: "1 request", "2,000 requests"."""
    return f"{number:,} {what}{'s'[: number != 1]}"
