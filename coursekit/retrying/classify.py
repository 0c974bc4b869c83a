"""Which errors to retry, which to fix in the request, and which to stop for.

Errors are judged by what they carry (``status_code``, ``code``, the response's headers) and, where
there is no status, by the names of their classes: so nothing here needs the SDK, and an error of a
worker process or of another OpenAI-compatible library is also judged. The order of the questions is
the order of the code.

Taught in 06 §3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["retry", "fix", "stop"]

# 429 by status, and yet no wait helps: the money is gone, or a spending cap is reached.
# (credit_balance_exhausted: seen since 2026; the three of caps:
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
# and all from 500 on: the SDK's own list (_base_client.py, _should_retry)
RETRIED = (
    408,
    409,
    429,
)
# httpx2's names of what happens before the request
NEVER_SENT = (
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
)

ADVICE = {
    400: "Correct the request; the message says what is wrong with it.",
    404: "Correct the model's name, or choose a model that this key may use.",
    413: "Send less: the body is too large.",
    422: "Correct the request; its form is right, its content is not.",
    "context_length_exceeded": "Shorten the conversation, or choose a model with a larger context.",
    "unsupported_parameter": "Leave the parameter out: this model does not take it.",
    "unsupported_value": (
        "Change the value, or leave the parameter out: this model does not take it."
    ),
}
STOP = {
    401: (
        "The key is missing or wrong.",
        "Check OPENAI_API_KEY. No further request will fare better.",
    ),
    402: ("Payment is required.", "Check the account's billing."),
    403: (
        "This key or country has no access.",
        "Check the project's permissions. No further request will fare better.",
    ),
}
AGAIN = {
    408: "The server gave up waiting for the request.",
    409: "The request collided with another one.",
    429: "Over the limit of requests or tokens per minute.",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about an error.

    action  "retry"  the same request may succeed later
            "fix"    this request will never succeed, but others may: go on with the next
            "stop"   no request will succeed until a person has done something: send nothing more
    reason  what happened, one sentence
    advice  what to do next, one sentence
    billed  whether the API may have made an answer, and billed it, that did not arrive: a retry may
            pay twice
    """

    action: Action
    reason: str
    advice: str
    billed: bool = False


def classify(error: BaseException) -> Decision:
    """What to do about an error that an API call raised.

    error  of the SDK (openai.APIError and below); of json, when an answer was not JSON;
           RecordingNotFound; or any other exception, which counts as a bug in the program ("fix")

    Returns a Decision. Raises nothing.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    names_of_error = [
        str(name)
        for name in (getattr(error, "code", None), getattr(error, "type", None))
        if name
    ]
    code = names_of_error[0] if names_of_error else ""
    if any(name in OUT_OF_MONEY for name in names_of_error):
        return Decision(
            "stop",
            "The account has no money left.",
            "Add credits or raise the limit; waiting does not help.",
        )
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return _of_status(status, code, error)
    if "APIConnectionError" in names:
        return _of_connection(error, timeout="APITimeoutError" in names)
    # no status: an error event in a stream that had begun with 200
    if "APIError" in names:
        if code == "invalid_request_error":
            return Decision(
                "fix", "The stream reported an invalid request.", ADVICE[400]
            )
        return Decision(
            "retry",
            "The API failed mid-stream.",
            "Ask again from the start.",
            billed=True,
        )
    if "IncompleteStream" in names:
        return Decision(
            "retry",
            "The stream was cut before its end.",
            "Ask again from the start.",
            billed=True,
        )
    if isinstance(error, ValueError) and names & {
        "JSONDecodeError",
        "UnicodeDecodeError",
    }:
        return Decision(
            "retry", "The answer arrived broken.", "Ask again.", billed=True
        )
    return _of_program(error, names)


def _of_status(status: int, code: str, error: Any) -> Decision:
    if status < 400:
        return Decision(
            "fix",
            f"Status {status}, but not an answer from the API.",
            "Check what is running at base_url.",
        )
    if status in STOP:
        return Decision("stop", *STOP[status])
    if status == 429 and "Request too large" in str(error):
        return Decision(
            "fix",
            "This one request is above the limit of a whole minute.",
            "Make it smaller.",
        )
    ordered = getattr(getattr(error, "response", None), "headers", {}).get(
        "x-should-retry", ""
    )
    if ordered == "false":
        return Decision(
            "fix",
            f"Status {status}, and the server says not to ask again.",
            "Read the message.",
        )
    if status in RETRIED or status >= 500 or ordered == "true":
        reason = AGAIN.get(status, f"The server failed (status {status}).")
        return Decision(
            "retry",
            reason,
            "Wait as long as Retry-After says, else back off, then ask again.",
        )
    advice = ADVICE.get(code) or ADVICE.get(status) or ADVICE[400]
    return Decision(
        "fix",
        f"The request is wrong (status {status}{f', {code}' if code else ''}).",
        advice,
    )


def _of_connection(error: BaseException, *, timeout: bool) -> Decision:
    sent = type(error.__cause__).__name__ not in NEVER_SENT
    if timeout and sent:
        return Decision(
            "retry",
            "No answer within the timeout.",
            "Ask again, or allow more time.",
            billed=True,
        )
    reason = "The connection broke." if sent else "No connection."
    return Decision("retry", reason, "Back off, then ask again.", billed=sent)


def _of_program(error: BaseException, names: set[str]) -> Decision:
    if "LengthFinishReasonError" in names:
        return Decision(
            "fix",
            "The answer was cut at max_completion_tokens.",
            "Allow more tokens.",
            billed=True,
        )
    if "ContentFilterFinishReasonError" in names:
        return Decision(
            "fix",
            "The content filter stopped the answer.",
            "Change the request.",
            billed=True,
        )
    if "UnusableReply" in names:
        return Decision(
            "fix",
            "The API answered, but not with a whole text.",
            "Change the request.",
            billed=True,
        )
    if "RecordingNotFound" in names:
        return Decision(
            "fix",
            "Nothing is recorded for this request.",
            "Ask what was recorded, or ask the real API.",
        )
    # Python's own, of asyncio.timeout(): no error of the SDK
    if isinstance(error, TimeoutError):
        return Decision(
            "fix",
            "Your own time limit ran out.",
            "Allow more time.",
            billed=True,
        )
    if "OpenAIError" in names:
        return Decision(
            "fix",
            "The client is not set up correctly.",
            "Read the message; nothing was sent.",
        )
    return Decision(
        "fix",
        f"{type(error).__name__}: not an error from the API.",
        "Correct the program.",
    )
