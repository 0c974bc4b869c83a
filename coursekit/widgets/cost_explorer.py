"""Lab for chapter 03: what a conversation costs, by its length, message sizes, memory, and caching;
and what the model gets to see in each turn. Taught in 03, lab.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from html import escape
from itertools import accumulate
from typing import Any

import ipywidgets as widgets

from .. import models
from ..conversation import (
    BudgetTooSmall,
    Memory,
    SlidingWindow,
    Summarize,
    TokenBudget,
)
from ..conversation.forecasting import Sizes, context_of, forecast
from ..foundation.markup import NAME, NUMBER, table
from ..pricing import Usage, dollars, price_of
from .lab import ON, Lab, menu, slider
from .turn_bars import context_strip, turn_bars

# models with one price for any prompt length
MODELS = tuple(
    map(models.from_table, ("CHAT", "SMALL", "HARDEST", "REASONING"))
)


HEADS = (
    "Memory",
    "Turns",
    "In",
    "Cached",
    "Out",
    "Last prompt",
    "Cost",
    "Per turn",
)


@dataclass(frozen=True, slots=True)
class Knob:
    """A policy's only number: its label, its range, and the memory that it creates."""

    label: str
    least: int
    most: int
    step: int
    start: int
    memory: Callable[[int], Memory]


