"""Hidden reasoning: splitting the bill, detecting an empty answer, and a second attempt that stays
within its budget.
"""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from coursekit import count_tokens, stream_text
from coursekit.offline.clock import clock_for
from coursekit.offline.exchange import ApiAnswer, ApiRequest, json_answer
from coursekit.offline.transport import OfflineTransport
from coursekit.pricing import NoPrice, price_of
from coursekit.reasoning import (
    NoRoom,
    Score,
    ask_with_headroom,
    exhausted,
    fill_budget,
    split,
)
from support.offline_api import Says, params, streamed

ON = datetime.date(2026, 11, 22)
QUESTION = [{"role": "user", "content": "How deep is the well?"}]
IN = count_tokens(QUESTION, model="o4-mini")
ASK: dict[str, Any] = {"model": "o4-mini", "messages": QUESTION, "on": ON}
TOKENS = st.integers(0, 200_000)


def reply(
    hidden: int,
    text: str = "",
    reason: str = "stop",
    visible: int = 0,
    model: str = "o4-mini",
) -> ChatCompletion:
    """A completion with this many hidden tokens, followed by this many visible ones."""
    return ChatCompletion.model_validate(
        body(hidden, text, reason, visible, model)
    )


def body(
    hidden: int,
    text: str = "",
    reason: str = "stop",
    visible: int = 0,
    model: str = "o4-mini",
) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1_795_348_800,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": IN,
            "completion_tokens": hidden + visible,
            "total_tokens": IN + hidden + visible,
            "completion_tokens_details": {"reasoning_tokens": hidden},
        },
    }


class Thinks:
    """A layer that needs this many hidden tokens and then ten visible ones. Records the budgets it
    was given.
    """

    def __init__(self, hidden: int, prompt: int = IN) -> None:
        self.hidden, self.prompt, self.budgets = hidden, prompt, []  # type: ignore[var-annotated]

    def answer(self, request: ApiRequest) -> ApiAnswer:
        budget = request.body["max_completion_tokens"]
        self.budgets.append(budget)
        filled = fill_budget(budget, self.hidden, 10)
        reason = "stop" if filled.ending == "whole" else "length"
        said = body(
            filled.hidden,
            "9 m" if filled.visible else "",
            reason,
            filled.visible,
        )
        said["usage"]["prompt_tokens"] = self.prompt
        return json_answer(200, said)


def client_of(layer: Any) -> openai.OpenAI:
    http = openai.DefaultHttpx2Client(
        transport=OfflineTransport(layer, clock_for("instant"))
    )
    return openai.OpenAI(api_key="x", max_retries=0, http_client=http)


@given(budget=st.integers(1, 200_000), hidden=TOKENS, visible=TOKENS)
def test_a_budget_is_filled_by_reasoning_first(
    budget: int, hidden: int, visible: int
) -> None:
    """Hidden, visible, and free tokens add up to the budget, and no text is written before the
    reasoning is done.
    """
    filled = fill_budget(budget, hidden, visible)
    assert filled.hidden + filled.visible + filled.free == budget
    assert filled.hidden + filled.visible + filled.missing == hidden + visible
    assert filled.hidden == hidden or filled.visible == 0
    assert (filled.ending == "whole") == (hidden + visible <= budget)
    assert (filled.ending == "empty") == (
        filled.missing > 0 and hidden >= budget
    )


@given(
    budget=st.integers(1, 200_000),
    more=st.integers(0, 1000),
    hidden=TOKENS,
    visible=TOKENS,
)
def test_more_budget_never_makes_an_answer_worse(
    budget: int, more: int, hidden: int, visible: int
) -> None:
    """A larger budget leaves at least as many visible tokens and does not lack more tokens."""
    small, large = (
        fill_budget(budget, hidden, visible),
        fill_budget(budget + more, hidden, visible),
    )
    assert large.visible >= small.visible
    assert large.missing <= small.missing


