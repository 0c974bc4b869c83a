"""The rate-limit layer: 429 when the account is over its limit, and the x-ratelimit headers.

A request counts when it arrives, by an estimate of its tokens. The tokens of its answer change
nothing: neither genuine headers nor the documentation show a later correction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..clock import Clock
from ..exchange import ApiAnswer, ApiRequest, Layer, processed
from .account import Account, usual_limits
from .billing import cost
from .estimate import estimated_tokens, output_limit


@dataclass(eq=False)
class RateLimits:
    """Refuses requests over the account's limits; adds the headers to all other answers.

    account  None: nothing is refused, and answers get the headers of an account without other
             requests, unless they were recorded with their own
    """

    inner: Layer
    account: Account | None
    clock: Clock

    def answer(self, request: ApiRequest) -> ApiAnswer:
        body = request.body
        if not isinstance(body, dict) or not request.path.endswith(
            "/chat/completions"
        ):
            return self.inner.answer(request)
        model, tokens = request.model, estimated_tokens(body)
        account = self.account
        if account is None:
            answer = self.inner.answer(request)
            own = "x-ratelimit-limit-requests" in answer.headers
            if own or answer.forward is not None:
                return answer
            return _with(answer, _idle(model, tokens))
        if account.reserve_output:
            tokens = max(tokens, output_limit(body))
        headers, refusal = account.admit(model, tokens, self.clock.now())
        if refusal is not None:
            return refusal
        answer = self.inner.answer(request)
        # Another server's answers cost nothing.
        billed = answer.status == 200 and answer.forward is None
        if account.spend is not None and billed:
            account.bill(cost(answer, body))
        return _with(answer, headers)


def _with(answer: ApiAnswer, headers: dict[str, str]) -> ApiAnswer:
    """Only answers from the model's side carry the headers of the limits."""
    if not processed(answer):
        return answer
    return answer.with_headers({**answer.headers, **headers})


@lru_cache(maxsize=1024)
def _idle(model: str, tokens: int) -> dict[str, str]:
    """The headers of an account whose first request this is."""
    return usual_limits(model).headers(1, tokens)
