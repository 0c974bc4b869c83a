"""Many requests: under two budgets, with results as values, resumable.

requests.py    what a request is        results.py     what became of it
run.py         run_batch                completions.py the tutorial's function
pacing.py      when the next may go     checkpoint.py  answers on disk
spending.py    the cap                  progress.py    the bar
"""

from .checkpoint import CheckpointError
from .completions import batch_completions
from .requests import Request, as_requests
from .results import BatchCancelled, NotSent, Result, Results, Unanswered
from .run import run_batch

__all__ = [
    "BatchCancelled",
    "CheckpointError",
    "NotSent",
    "Request",
    "Result",
    "Results",
    "Unanswered",
    "as_requests",
    "batch_completions",
    "run_batch",
]
