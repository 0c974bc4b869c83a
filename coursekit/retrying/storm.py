"""A retry storm: many clients call a server at once, and each retries until it is served.

This is a discrete-event simulation: nothing waits, and the same seed gives the same result. The
server is the simplest one with a limit: it serves the first ``capacity`` requests in each whole
second and refuses the rest at once. Taught in 06 §7.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass, replace

from .policy import Policy

FULL_JITTER = Policy(1000, base=1, cap=32, jitter=1, deadline=None)
STRATEGIES = {
    "fixed wait of 1 s": replace(FULL_JITTER, factor=1, jitter=0),
    "exponential, no jitter": replace(FULL_JITTER, jitter=0),
    "exponential, full jitter": FULL_JITTER,
}


@dataclass(frozen=True)
class Storm:
    """What a storm did to the server.

    served   the times of the calls that were served, in seconds since the start, in order
    refused  the times of the calls that were refused
    clients, capacity  the arguments of ``storm()``
    """

    served: tuple[float, ...]
    refused: tuple[float, ...]
    clients: int
    capacity: int

    @property
    def calls(self) -> int:
        """How many calls the server had to handle."""
        return len(self.served) + len(self.refused)

    @property
    def done(self) -> float | None:
        """When the last client was served, in seconds; None if some gave up."""
        return self.served[-1] if len(self.served) == self.clients else None

    def per_second(self) -> dict[int, tuple[int, int]]:
        """Return, for each whole second with calls, how many were served and how many were refused,
        in order.
        """
        served, refused = (
            Counter(map(int, self.served)),
            Counter(map(int, self.refused)),
        )
        return {
            second: (served[second], refused[second])
            for second in sorted(served | refused)
        }


def storm(
    policy: Policy, *, clients: int = 200, capacity: int = 20, seed: int = 0
) -> Storm:
    """Simulate a storm: all clients call at second 0, and those that are refused call again as the
    policy says.

    policy    its waits, max_attempts, and deadline apply; a refusal does not have a Retry-After
    clients   how many, 1 to 10,000
    capacity  calls that the server serves in each whole second, from 1 on
    seed      the seed for the jitter

    Returns a Storm. Raises ValueError for numbers out of range.
    """
    if not 1 <= clients <= 10_000 or capacity < 1:
        raise ValueError(
            f"clients={clients}, capacity={capacity}: give 1 to 10,000 clients and a capacity "
            "of at least 1."
        )
    rng = random.Random(seed)
    # (time, client, number of the client's attempt): already a heap
    due = [(0.0, client, 1) for client in range(clients)]
    room: Counter[int] = Counter()
    served, refused = [], []
    while due:
        now, client, attempt = heapq.heappop(due)
        if room[int(now)] < capacity:
            room[int(now)] += 1
            served.append(now)
            continue
        refused.append(now)
        again = now + policy.wait(attempt, None, rng)
        if attempt < policy.max_attempts and (
            policy.deadline is None or again <= policy.deadline
        ):
            heapq.heappush(due, (again, client, attempt + 1))
    return Storm(tuple(served), tuple(refused), clients, capacity)
