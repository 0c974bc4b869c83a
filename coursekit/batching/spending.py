"""A cap on what a run may spend: each call counts at its worst-case cost before it is sent.

Taught in 05 §8.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..foundation.arguments import is_number
from ..offline.limits.estimate import output_limit
from ..pricing import ZERO, NoPrice, price_of
from ..tokens import at_most_uncounted, count_tokens
from .requests import Request


class SpendingCap:
    """Dollars that a run may not exceed.

    most   US dollars; infinite: no cap
    spent  of them, by answers, and at their worst by attempts whose answer did not arrive
    lost   the part for those attempts: they may still be billed
    """

    def __init__(self, most: Decimal | float | None) -> None:
        if most is not None and not (is_number(most) and most >= 0):
            raise ValueError(
                f"max_cost={most!r:.40} is not an amount. Give US dollars, such as 0.50."
            )
        self.most = Decimal("Infinity" if most is None else str(most))
        self.spent = self.lost = ZERO
        self._held = ZERO

    def worst(self, requests: list[Request]) -> list[Decimal]:
        """The most that each request can cost; zeros if there is no cap. Raises ValueError if a
        request has no upper bound."""
        if not self.most.is_finite():
            return [ZERO] * len(requests)
        return [worst_price(each.params, each.custom_id) for each in requests]

    @property
    def left(self) -> Decimal:
        """US dollars that remain even if all calls in flight cost the most they can."""
        return self.most - self.spent - self._held

    def hold(self, worst: Decimal) -> None:
        """A call is sent."""
        self._held += worst

    def settle(self, worst: Decimal, cost: Decimal | None) -> None:
        """It ended, and cost this; None: its answer did not arrive."""
        self._held -= worst
        if cost is None:
            cost = worst
            self.lost += worst
        self.spent += cost


def worst_price(params: Mapping[str, Any], name: str) -> Decimal:
    """The most that a request can cost, in US dollars: its prompt, and max_completion_tokens of
    each answer.

    name  of the request, for the message. Raises ValueError if one of the two, or the price, is
          not known.
    """
    output = output_limit(params)
    if not output:
        raise ValueError(
            f"max_cost cannot be enforced: {name} has no max_completion_tokens, so its cost has no "
            "upper limit. Nothing was sent. "
            "Set max_completion_tokens, for example in run_batch() for all requests."
        )
    try:
        prompt = count_tokens(params["messages"], params["model"])
        prompt += at_most_uncounted(params)
        usage = {"prompt_tokens": prompt, "completion_tokens": output}
        return price_of(
            usage, params["model"], service_tier=params.get("service_tier")
        ).total
    except (ValueError, NoPrice) as error:
        raise ValueError(
            f"max_cost cannot be enforced: the cost of {name} cannot be calculated. {error}"
        ) from error
