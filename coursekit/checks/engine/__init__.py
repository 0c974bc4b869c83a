"""The engine for the checks: what a case is, how a learner's code is run and judged, and how the
result is shown.

In a check, ``exercise`` makes the cases, ``running`` runs each of them, ``case`` compares, and
``result`` shows the outcome. ``answers`` and ``script`` create what a learner's function receives:
the SDK's objects, and a client with a scripted API.
"""

from __future__ import annotations

from .case import (
    Case,
    Function,
    Matching,
    Once,
    Raises,
    call,
    exactly,
    fits,
    unchanged,
)
from .exercise import Chapter, Exercise

__all__ = [
    "Case",
    "Chapter",
    "Exercise",
    "Function",
    "Matching",
    "Once",
    "Raises",
    "call",
    "exactly",
    "fits",
    "unchanged",
]
