"""The headers that every answer of the API carries, added to what the offline API says itself.

What was recorded stays as it is; what its recording lacks is added when it is served, and never
stored. Which status carries which header is taken from genuine answers of 2025 and 2026. The
organization is the account's, or a made-up one. Left out is what the network in front of the API
adds: cf-*, alt-svc, cookies.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from email.utils import formatdate

from .exchange import NEVER, ApiAnswer, ApiRequest, Layer

ORGANIZATION = "org-offline"
EXPOSED = "X-Request-ID, CF-Ray, CF-Ray"  # what a page in a browser may read: so since June 2026


def request_id(rng: random.Random) -> str:
    return f"req_{rng.getrandbits(128):032x}"


def processed(answer: ApiAnswer) -> bool:
    """Whether the answer comes from the model's side of the API; the others are turned away before.

    So do 200 and 400, and the 404 for a model of another endpoint, whose body is written as theirs
    are.
    """
    return (
        answer.status in (200, 400)
        or answer.headers.get("content-type") == "application/json"
    )


class StandardHeaders:
    """x-request-id, date and server on every answer; the model's side adds its version, time and
    organization.

    rng           makes the request ids, so that the same requests of a client get the same ids each
                  time
    organization  whose API it is
    now           the seconds since 1970 that ``date`` is made of
    """

    def __init__(
        self,
        inner: Layer,
        rng: random.Random,
        organization: str = ORGANIZATION,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.inner, self.rng, self.organization, self.now = (
            inner,
            rng,
            organization,
            now,
        )

    def answer(self, request: ApiRequest) -> ApiAnswer:
        answer = self.inner.answer(request)
        if answer.status == 0 or answer.after == NEVER:
            return answer
        headers = {"date": formatdate(self.now(), usegmt=True)}
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
