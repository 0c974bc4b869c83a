"""What the API says when nothing is wrong with the request: a limit is reached, or the API itself
fails.

Wording, types, codes and header sets are those of genuine answers (RPM and quota 429) or of users'
reports (TPM 429, 500, 503). All are short answers: none carries openai-processing-ms or
openai-version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..exchange import ApiAnswer, error_answer

LIMITS_PAGE = "Visit https://platform.openai.com/account/rate-limits to learn more."
HELP = "You can retry your request, or contact us through our help center at help.openai.com if"


def rate_limited(
    model: str,
    organization: str,
    unit: str,
    limit: int,
    used: int,
    requested: int,
    wait: float,
    headers: Mapping[str, str],
    per: str = "min",
) -> ApiAnswer:
    """429 rate_limit_exceeded. ``unit`` is "requests" or "tokens", ``per`` "min" or "day", ``wait``
    seconds (> 0).

    model  as the API names it here: the request's, and whose limit it is where that is another
    """
    milliseconds = max(1, math.ceil(wait * 1000 - 1e-6))
    abbreviation = f"{unit[0]}P{per[0]}".upper()
    message = (
        f"Rate limit reached for {model} in organization {organization} on {unit} per {per} "
        f"({abbreviation}): "
        f"Limit {limit}, Used {used}, Requested {requested}. Please try again in "
        f"{go_duration(milliseconds)}. "
        f"{LIMITS_PAGE}"
    )
    told = {
        "retry-after": str(math.ceil(milliseconds / 1000)),
        "retry-after-ms": str(milliseconds),
    }
    return error_answer(
        429, message, type=unit, code="rate_limit_exceeded", headers={**headers, **told}
    )


def request_too_large(
    model: str,
    organization: str,
    limit: int,
    requested: int,
    headers: Mapping[str, str],
) -> ApiAnswer:
    """429 for a request above the whole limit: no retry-after, because waiting does not help."""
    message = (
        f"Request too large for {model} in organization {organization} on tokens per min (TPM): "
        f"Limit {limit}, "
        f"Requested {requested}. The input or output tokens must be reduced in order to run "
        f"successfully. {LIMITS_PAGE}"
    )
    return error_answer(
        429, message, type="tokens", code="rate_limit_exceeded", headers=dict(headers)
    )


def insufficient_quota() -> ApiAnswer:
    """429 insufficient_quota: nothing left to spend. No rate-limit headers, no retry-after."""
    return error_answer(
        429,
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this "
        "error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        type="insufficient_quota",
        code="insufficient_quota",
    )


def server_error(request_id: str, retry_after: float | None = None) -> ApiAnswer:
    """500 server_error; the message repeats the request id."""
    message = (
        f"The server had an error processing your request. Sorry about that! {HELP} you keep "
        "seeing this error. "
        f"(Please include the request ID {request_id} in your email.)"
    )
    return error_answer(
        500,
        message,
        type="server_error",
        headers={"x-request-id": request_id, **_after(retry_after)},
    )


def overloaded(request_id: str, retry_after: float | None = None) -> ApiAnswer:
    """503: the model is overloaded; the message repeats the request id."""
    message = (
        f"That model is currently overloaded with other requests. {HELP} the error persists. "
        f"(Please include the request ID {request_id} in your message.)"
    )
    return error_answer(
        503,
        message,
        type="server_error",
        headers={"x-request-id": request_id, **_after(retry_after)},
    )


def stream_error() -> dict[str, object]:
    """The body of the event that reports an error in mid-stream, after a 200."""
    message = "The server had an error while processing your request. Sorry about that!"
    return {
        "error": {
            "message": message,
            "type": "server_error",
            "param": None,
            "code": None,
        }
    }


def go_duration(milliseconds: int) -> str:
    """A time as Go prints it, which is how the API does: 0s, 120ms, 8.64s, 1m26.4s, 6m0s,
    1h2m3.4s.
    """
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest // 1000}.{rest % 1000:03}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    return (
        (f"{hours}h" if hours else "")
        + (f"{minutes}m" if hours or minutes else "")
        + seconds
    )


def _after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"retry-after": f"{seconds:g}"}
