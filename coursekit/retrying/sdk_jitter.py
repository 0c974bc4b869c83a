"""The SDK's jitter made repeatable, for labs and checks that show the same waits each time."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

# the generator is shared by the whole process: one user at a time
_SEEDED = threading.Lock()


@contextlib.contextmanager
def seeded_jitter(seed: int) -> Iterator[None]:
    """The SDK draws its jitter from Python's shared generator: seed it for a while, then restore
    its state.
    """
    with _SEEDED:
        state = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
