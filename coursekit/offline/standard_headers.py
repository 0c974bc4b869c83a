"""The headers of every answer of the API.

Recorded headers are unchanged; missing ones are added when an answer is served, and are never
stored. Which status has which headers is taken from real answers of 2025 and 2026. The organization
is the account's, or a made-up one. The headers of the network in front of the API (cf-*, alt-svc,
cookies) are left out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import formatdate
from functools import lru_cache

from .exchange import (
    NEVER,
    ORGANIZATION,
    ApiAnswer,
    ApiRequest,
    Layer,
    processed,
    request_id,
)

# to a page in a browser; since June 2026
EXPOSED = "X-Request-ID, CF-Ray, CF-Ray"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class StandardHeaders:
    """Adds x-request-id, date and server to every answer; to an answer of the model also version,
    processing time and organization.

    rng           source of the request ids: with the same seed, a client's ids are the same
    organization  the account's
    now           returns the time for ``date``, in seconds since 1970
    """

    def __init__(
        self,
        inner: Layer,
        rng: random.Random,
        organization: str = ORGANIZATION,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.inner, self.rng = inner, rng
        self.organization, self.now = organization, now

    def answer(self, request: ApiRequest) -> ApiAnswer:
        answer = self.inner.answer(request)
        if answer.status == 0 or answer.after == NEVER:
            return answer
        headers = {"date": _date(int(self.now()))}
        if answer.forward is None:
            headers["server"] = "cloudflare"
        if "x-request-id" not in answer.headers:
            headers["x-request-id"] = request_id(self.rng)
        if processed(answer) and answer.forward is None:
            headers |= {
                "access-control-expose-headers": EXPOSED,
                "openai-organization": self.organization,
                "openai-processing-ms": str(round(answer.after * 1000)),
                "openai-version": "2020-10-01",
            }
        return answer.with_headers({**headers, **answer.headers})
