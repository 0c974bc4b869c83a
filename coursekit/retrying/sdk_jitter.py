"""Makes the SDK's jitter repeatable, for labs and checks that show the same waits each time."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

# the whole process shares the generator, so only one user at a time
_SEEDED = threading.Lock()


@contextlib.contextmanager
def seeded_jitter(seed: int) -> Iterator[None]:
    """Seed Python's shared random generator, from which the SDK draws its jitter, and restore its
    state afterwards.
    """
    with _SEEDED:
        state = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)