@pytest.mark.parametrize("needs", [(0, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_a_budget_that_is_none_is_refused(needs: tuple[int, int, int]) -> None:
    """A budget is at least 1, and the needed tokens are at least 0."""
    with pytest.raises(ValueError, match="Give a budget of at least 1"):
        fill_budget(*needs)


def test_the_bill_is_taken_apart() -> None:
    """If 900 of 1,000 output tokens are hidden, they cost 90% of the output's price. The three
    parts add up to the price.
    """
    bill = split(reply(900, "8", visible=100))
    assert (bill.hidden, bill.visible, bill.hidden_share) == (900, 100, 0.9)
    assert bill.hidden_cost == Decimal("4.4") * 900 / 1_000_000
    assert bill.visible_cost == Decimal("4.4") * 100 / 1_000_000
    assert (
        bill.prompt_cost + bill.hidden_cost + bill.visible_cost
        == bill.price.total
    )
    assert repr(bill) == (
        f"prompt {IN} tokens $0.000013 · hidden 900 tokens $0.004 · visible 100 tokens $0.00044 · "
        "90% of the output hidden"
    )


@given(hidden=TOKENS, visible=TOKENS)
def test_the_parts_of_any_bill_add_up(hidden: int, visible: int) -> None:
    """The prompt's, the hidden, and the visible cost add up to the price, to the last digit that
    matters.
    """
    bill = split(reply(hidden, visible=visible), ON)
    assert (
        bill.prompt_cost + bill.hidden_cost + bill.visible_cost
        == bill.price.total
    )
    assert 0 <= bill.hidden_share <= 1
    assert abs(
        bill.hidden_cost - Decimal("4.4") * hidden / 1_000_000
    ) < Decimal("1e-20")


def test_a_bill_needs_usage_and_a_price() -> None:
    """Without usage or a known price, there is no bill, and the message says which of them is
    missing.
    """
    with pytest.raises(ValueError, match="no usage to price"):
        split(reply(1).model_copy(update={"usage": None}))
    with pytest.raises(NoPrice, match="gpt-99"):
        split(reply(1, model="gpt-99"))


def test_exhausted_is_length_without_text() -> None:
    """Only a reply that reached its length limit before any text is exhausted; text that was cut
    off or a refusal is not.
    """
    assert exhausted(reply(16, "", "length"))
    assert not exhausted(reply(16, "Half a", "length", 3))
    assert not exhausted(reply(16, "", "stop"))
    assert not exhausted(reply(16, "Whole.", "stop", 3))
    refused = reply(16, "", "length")
    refused.choices[0].message.refusal = "No."
    assert not exhausted(refused)


def test_a_stream_can_be_exhausted() -> None:
    """A stream from stream_text that ends with length before any text is exhausted; one that ends
    with stop is not.
    """
    for texts, reason, expected in (
        ([], "length", True),
        (["Par"], "length", False),
        (["Paris."], "stop", False),
    ):
        stream = stream_text(
            client_of(Says(streamed(texts, finish_reason=reason))), **params()
        )
        list(stream)
        assert exhausted(stream) is expected


def test_one_call_when_there_is_room() -> None:
    """If the first budget is enough for a complete answer, one request is sent."""
    layer = Thinks(100)
    (only,) = ask_with_headroom(
        client_of(layer),
        **ASK,
        max_completion_tokens=200,
        ceiling=2000,
        max_cost="0.05",
    )
    assert (only.choices[0].message.content, layer.budgets) == ("9 m", [200])


@pytest.mark.parametrize("hidden", [300, 195])
def test_one_escalation(hidden: int) -> None:
    """After an empty answer, or one that was cut off, one more request is sent with the
    ceiling. Both replies are returned.
    """
    layer = Thinks(hidden)
    replies = ask_with_headroom(
        client_of(layer),
        **ASK,
        max_completion_tokens=200,
        ceiling=2000,
        max_cost=0.05,
    )
    assert layer.budgets == [200, 2000]
    assert exhausted(replies[0]) == (hidden == 300)
    assert replies[1].choices[0].message.content == "9 m"


def test_no_second_escalation() -> None:
    """If the ceiling is also too low, there are two calls and then an error that contains both
    replies.
    """
    layer = Thinks(5000)
    with pytest.raises(
        NoRoom,
        match=r"after 2 calls and \$0.0097: .* its 2,000 tokens, 2,000 of them for",
    ) as told:
        ask_with_headroom(
            client_of(layer),
            **ASK,
            max_completion_tokens=200,
            ceiling=2000,
            max_cost=1,
        )
    assert layer.budgets == [200, 2000]
    assert [exhausted(each) for each in told.value.replies] == [True, True]


def test_what_could_cost_too_much_is_never_sent() -> None:
    """Both calls are priced with their full budgets in advance. If max_cost is a cent too low,
    nothing is sent.
    """
    layer = Thinks(100)
    least = sum(
        price_of(
            {"prompt_tokens": IN, "completion_tokens": n}, "o4-mini", ON
        ).total
        for n in (200, 2000)
    )
    asked = {**ASK, "max_completion_tokens": 200, "ceiling": 2000}
    with pytest.raises(
        ValueError,
        match=r"Nothing was sent: the two calls could cost \$0.00089 \+ \$0.0088",
    ):
        ask_with_headroom(
            client_of(layer), **asked, max_cost=least - Decimal("1e-9")
        )
    assert layer.budgets == []
    assert (
        len(ask_with_headroom(client_of(layer), **asked, max_cost=least)) == 1
    )


def test_the_first_bill_counts() -> None:
    """If a prompt was billed higher than counted, the second call is not made if it could exceed
    max_cost.
    """
    layer = Thinks(5000, prompt=10_000)
    with pytest.raises(NoRoom, match="after 1 call and"):
        ask_with_headroom(
            client_of(layer),
            **ASK,
            max_completion_tokens=200,
            ceiling=2000,
            max_cost="0.012",
        )
    assert layer.budgets == [200]


@given(
    hidden=st.integers(0, 4000),
    first=st.integers(1, 2000),
    more=st.integers(1, 2000),
    cents=st.integers(1, 300),
)
def test_never_more_than_allowed(
    hidden: int, first: int, more: int, cents: int
) -> None:
    """Whatever happens, the billed cost stays within max_cost, and there are at most two calls."""
    layer, limit = Thinks(hidden), Decimal(cents) / 10_000
    try:
        replies = ask_with_headroom(
            Quick(layer),
            **ASK,
            max_completion_tokens=first,
            ceiling=first + more,
            max_cost=limit,
        )
        assert replies[-1].choices[0].finish_reason == "stop"
    except NoRoom as error:
        replies = error.replies
    except ValueError:
        replies = []
    assert len(replies) == len(layer.budgets) <= 2
    assert (
        sum(price_of(each.usage, "o4-mini", ON).total for each in replies)
        <= limit
    )


def test_tools_and_schemas_are_reckoned_in() -> None:
    """Anything billed in addition to the messages counts as one token for each character of its
    JSON, which is ample.
    """
    tools = [
        {
            "type": "function",
            "function": {"name": "f", "description": "x" * 4000},
        }
    ]
    asked = {
        **ASK,
        "max_completion_tokens": 200,
        "ceiling": 2000,
        "max_cost": "0.01",
    }
    assert len(ask_with_headroom(client_of(Thinks(100)), **asked)) == 1
    with pytest.raises(ValueError, match="could cost"):
        ask_with_headroom(client_of(Thinks(100)), **asked, tools=tools)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"ceiling": 200}, "with the ceiling larger than the other"),
        ({"max_completion_tokens": 0}, "two budgets of at least 1"),
        ({"n": 2}, "does not accept n=2"),
        ({"stream": True}, "does not accept stream=True"),
        ({"max_tokens": 5}, "does not accept max_tokens=5"),
    ],
)
def test_bad_arguments_are_told_first(wrong: dict[str, Any], told: str) -> None:
    """An invalid budget or an unsuitable parameter is refused before anything is sent."""
    layer = Thinks(100)
    with pytest.raises(ValueError, match=told):
        ask_with_headroom(
            client_of(layer),
            **{
                **ASK,
                "max_completion_tokens": 200,
                "ceiling": 2000,
                "max_cost": 1,
                **wrong,
            },
        )
    assert layer.budgets == []


def test_the_wrong_answers_are_paid_for_too() -> None:
    """The cost of a correct answer is the total cost divided by the number of correct answers.
    Without any, there is no such cost.
    """
    assert Score(3, 4, 10.0, Decimal("0.06")).cost_per_correct == Decimal(
        "0.02"
    )
    assert Score(0, 4, 10.0, Decimal("0.06")).cost_per_correct is None


class Quick:
    """A stand-in for a client that is created quickly; ``Thinks`` answers."""

    def __init__(self, layer: Thinks) -> None:
        self.layer, self.chat, self.completions = layer, self, self

    def create(self, **asked: Any) -> ChatCompletion:
        answer = self.layer.answer(
            ApiRequest(
                "POST", "/v1/chat/completions", json.dumps(asked).encode()
            )
        )
        return ChatCompletion.model_validate(json.loads(answer.body))
