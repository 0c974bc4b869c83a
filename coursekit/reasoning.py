"""Hidden reasoning: its share of a budget and a bill, and how to send a request so that room is
left for the answer.

A reasoning model writes hidden tokens before its text. These tokens are billed as output and count
against ``max_completion_tokens``. If they use it up, the answer is empty, and only its
``finish_reason`` says so. Taught in 07 §1, §3 and §5.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from .foundation.arguments import given, takes_client
from .foundation.portable import Portable
from .pricing import ZERO, Price, Usage, day_of, dollars, price_of, usage_of
from .tokens import at_most_uncounted, count_tokens

Ending = Literal["whole", "cut", "empty"]


class NoRoom(Portable, RuntimeError):
    """Even with the largest budget allowed, hidden reasoning left no room for a complete answer.

    replies  the replies, all of which were billed: add them to your meter
    """

    def __init__(self, message: str, replies: list[Any]) -> None:
        self.replies = replies
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Fill:
    """How one reply fills its budget, in tokens: ``hidden`` + ``visible`` + ``free`` is the budget.

    missing  tokens that the reply would have needed beyond the budget
    """

    hidden: int
    visible: int
    free: int
    missing: int

    @property
    def ending(self) -> Ending:
        """ "whole"; "cut": in the middle of the text; "empty": before its first token."""
        if not self.missing:
            return "whole"
        return "cut" if self.visible else "empty"


@dataclass(frozen=True, slots=True)
class Split:
    """One reply's bill, with its output split: ``hidden`` is the reasoning, and ``visible`` is the
    rest. In tokens, and in exact US dollars.
    """

    usage: Usage
    price: Price

    @property
    def hidden(self) -> int:
        return self.usage.reasoning

    @property
    def visible(self) -> int:
        return self.usage.completion - self.usage.reasoning

    @property
    def prompt_cost(self) -> Decimal:
        return self.price.input + self.price.cached

    @property
    def hidden_cost(self) -> Decimal:
        return self.price.hidden(self.usage)

    @property
    def visible_cost(self) -> Decimal:
        return self.price.output - self.hidden_cost

    @property
    def hidden_share(self) -> float:
        """The hidden part of the output, 0 to 1; 0 if there is no output."""
        return self.hidden / (self.usage.completion or 1)

    def __repr__(self) -> str:
        return (
            f"prompt {self.usage.prompt:,} tokens {dollars(self.prompt_cost)} · "
            f"hidden {self.hidden:,} tokens {dollars(self.hidden_cost)} · "
            f"visible {self.visible:,} tokens {dollars(self.visible_cost)} · "
            f"{self.hidden_share:.0%} of the output hidden"
        )


@dataclass(frozen=True, slots=True)
class Score:
    """How a model did on questions with known answers: ``correct`` out of ``asked``, with the total
    ``seconds`` and US dollars.
    """

    correct: int
    asked: int
    seconds: float
    cost: Decimal

    @property
    def cost_per_correct(self) -> Decimal | None:
        """US dollars per correct answer, including the cost of the wrong ones; None: no answer was
        correct.
        """
        return self.cost / self.correct if self.correct else None


def split(reply: Any, on: datetime.date | None = None) -> Split:
    """Return a reply's bill, with hidden and visible output listed separately.

    reply  a ChatCompletion, or a stream of ``stream_text()`` that has ended
    on     the day (UTC) whose prices apply; None: the day of the reply's ``created``

    Raises ValueError for a reply without usage, and NoPrice if no price is known.
    """
    price = price_of(
        reply.usage,
        reply.model,
        on or day_of(reply),
        service_tier=getattr(reply, "service_tier", None),
    )
    return Split(usage_of(reply.usage), price)


def exhausted(reply: Any) -> bool:
    """Return whether the budget was used up before the first visible token: ``finish_reason`` is
    "length" and there is no text.

    reply  a ChatCompletion (if it has several choices, any one counts), or a stream of
           ``stream_text()`` that has ended
    """
    choices = getattr(reply, "choices", None)
    if choices is None:
        return bool(reply.finish_reason == "length" and not reply.text)
    return any(
        choice.finish_reason == "length" and not _said(choice.message)
        for choice in choices
    )


def fill_budget(budget: int, hidden: int, visible: int) -> Fill:
    """Return how a reply that needs this many hidden tokens, followed by this many visible tokens,
    fills a budget.

    Raises ValueError for a budget below 1, or for negative needs.
    """
    if budget < 1 or hidden < 0 or visible < 0:
        raise ValueError(
            f"A reply cannot have budget {budget}, hidden {hidden}, visible {visible}. Give a "
            "budget of at least 1, and needs of at least 0."
        )
    thought = min(hidden, budget)
    written = min(visible, budget - thought)
    used = thought + written
    return Fill(thought, written, budget - used, hidden + visible - used)


@takes_client()
def ask_with_headroom(
    client: Any,
    *,
    model: str,
    messages: list[Any],
    max_completion_tokens: int,
    ceiling: int,
    max_cost: Decimal | float | str,
    on: datetime.date | None = None,
    **params: Any,
) -> list[Any]:
    """Send a request. If its budget runs out before the answer is complete, send it once more, with
    ``ceiling`` as the budget.

    client                 from ``connect()``, or an ``openai.OpenAI``
    max_completion_tokens  the budget of the first call, hidden and visible together
    ceiling                the budget of the second call, larger than that of the first
    max_cost               the limit for the cost of both calls together, in US dollars
    on                     the day (UTC) whose prices apply; None: today
    params                 as ``client.chat.completions.create`` accepts them, without n and stream

    Returns one or two replies: the last one has the answer, and all were billed. The maximum cost
    of both calls is calculated before the first is sent, because a call that runs out of room uses
    its entire budget. The SDK's own retries after an error are not included.

    Raises ValueError (nothing was sent) if the two could cost more than ``max_cost``, or for an
    invalid budget; NoRoom if the second call also ran out of room or, judging by the first one's
    bill, could exceed ``max_cost``; NotCountable, UnknownTokenizer, or NoPrice if the cost cannot
    be known in advance; and any error from the client.
    """
    params = given(params)
    budgets = (max_completion_tokens, ceiling)
    _check(budgets, params)
    limit = Decimal(str(max_cost))
    prompt = count_tokens(messages, model) + at_most_uncounted(params)

    def price(usage: Any) -> Decimal:
        tier = params.get("service_tier")
        return price_of(usage, model, on, service_tier=tier).total

    def at_most(prompt: int, budget: int) -> Decimal:
        """Return the maximum usage: nothing is read from the cache, the whole prompt is written to
        it, and the whole budget is used.
        """
        usage = {"prompt_tokens": prompt, "completion_tokens": budget}
        written = {"cache_write_tokens": prompt}
        return price({**usage, "prompt_tokens_details": written})

    worst = [at_most(prompt, budget) for budget in budgets]
    if sum(worst) > limit:
        raise ValueError(
            f"Nothing was sent: the two calls could cost {dollars(worst[0])} + "
            f"{dollars(worst[1])} ({prompt:,} tokens in, up to {budgets[0]:,} and "
            f"{budgets[1]:,} out, {model}), and max_cost is {dollars(limit)}. "
            "Raise max_cost or lower the ceiling."
        )
    replies: list[Any] = []
    spent = ZERO
    for budget in budgets:
        reply = client.chat.completions.create(
            model=model,
            messages=messages,
            max_completion_tokens=budget,
            **params,
        )
        replies.append(reply)
        if reply.choices[0].finish_reason != "length":
            return replies
        used = usage_of(reply.usage)
        spent += price(reply.usage)
        if spent + at_most(used.prompt, ceiling) > limit:
            break
    raise NoRoom(
        f"No complete answer after {len(replies)} call{'s' * (len(replies) > 1)} and "
        f"{dollars(spent)}: the last one used up its {budget:,} tokens, {used.reasoning:,} "
        "of them for hidden reasoning. Lower the effort, ask for less, or raise the "
        "ceiling and max_cost.",
        replies,
    )


def _check(budgets: tuple[int, int], params: Mapping[str, Any]) -> None:
    first, second = budgets
    if not 0 < first < second:
        raise ValueError(
            f"max_completion_tokens={first} and ceiling={second}: give two budgets of at "
            "least 1, with the ceiling larger than the other."
        )
    for name, harmless in {"n": 1, "stream": False, "max_tokens": None}.items():
        if params.get(name, harmless) != harmless:
            raise ValueError(
                f"ask_with_headroom does not accept {name}={params[name]!r}: leave it out."
            )


def _said(message: Any) -> bool:
    return bool(
        message.content
        or message.refusal
        or getattr(message, "tool_calls", None)
    )
