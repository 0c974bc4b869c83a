"""Which errors to retry, and when.

    classify.py     retry, fix or stop             policy.py      how often, how long to wait
    attempts.py     the loop, sync and async       completion.py  a function from many tutorials
    storm.py       what many clients do to an overloaded server
    sdk_jitter.py  the SDK's waits, made repeatable

Nothing here imports the SDK: errors are classified by their attributes.

Taught in 06 §3 and §9.
"""

from ..wired import Clock
from .attempts import Attempt, RealClock, clock_of, retry, retry_async
from .classify import Action, Decision, classify
from .completion import UnusableReply, robust_completion, whole_text
from .policy import Policy, retry_after

__all__ = [
    "Action",
    "Attempt",
    "Clock",
    "Decision",
    "Policy",
    "RealClock",
    "UnusableReply",
    "classify",
    "clock_of",
    "retry",
    "retry_after",
    "retry_async",
    "robust_completion",
    "whole_text",
]
