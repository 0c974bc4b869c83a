"""The engine of the checks: what a case is, how a learner's code is run and judged, and how the
result is shown.

The way of one check: ``exercise`` makes the cases, ``running`` runs each of them, ``case``
compares, ``result`` shows.
``answers`` and ``script`` make what a learner's function is given: the SDK's objects, and a client
with a scripted API.
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
