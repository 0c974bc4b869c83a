"""The forecast of a conversation's tokens: a simulation with the real code and a formula, which
agree.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import models
from coursekit.conversation import (
    BudgetTooSmall,
    Conversation,
    Everything,
    Memory,
    SlidingWindow,
    Summarize,
    TokenBudget,
)
from coursekit.conversation.caching import cacheable_prefix
from coursekit.conversation.forecasting import (
    Sizes,
    forecast,
    prompt_tokens,
    spent,
)
from coursekit.pricing import Usage
from coursekit.tokens import count_tokens

sizes = st.builds(Sizes, *[st.integers(1, 400)] * 4)


def test_the_numbers_of_the_syllabus() -> None:
    """With 30 tokens of instructions, 50 turns of 60 and 180 tokens send 306,300 tokens; with a
    window of 5, they send 62,760.
    """
    for window, memory, sent in [
        (None, None, 306_300),
        (5, SlidingWindow(max_turns=5), 62_760),
    ]:
        assert prompt_tokens(50, Sizes(30, 60, 180), window) == sent
        told = sum(forecast(50, Sizes(30, 60, 180), memory), Usage(0, 0))
        assert (told.prompt, told.completion) == (sent, 9_000)


@given(
    st.integers(0, 40),
    sizes,
    st.none() | st.integers(0, 50),
    st.sampled_from(["gpt-4o", "o3", "gpt-5"]),
)
def test_the_formula_is_the_simulation(
    turns: int, size: Sizes, window: int | None, model: str
) -> None:
    """When everything is sent, and for every window of any size, the closed form gives what the
    conversation sends.
    """
    memory = None if window is None else SlidingWindow(window)
    assert prompt_tokens(turns, size, window, model) == sum(
        u.prompt for u in forecast(turns, size, memory, model)
    )


def test_double_the_turns_is_four_times_the_tokens() -> None:
    """Without a policy, the sum grows with the square of the number of turns; with a window, it
    grows in proportion to it.
    """
    assert prompt_tokens(2000) / prompt_tokens(1000) == pytest.approx(
        4, rel=0.001
    )
    assert prompt_tokens(2000, window=5) / prompt_tokens(
        1000, window=5
    ) == pytest.approx(2, rel=0.01)


class Exact:
    """A client that bills real texts, with the prompt counted by count_tokens and the cache by
    cacheable_prefix.
    """

    def __init__(self, replies: str) -> None:
        self.chat = self.completions = self
        self.replies, self.sent = replies, list[Any]()

    def create(self, **params: Any) -> SimpleNamespace:
        now = params["messages"]
        cached = cacheable_prefix(self.sent[-1], now) if self.sent else 0
        self.sent.append(now)
        message = SimpleNamespace(
            content=f"{len(self.sent):04} {self.replies}", tool_calls=None
        )
        details = {"cached_tokens": cached}
        usage = {
            "prompt_tokens": count_tokens(now),
            "completion_tokens": 180,
            "prompt_tokens_details": details,
        }
        return SimpleNamespace(
            usage=usage,
            choices=[SimpleNamespace(message=message, finish_reason="stop")],
        )


MEMORIES = [None, SlidingWindow(5), TokenBudget(1_500), Everything()]


@pytest.mark.parametrize("memory", MEMORIES, ids=repr)
def test_the_forecast_is_what_happens(memory: Memory | None) -> None:
    """A conversation whose texts have those sizes is billed what was forecast for each prompt,
    including the cache.
    """
    # the role is a token, and so are "0001" (2) and "a b"
    text = {size: " a" * (size - 1) for size in (1110, 57, 177)}
    client = Exact(text[177])
    conversation = Conversation(client, text[1110], memory)
    for number in range(30):
        conversation.send(f"{number:04} {text[57]}")
    assert count_tokens(client.sent[0][-1]["content"]) == 60 - 1
    assert count_tokens(conversation.messages[-1]["content"]) == 180 - 1
    told = forecast(30, Sizes(1110, 60, 180), memory)
    assert [turn.usage.prompt for turn in conversation.turns] == [
        turn.prompt for turn in told
    ]
    assert [turn.usage.cached for turn in conversation.turns] == [
        turn.cached for turn in told
    ]


def test_a_summary_is_a_call_of_its_own() -> None:
    """A turn with a summary has the tokens of both calls, and the summary stays in the prompts that
    follow.
    """
    turns = forecast(
        4, Sizes(30, 60, 180, summary=200), Summarize(over=2, keep=1)
    )
    plain = forecast(4, Sizes(30, 60, 180))
    assert turns[:3] == plain[:3]
    assert turns[3].completion == 180 + 200
    told = forecast(
        5, Sizes(30, 60, 180, summary=300), Summarize(over=2, keep=1)
    )
    assert (
        told[4].prompt
        - forecast(5, Sizes(), Summarize(over=2, keep=1))[4].prompt
        == 100
    )


def test_the_forecast_ends_where_the_window_is_full() -> None:
    """The first prompt that exceeds the context window is not sent, so the list is shorter than
    requested.
    """
    size = Sizes(30, 2_000, 2_000)
    turns = forecast(50, size)
    window = models.get("gpt-4o").context or 0
    assert len(turns) == 32
    assert turns[-1].prompt <= window < turns[-1].prompt + 4_000 + 6
    assert len(forecast(50, size, model="o3")) == 50
    assert forecast(5, Sizes(system=200_000)) == []


def test_a_warm_cache_reads_the_turn_before() -> None:
    """If everything is sent, nearly all of it is cached; with a full window, at most the
    instructions are.
    """
    assert [turn.cached for turn in forecast(7)] == [0, 0, 0, 0, 0, 1024, 1280]
    assert {
        turn.cached for turn in forecast(50, memory=SlidingWindow(5))[7:]
    } == {0}
    assert {
        turn.cached for turn in forecast(50, Sizes(1200), SlidingWindow(5))[7:]
    } == {1152}


def test_what_is_spent_adds_up() -> None:
    """The dollars after each turn: the prompt costs $2.50 per million tokens, its cached part half
    of that, and the reply $10.
    """
    turns = [Usage(1000, 100), Usage(3000, 100, cached=2048)]
    assert spent(turns, "gpt-4o", datetime.date(2026, 11, 22)) == [
        Decimal("0.0035"),
        Decimal("0.00944"),
    ]
    assert spent([]) == []


def test_what_makes_no_sense() -> None:
    """A message size without the role's token, or a budget that fits nothing, is refused; one that
    just fits is accepted.
    """
    with pytest.raises(ValueError, match="at least 1 token"):
        Sizes(user=0)
    with pytest.raises(BudgetTooSmall, match="take 99 tokens"):
        forecast(5, memory=TokenBudget(98))
    assert [turn.prompt for turn in forecast(2, memory=TokenBudget(99))] == [
        99,
        99,
    ]
