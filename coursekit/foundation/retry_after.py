"""How long an answer asks the client to wait: Retry-After in its three forms, parsed only here.

``retry-after-ms`` takes precedence over ``retry-after``, as in the SDK (``_base_client.py``,
``_parse_retry_after_header``).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds (> 0) in the headers retry-after-ms (milliseconds) or retry-after
    (seconds, or an HTTP date).

    A date counts from the answer's own ``date`` header, so that our clock does not have to agree
    with the server's. For zero, negative, infinite, and unreadable values, the result is None,
    because they do not say how long to wait.
    """
    milliseconds = _positive(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _positive(value)
    return _until(value, headers.get("date")) if seconds is None else seconds


def _positive(text: str | None) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        number = float(text)  # type: ignore[arg-type]
        return number if 0 < number < math.inf else None
    return None


def _until(then: str | None, now: str | None) -> float | None:
    """Return the seconds between two HTTP dates (RFC 9110, 5.6.7); None if the second is not in the
    future, or if one of them is not a date.
    """
    with contextlib.suppress(TypeError, ValueError):
        seconds = (
            parsedate_to_datetime(then or "") - parsedate_to_datetime(now or "")
        ).total_seconds()
        return seconds if seconds > 0 else None
    return None