KNOBS = {
    "sliding window": Knob("Turns kept", 0, 50, 1, 5, SlidingWindow),
    "token budget": Knob("Budget, tokens", 200, 8_000, 100, 2_000, TokenBudget),
    "summary": Knob(
        "Summarize over",
        2,
        50,
        2,
        10,
        lambda over: Summarize(over=over, keep=over // 2),
    ),
}
EVERYTHING = "everything"
POLICIES = (EVERYTHING, *KNOBS)


@dataclass(frozen=True, slots=True)
class Plan:
    """A planned conversation.

    turns                number of exchanges, 1 or more
    system, user, reply  the number of tokens in each message of this kind
    policy, size         one of ``POLICIES`` and its number (see ``KNOBS``; ignored for
                         "everything")
    model                one of ``MODELS``
    cached               whether the cache holds what the previous turn sent
    turn                 the turn whose messages are shown; if it is beyond the end: the last turn
    """

    turns: int = 50
    system: int = 30
    user: int = 60
    reply: int = 180
    policy: str = EVERYTHING
    size: int = 0
    model: str = MODELS[0]
    cached: bool = False
    turn: int = 10

    @property
    def memory(self) -> Memory | None:
        knob = KNOBS.get(self.policy)
        return knob.memory(self.size) if knob else None

    @property
    def sizes(self) -> Sizes:
        return Sizes(self.system, self.user, self.reply)


@dataclass(frozen=True, slots=True)
class Forecast:
    """The outcome of a plan: the tokens in each turn, and the US dollars spent after each. If the
    forecast is shorter than the plan, the other turns did not fit.

    refused  the reason why the memory sends nothing at all; None: it sends something
    """

    turns: list[Usage]
    spent: list[Decimal]
    refused: str | None = None

    @property
    def usage(self) -> Usage:
        return sum(self.turns, Usage(0, 0))


def outcome(plan: Plan) -> Forecast:
    """Return the numbers for a plan; a pure function."""
    try:
        turns = forecast(plan.turns, plan.sizes, plan.memory, plan.model)
    except BudgetTooSmall as error:
        return Forecast([], [], str(error))
    if not plan.cached:
        turns = [replace(turn, cached=0) for turn in turns]
    fresh, cached, out = _rates(plan.model)
    costs = (
        (turn.prompt - turn.cached) * fresh
        + turn.cached * cached
        + turn.completion * out
        for turn in turns
    )
    return Forecast(turns, list(accumulate(costs)))


def view(plan: Plan) -> str:
    """Return a plan's picture and numbers as HTML; a pure function."""
    policies = dict.fromkeys((plan.policy, EVERYTHING))
    rows = {name: outcome(replace(plan, policy=name)) for name in policies}
    held = rows[plan.policy]
    model, window = escape(plan.model), models.get(plan.model).context or 0
    if not held.turns:
        why = (
            held.refused
            or f"The first prompt does not fit into the context window of {plan.model}."
        )
        return f"<p><b>Nothing is sent.</b> {escape(why)}</p>"
    used, count, cost = held.usage, len(held.turns), dollars(held.spent[-1])
    alt = (
        f"{count} turns with {plan.policy}: the prompt grows from "
        f"{held.turns[0].prompt:,} tokens to "
        f"{held.turns[-1].prompt:,}; the cost adds up to {cost}."
    )
    notes = "".join(
        f"<p><b>With {escape(name)}, the conversation ends after turn {len(each.turns)}:</b> the "
        f"next prompt does not fit into the {window:,} tokens of {model}, and the API "
        "answers 400 <code>context_length_exceeded</code>.</p>"
        for name, each in rows.items()
        if len(each.turns) < plan.turns
    )
    return (
        f'<div class="coursekit-costs" style="line-height:1.5"><p><b>{used.prompt:,} tokens in, '
        f"{used.completion:,} out: {cost}</b> for {model}.</p>"
        f"{turn_bars(held.turns, held.spent, alt)}{_context(plan, held, window)}{_table(rows)}"
        f"{notes}</div>"
    )


def _context(plan: Plan, held: Forecast, window: int) -> str:
    """Show one turn, message by message."""
    number = min(plan.turn, len(held.turns))
    messages = context_of(number, plan.sizes, plan.memory, plan.model)
    if not plan.cached:
        messages = [replace(message, cached=0) for message in messages]
    sent = sum(message.tokens for message in messages if message.sent)
    # The scale is that of the last turn, so the row grows from left to right while the slider
    # moves.
    longest = held.turns[-1].prompt
    if plan.memory:
        longest = max(longest, sum(message.tokens for message in messages))
    before, now = [Decimal(0), *held.spent][number - 1 : number + 1]
    strip = context_strip(messages, plan.reply, window, longest + plan.reply)
    return (
        f'<p class="mathjax_ignore"><b>Turn {number}</b> sends {sent:,} tokens and costs '
        f"{dollars(now - before)}; {dollars(now)} so far.</p>{strip}"
    )


def _table(rows: dict[str, Forecast]) -> str:
    body = []
    for policy, held in rows.items():
        used, turns, cost = held.usage, len(held.turns), held.spent[-1]
        last = held.turns[-1].prompt
        counts = (turns, used.prompt, used.cached, used.completion, last)
        numbers = [f"{count:,}" for count in counts]
        body.append((policy, *numbers, dollars(cost), dollars(cost / turns)))
    return table(HEADS, body, [NAME, *[NUMBER] * 7])


class CostExplorer(Lab):
    """The lab: move a slider and see what the conversation sends and costs.

    plan  the initial position of the controls
    """

    title = "The conversation cost explorer"

    def __init__(self, plan: Plan | None = None) -> None:
        plan = plan or Plan()
        self.sizes = {
            name: slider(
                knob.label, knob.start, knob.least, knob.most, knob.step
            )
            for name, knob in KNOBS.items()
        }
        if plan.policy in KNOBS:
            self.sizes[plan.policy].value = plan.size
        super().__init__(
            turns=slider("Turns", plan.turns, 1, 150, 1),
            system=slider("Instructions, tokens", plan.system, 10, 4_000, 10),
            user=slider("Question, tokens", plan.user, 10, 1_000, 10),
            reply=slider("Reply, tokens", plan.reply, 10, 2_000, 10),
            model=menu("Model", MODELS, plan.model),
            policy=menu("Memory", POLICIES, plan.policy),
            **self.sizes,
            turn=slider("Look into turn", plan.turn, 1, 150, 1),
            cached=widgets.Checkbox(
                plan.cached, description="The cache is warm", indent=False
            ),
        )

    @property
    def plan(self) -> Plan:
        """The controls' current settings."""
        values = self.values
        sizes = {name: values.pop(name) for name in KNOBS}
        return Plan(**values, size=sizes.get(values["policy"], 0))

    def picture(self) -> str:
        return view(self.plan)

    def draw(self, _: Any = None) -> None:
        with self.lock:
            for name, slider in self.sizes.items():
                slider.layout.display = (
                    None if name == self.policy.value else "none"
                )
            super().draw()


@cache
def _rates(model: str) -> tuple[Decimal, Decimal, Decimal]:
    """Return the price of one token in US dollars: input, cached input, and output. Looking up the
    price list for each turn would slow down the sliders.
    """
    fields = {
        "prompt_tokens": 2000,
        "completion_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 1000},
    }
    price = price_of(fields, model, ON)
    return price.input / 1000, price.cached / 1000, price.output / 1000
