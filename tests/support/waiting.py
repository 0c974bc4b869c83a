"""Waiting for what another thread, process or task does: until it has happened, however slow the
machine is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

# seconds that only what hangs takes; pytest's own timeout is longer, so that this one says what is
# missing
HANG = 120.0


def until(happened: Callable[[], object], seconds: float = HANG) -> None:
    """Wait until ``happened()`` is true; an AssertionError when that takes longer than anything but
    a hang.
    """
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s"
        time.sleep(0.01)


async def until_async(
    happened: Callable[[], object], seconds: float = HANG
) -> None:
    """``until`` in an event loop, which goes on meanwhile."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"did not happen within {seconds:.0f} s"
        await asyncio.sleep(0.001)
