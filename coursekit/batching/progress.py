"""The progress of a run: a tqdm bar if someone can see it, otherwise nothing."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from typing import Any

from ..offline.clock import ScaledClock
from ..pricing import dollars
from ..retrying import RealClock

REAL_CLOCKS = (RealClock, ScaledClock)


class ProgressBar:
    """A bar of finished requests, with their rate, the time left, and their cost.

    total    the number of requests
    resumed  how many of them an earlier run answered
    show     None: if time really passes, in a terminal or a notebook
    """

    def __init__(
        self, total: int, resumed: int, show: bool | None, clock: Any
    ) -> None:
        self._bar: Any = None
        self._failed = 0
        if _is_watched(clock) if show is None else show:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=total,
                initial=resumed,
                unit=" requests",
                dynamic_ncols=True,
            )

    @property
    def shown(self) -> bool:
        return self._bar is not None

    def over(self, failed: bool, spent: Decimal) -> None:
        """A request is over."""
        if self._bar is not None:
            self._failed += failed
            self._bar.set_postfix_str(
                dollars(spent)
                + (f", {self._failed} failed" if self._failed else ""),
                False,
            )
            self._bar.update()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _is_watched(clock: Any) -> bool:
    """Whether there is a wait to show, and someone to see it.

    On the virtual clocks of ``speed="instant"`` and of the capstone no time passes, and a bar would
    only bury what the cell prints.
    """
    if (
        not isinstance(clock, REAL_CLOCKS)
        or os.environ.get("COURSEKIT_SPEED") == "instant"
    ):
        return False
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None or sys.stderr.isatty()
