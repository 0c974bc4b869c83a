"""The offline API: it answers the real SDK from recordings, refuses as the real API does, and fails
on request.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .account import Account
    from .faults import Fault
    from .verdict import Verdict, verdict_on

_HOME = {
    "Account": "account",
    "Fault": "faults",
    "Verdict": "verdict",
    "verdict_on": "verdict",
}
__all__ = ["Account", "Fault", "Verdict", "verdict_on"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'coursekit.offline' has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value
