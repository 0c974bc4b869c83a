"""The load client for bench_server: reads many streams over raw sockets, and records when each
chunk arrives.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field

MARK = b"data: "


@dataclass(slots=True)
class Arrivals:
    """One stream as the client saw it: when it was requested, (time, number of events) for each
    read, and how it ended.
    """

    sent: float = 0.0
    reads: list[tuple[float, int]] = field(default_factory=list)
    whole: bool = False


class StreamClient(asyncio.Protocol):
    """Send one request and record the arrival time of every event."""

    def __init__(self, request: bytes, ended: asyncio.Future[None]) -> None:
        self.request, self.ended, self.seen = request, ended, Arrivals()
        self.tail = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.seen.sent = time.perf_counter()
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        count = data.count(MARK)
        if count:
            self.seen.reads.append((now, count))
        self.tail = (self.tail + data)[-5:]
        if self.tail == b"0\r\n\r\n":
            self.seen.whole = True
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def streams(
    port: int, request: bytes, count: int, within: float
) -> list[Arrivals]:
    """Read ``count`` concurrent streams that begin at random moments ``within`` this number of
    seconds.
    """
    loop, rng = asyncio.get_running_loop(), random.Random(1)
    starts = [rng.random() * within for _ in range(count)]

    async def one(start: float) -> Arrivals:
        await asyncio.sleep(start)
        ended: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(
            lambda: StreamClient(request, ended), "127.0.0.1", port
        )
        await asyncio.wait_for(ended, 120)
        return client.seen

    return await asyncio.gather(*[one(start) for start in starts])


def lateness(seen: Arrivals, offsets: list[float]) -> list[float]:
    """The number of seconds by which each event was late, measured from when the request was
    sent.
    """
    late, place = [], 0
    for at, count in seen.reads:
        late += [
            at - seen.sent - offset for offset in offsets[place : place + count]
        ]
        place += count
    return late


def stretch(seen: Arrivals, offsets: list[float]) -> float:
    """The measured time from the first event to the last, divided by the scheduled time."""
    return (seen.reads[-1][0] - seen.reads[0][0]) / (offsets[-1] - offsets[0])


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[
        round(share * 1000) - 1
    ]
