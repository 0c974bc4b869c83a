"""The offline API: it answers the real SDK from recordings, refuses as the real API does, and fails
on request.

Taught in 06 §1.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .faults import Fault
    from .limits.account import Account
    from .watched.verdict import Verdict, verdict_on

_HOME = {
    "Account": "limits.account",
    "Fault": "faults",
    "Verdict": "watched.verdict",
    "verdict_on": "watched.verdict",
}
__all__ = ["Account", "Fault", "Verdict", "verdict_on"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(
            f"module 'coursekit.offline' has no attribute {name!r}"
        )
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
