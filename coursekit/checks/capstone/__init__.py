"""The capstone in chapter 09: 200 support tickets, a hostile simulated API, and a score on five
axes.

Nothing here ever calls the real API, whatever the mode: the client is the SDK's, but the API that
answers is simulated.

Taught in 09 §1.
"""

from __future__ import annotations

from .attempt import RunEnded, ScoredRun, attempt
from .scoring import AXES, RUBRIC, Facts, points
from .tickets import Ticket, messages, tickets_of

__all__ = [
    "AXES",
    "RUBRIC",
    "Facts",
    "RunEnded",
    "ScoredRun",
    "Ticket",
    "attempt",
    "messages",
    "points",
    "tickets_of",
]
