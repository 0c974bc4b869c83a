"""Many requests: under two budgets, with results as values, resumable.

requests.py    what a request is        results.py     the outcome of each
run.py         run_batch                dispatch.py    what to send next
pacing.py      when to send it           checkpoint.py  answers on disk
spending.py    the cap                  progress.py    the bar
completions.py a function of many tutorials
batch_api.py   the same list through OpenAI's Batch API

Taught in 05 §6 and §9.
"""

from .batch_api import BatchFailed, collect_batch, submit_batch
from .checkpoint import CheckpointError
from .completions import batch_completions
from .requests import Request, as_requests
from .results import NotSent, Result, Results, Unanswered
from .run import run_batch

__all__ = [
    "BatchFailed",
    "CheckpointError",
    "NotSent",
    "Request",
    "Result",
    "Results",
    "Unanswered",
    "as_requests",
    "batch_completions",
    "collect_batch",
    "run_batch",
    "submit_batch",
]
