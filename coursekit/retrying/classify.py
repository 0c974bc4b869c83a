"""Decides which errors to retry, which to fix in the request, and which to stop for.

Errors are classified by their attributes (``status_code``, ``code``, the response's headers) and,
if there is no status, by the names of their classes. So nothing here needs the SDK, and errors from
a worker process or from another OpenAI-compatible library are classified as well. The conditions
are checked in the order of the code. Taught in 06 §3.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

Action = Literal["retry", "fix", "stop"]

# These have status 429, but waiting does not help: the money is gone, or a spending cap is reached.
# (credit_balance_exhausted: seen since 2026; the three codes for caps:
# help.openai.com/en/articles/6614457, 2026-11; billing_not_active: 2025-06.)
OUT_OF_MONEY = (
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "credit_balance_exhausted",
    "project_spend_limit_exceeded",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)
# and 500 or higher: the SDK's own list (_base_client.py, _should_retry)
RETRIED = (
    408,
    409,
    429,
)
# httpx2's names for errors before the request is sent
NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
)

# more specific than the general advice, by an error's code or status
ADVICE = {
    404: "Correct the model's name, or choose a model that this key may use.",
    413: "Send less data: the body is too large.",
    422: "Correct the request: its form is valid, but its content is not.",
    "context_length_exceeded": "Shorten the conversation, or choose a model with a larger context.",
    "unsupported_parameter": "Leave the parameter out: this model does not accept it.",
    "unsupported_value": (
        "Change the value, or leave the parameter out: this model does not accept it."
    ),
}
TABLE = Path(__file__).parents[1] / "data" / "decisions.toml"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about an error.

    action  "retry"  the same request may succeed later
            "fix"    this request will never succeed, but others may: continue with the next one
            "stop"   no request will succeed until a person has done something: send nothing more
    reason  what happened, in one sentence
    advice  what to do next, in one sentence
    billed  whether the API may have produced and billed an answer that did not arrive, so that a
            retry may be charged twice
    """

    action: Action
    reason: str
    advice: str
    billed: bool = False


def classify(error: BaseException) -> Decision:
    """Decide what to do about an error that an API call raised.

    error  an SDK error (openai.APIError and its subclasses); a json error, if an answer was not
           JSON; RecordingNotFound; or any other exception, which counts as a bug in the program
           ("fix")

    Returns a Decision. Raises nothing.
    """
    names = [kind.__name__ for kind in type(error).__mro__]
    codes = [getattr(error, name, None) for name in ("code", "type")]
    code = str(codes[0] or codes[1] or "")
    status = getattr(error, "status_code", None)
    if any(code in OUT_OF_MONEY for code in codes):
        kind = "out_of_money"
    elif isinstance(status, int):
        kind = _of_status(status, error)
    elif "APIConnectionError" in names:
        kind = _of_connection(error, timeout="APITimeoutError" in names)
    elif "APIError" in names:
        # no status: an error event in a stream that began with 200
        invalid = code == "invalid_request_error"
        kind = "invalid_request_event" if invalid else "error_event"
    else:
        kind = next(name for name in names if name in decisions())
    decision = decisions()[kind]
    if kind == "wrong_request":
        advice = ADVICE.get(code) or ADVICE.get(status) or decision.advice
        decision = replace(decision, advice=advice)
        code = f", {code}" if code else ""
    if "{" in decision.reason:
        facts = {"status": status, "code": code, "name": names[0]}
        decision = replace(decision, reason=decision.reason.format(**facts))
    return decision


def _of_status(status: int, error: Any) -> str:
    if status < 400:
        return "not_the_api"
    named = decisions().get(str(status))
    if named is not None and named.action == "stop":
        return str(status)
    if status == 429 and "Request too large" in str(error):
        return "too_large"
    response = getattr(error, "response", None)
    again = getattr(response, "headers", {}).get("x-should-retry")
    if again == "false":
        return "not_again"
    if status in RETRIED or status >= 500 or again == "true":
        return "server_failed" if named is None else str(status)
    return "wrong_request"


def _of_connection(error: BaseException, *, timeout: bool) -> str:
    if type(error.__cause__).__name__ in NEVER_SENT:
        return "no_connection"
    return "timeout" if timeout else "broken_connection"


@cache
def decisions() -> dict[str, Decision]:
    """Return the table in data/decisions.toml: a kind of error -> what to do about it."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {kind: Decision(**fields) for kind, fields in table.items()}
