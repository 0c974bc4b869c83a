"""The headers that every answer of the API carries, added to what the offline API says itself, and to recordings
without them.

Which status carries which is taken from genuine answers. Left out are the headers of the network in front of the API
(date, server, cf-*, alt-svc, cookies) and the caller's own organization.
"""

from __future__ import annotations

import random
from dataclasses import replace

from .exchange import ApiAnswer, ApiRequest, Layer

PROCESSED = (200, 400)  # the answers that come from the model's side of the API; the others are turned away before


def request_id(rng: random.Random) -> str:
    return f"req_{rng.getrandbits(128):032x}"


class StandardHeaders:
    """x-request-id on every answer; openai-version and openai-processing-ms on those that were processed.

    rng  makes the request ids, so that the same requests of a client get the same ids each time
    """

    def __init__(self, inner: Layer, rng: random.Random) -> None:
        self.inner, self.rng = inner, rng

    def answer(self, request: ApiRequest) -> ApiAnswer:
        answer = self.inner.answer(request)
        if answer.status == 0:
            return answer
        headers = {"openai-version": "2020-10-01"} if answer.status in PROCESSED else {}
        if answer.status in PROCESSED and answer.after != float("inf"):
            headers["openai-processing-ms"] = str(round(answer.after * 1000))
        if "x-request-id" not in answer.headers:
            headers["x-request-id"] = request_id(self.rng)
        return replace(answer, headers={**headers, **answer.headers}) if headers else answer
