"""How long an answer asks to wait: Retry-After in its three spellings, read in this one place.

``retry-after-ms`` takes precedence over ``retry-after``, as in the SDK (``_base_client.py``,
``_parse_retry_after_header``).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds (> 0) of the headers retry-after-ms (milliseconds) or retry-after (seconds, or an
    HTTP date).

    A date counts from the answer's own ``date`` header, so that no clock of ours has to agree with
    the server's. Zero, negative, infinite and unreadable values are None: they do not say how
    long to wait.
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
    """Seconds between two HTTP dates (RFC 9110, 5.6.7); None if that is not in the future, or one
    is not a date.
    """
    with contextlib.suppress(TypeError, ValueError):
        seconds = (
            parsedate_to_datetime(then or "") - parsedate_to_datetime(now or "")
        ).total_seconds()
        return seconds if seconds > 0 else None
    return None
