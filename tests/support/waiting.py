"""Waiting until another thread, process, or task has done something, however slow the machine
is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# seconds, so long that only a hang takes them; pytest's own timeout is longer, so that this one can
# say what is missing
HANG = 120.0


def until(happened: Callable[[], object], seconds: float = HANG) -> None:
    """Wait until ``happened()`` is true. Raises AssertionError after so long a time that only a
    hang explains it.
    """
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s"
        time.sleep(0.01)


async def until_async(
    happened: Callable[[], object], seconds: float = HANG
) -> None:
    """``until`` in an event loop, which keeps running in the meantime."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s"
        await asyncio.sleep(0.001)
