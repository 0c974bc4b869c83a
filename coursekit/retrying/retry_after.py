"""When the server says that it may be asked again. Taught in 06 §9."""

from __future__ import annotations

from ..foundation.retry_after import seconds_to_wait


def retry_after(error: BaseException | None) -> float | None:
    """Seconds (> 0) that the answer behind an error asks to wait; None when it does not say.

    error  an exception with ``.response.headers``, as the SDK's APIStatusError has; any other gives
           None
    """
    headers = getattr(getattr(error, "response", None), "headers", None)
    return None if headers is None else seconds_to_wait(headers)
