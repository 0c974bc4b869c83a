"""The offline server for bench_batching.py. A learner's name sets the limits of their account."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from coursekit.offline.engine import OfflineApi, replaying
from coursekit.offline.exchange import ApiAnswer
from coursekit.offline.limits.account import Account
from coursekit.offline.recordings import Recordings
from coursekit.offline.server.injection import Injected
from coursekit.offline.server.room import Room
from coursekit.offline.server.running import listen, uvicorn_server
from support.offline_api import WRITTEN, request, whole

REQUESTS, LATENCY, RPM, LEFT, LOWERED_AFTER = 200, 0.2, 600, 10, 8.0
TOKENS = 150  # of a request
TPM = TOKENS * RPM
TOKEN, MODEL = "bench", "gpt-4o-mini"


class UsedAccount(Account):
    """An account that has already used this much of its minute at its first request. After
    ``lower_after`` seconds, its limit is halved.
    """

    def __init__(
        self, used: int, lower_after: float | None, **limits: Any
    ) -> None:
        super().__init__(**limits)
        self.used, self.lower_after, self.began = used, lower_after, 0.0

    def admit(
        self, model: str, tokens: int, now: float
    ) -> tuple[dict[str, str], ApiAnswer | None]:
        if not self._buckets:
            self.began = now
            for bucket, unit in zip(
                self._of(model)[1:], (1, TOKENS), strict=True
            ):
                bucket.level, bucket.at = (
                    min(self.used * unit, bucket.rate * 60),
                    now,
                )
        if self.lower_after is not None and now > self.began + self.lower_after:
            self.lower_after, self.rpm = None, (self.rpm or 0) // 2
            self._buckets.clear()
            requests = self._of(model)[1]
            requests.level, requests.at = requests.rate * 60, now
        return super().admit(model, tokens, now)


class Bench(Room):
    def _api_of(self, name: str) -> Injected:
        case = name.partition(".")[0]
        limits = (
            {"rpm": 30_000, "tpm": TPM}
            if case == "tokens"
            else {"rpm": RPM, "tpm": 10_000_000}
        )
        used = 0 if case == "fresh" else RPM - LEFT
        account = UsedAccount(
            used, LOWERED_AFTER if case == "lowered" else None, **limits
        )
        api = OfflineApi(
            replaying(self.recordings), self.clock, rate_limit=account, seed=1
        )
        return Injected(api, self.injections, name, random.Random(1))


def main() -> None:
    recordings = Recordings([Path(sys.argv[1])])
    from bench_batching import bodies

    for i, body in enumerate(bodies()):
        recordings.store(
            request(body),
            whole("A limit on how often one may ask.", LATENCY, f"req_{i}"),
            WRITTEN,
        )
    room = Bench(recordings, speed=1.0, access_token=TOKEN)
    listener = listen("127.0.0.1", 0, TOKEN)
    print(listener.getsockname()[1], flush=True)
    uvicorn_server(room, None).run(sockets=[listener])


if __name__ == "__main__":
    main()
