"""What the API says when nothing is wrong with the request: a limit is reached, or the API itself
fails.

All are short answers: none carries openai-processing-ms or openai-version. Their words are in
data/refusals.toml.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..exchange import ApiAnswer
from ..rules.refusals import kinds, refuse

TINY = 1e-6  # seconds: what is left over by floating point


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
    """429 rate_limit_exceeded.

    model  as the API names it here: the request's model and, if its limit is another's, that one
    unit   "requests" or "tokens"
    wait   seconds until the request fits, > 0
    per    "min" or "day"
    """
    milliseconds = max(1, math.ceil(wait * 1000 - TINY))
    retry = {
        "retry-after": str(math.ceil(milliseconds / 1000)),
        "retry-after-ms": str(milliseconds),
    }
    return refuse(
        "rate_limited",
        {**headers, **retry},
        model=model,
        organization=organization,
        unit=unit,
        per=per,
        short=f"{unit[0]}P{per[0]}".upper(),
        limit=limit,
        used=used,
        requested=requested,
        wait=go_duration(milliseconds),
    )


def request_too_large(
    model: str,
    organization: str,
    limit: int,
    requested: int,
    headers: Mapping[str, str],
) -> ApiAnswer:
    """429 for a request that exceeds the limit by itself: no retry-after, because waiting does not
    help.
    """
    given = {
        "organization": organization,
        "limit": limit,
        "requested": requested,
    }
    return refuse("request_too_large", headers, model=model, **given)


def insufficient_quota() -> ApiAnswer:
    """429 insufficient_quota: nothing left to spend. No rate-limit headers, no retry-after."""
    return refuse("insufficient_quota")


def failure(
    kind: str, request_id: str, retry_after: float | None = None
) -> ApiAnswer:
    """A 500 ("server_error") or 503 ("overloaded"); the message repeats the request id."""
    headers = {"x-request-id": request_id}
    if retry_after is not None:
        headers["retry-after"] = f"{retry_after:g}"
    return refuse(kind, headers, request_id=request_id)


def stream_error() -> dict[str, object]:
    """The body of the event that reports an error mid-stream, after a 200."""
    kind = kinds()["stream_error"]
    error = {"message": kind["message"], "type": kind["type"], "param": None}
    return {"error": {**error, "code": None}}


def go_duration(milliseconds: int) -> str:
    """A time as Go prints it, which is how the API does: 0s, 120ms, 8.64s, 1m26.4s, 1h2m3.4s."""
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest // 1000}.{rest % 1000:03}".rstrip("0").rstrip(".") + "s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds
