"""The headers that every answer of the API carries, added to what the offline API says itself.

What was recorded stays as it is, unless it has no request id. Which status carries which header is taken from genuine
answers. Left out are those of the network in front of the API (date, server, cf-*, alt-svc, cookies) and the caller's
own organization.
"""

from __future__ import annotations

import random
from dataclasses import replace

from .exchange import NEVER, ApiAnswer, ApiRequest, Layer

PROCESSED = (200, 400)  # the answers that come from the model's side of the API; the others are turned away before


def request_id(rng: random.Random) -> str:
    return f"req_{rng.getrandbits(128):032x}"


class StandardHeaders:
    """x-request-id on every answer; openai-version and openai-processing-ms on those that were processed, too.

    rng  makes the request ids, so that the same requests of a client get the same ids each time
    """

    def __init__(self, inner: Layer, rng: random.Random) -> None:
        self.inner, self.rng = inner, rng

    def answer(self, request: ApiRequest) -> ApiAnswer:
        answer = self.inner.answer(request)
        if "x-request-id" in answer.headers or answer.status == 0 or answer.after == NEVER:
            return answer
        headers = {"x-request-id": request_id(self.rng)}
        if answer.status in PROCESSED and answer.forward is None:
            headers |= {"openai-version": "2020-10-01", "openai-processing-ms": str(round(answer.after * 1000))}
        return replace(answer, headers={**headers, **answer.headers})
