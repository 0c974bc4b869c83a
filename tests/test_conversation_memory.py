"""Memory policies: what a model gets to see again, as properties of any conversation."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from coursekit.conversation import (
    BudgetTooSmall,
    Conversation,
    Everything,
    History,
    Memory,
    SlidingWindow,
    Summarize,
    TokenBudget,
    trimmed,
)
from coursekit.conversation.turns import Message, is_instruction, unanswered
from coursekit.tokens import EstimatedTokens, count_tokens

texts = st.text("ab ", min_size=1, max_size=12)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """A user's message, and a reply, possibly with tool calls and their results and a late
    instruction between them.
    """
    said: list[Message] = [{"role": "user", "content": draw(texts)}]
    for round_ in range(draw(st.integers(0, 2))):
        ids = [
            f"call_{draw(st.uuids())}" for _ in range(draw(st.integers(1, 2)))
        ]
        calls = [
            {
                "id": id_,
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
            }
            for id_ in ids
        ]
        said.append({"role": "assistant", "content": None, "tool_calls": calls})
        for id_ in draw(st.permutations(ids)):
            said.append(
                {
                    "role": "tool",
                    "tool_call_id": id_,
                    "content": f"result {round_}",
                }
            )
    if draw(st.booleans()):
        said.append({"role": "assistant", "content": draw(texts)})
    if draw(st.integers(0, 4)) == 0:
        said.append({"role": "developer", "content": draw(texts)})
    return said


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    instructions = [
        {"role": "system", "content": text}
        for text in draw(st.lists(texts, max_size=2))
    ]
    greeting = (
        [{"role": "assistant", "content": "Hello"}]
        if draw(st.integers(0, 4)) == 0
        else []
    )
    said = draw(st.lists(turns(), min_size=1, max_size=6))
    return [
        *instructions,
        *greeting,
        *(message for turn in said for message in turn),
    ]


memories = st.one_of(
    st.just(Everything()),
    st.integers(0, 7).map(SlidingWindow),
    st.integers(1, 400).map(TokenBudget),
    st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
        lambda pair: Summarize(max(pair), min(pair))
    ),
)


def tokens_of(messages: list[Message]) -> int:
    """The budget's own measure, computed from scratch: exact for text, and by the JSON for tool
    calls.
    """
    import json

    total = count_tokens([], "gpt-4o")
    for message in messages:
        if message.get("tool_calls") or message["role"] == "tool":
            total += count_tokens(json.dumps(message), "gpt-4o")
        else:
            total += count_tokens([message], "gpt-4o") - count_tokens(
                [], "gpt-4o"
            )
    return total


def outcome(messages: list[Message], memory: Memory) -> list[Message] | None:
    try:
        return trimmed(messages, memory)
    except BudgetTooSmall:
        return None


@given(conversations())
def test_a_history_keeps_everything_in_order(messages: list[Message]) -> None:
    """A history made from a list of messages returns the same list. Its turns begin with a user
    message and contain the results of their calls.
    """
    history = History.of(messages)
    assert history.messages == messages
    for turn in history.turns[1:]:
        assert turn.messages[0]["role"] == "user"
    assert not any(unanswered(turn.messages) for turn in history.turns)


@given(conversations(), memories)
def test_instructions_are_never_dropped(
    messages: list[Message], memory: Memory
) -> None:
    """Every system and developer message is sent, in order, wherever it was."""
    sent = outcome(messages, memory)
    if sent is not None:
        assert [m for m in sent if is_instruction(m)] == [
            m for m in messages if is_instruction(m)
        ]


@given(conversations(), memories)
def test_tool_calls_keep_their_results(
    messages: list[Message], memory: Memory
) -> None:
    """No tool call is sent without its result, and no result without its call before it."""
    sent, asked = outcome(messages, memory) or [], set[str]()
    assert not unanswered(sent)
    for message in sent:
        asked.update(call["id"] for call in message.get("tool_calls", ()))
        assert message["role"] != "tool" or message["tool_call_id"] in asked


@given(conversations(), memories)
def test_the_newest_is_kept_and_the_oldest_goes_first(
    messages: list[Message], memory: Memory
) -> None:
    """Apart from the instructions, the end of the conversation is sent, with the complete
    newest turn.
    """
    sent = outcome(messages, memory)
    if sent is not None:
        said = [m for m in messages if not is_instruction(m)]
        kept = [m for m in sent if not is_instruction(m)]
        assert kept == said[len(said) - len(kept) :]
        newest = [
            m
            for m in History.of(messages).turns[-1].messages
            if not is_instruction(m)
        ]
        assert kept[len(kept) - len(newest) :] == newest


@given(conversations(), memories)
def test_a_policy_is_idempotent(
    messages: list[Message], memory: Memory
) -> None:
    """Applying a policy to what it kept changes nothing."""
    sent = outcome(messages, memory)
    if sent is not None:
        assert trimmed(sent, memory) == sent


@given(conversations(), st.integers(1, 400))
def test_a_budget_is_never_exceeded_nor_wasted(
    messages: list[Message], budget: int
) -> None:
    """The prompt fits the budget, and with one more turn, it would not. A prompt that can never fit
    raises BudgetTooSmall.
    """
    sent = outcome(messages, TokenBudget(budget))
    if sent is None:
        needed = [m for m in messages if is_instruction(m)]
        needed += [
            m
            for m in History.of(messages).turns[-1].messages
            if not is_instruction(m)
        ]
        assert tokens_of(needed) > budget
        return
    assert tokens_of(sent) <= budget
    all_turns = len(History.of(messages).turns)
    kept = len(History.of(sent).turns)
    if kept < all_turns:
        # kept - 1 turns and the newest, and one more
        assert tokens_of(trimmed(messages, SlidingWindow(kept))) > budget


@given(conversations(), st.integers(0, 7))
def test_a_window_counts_turns(messages: list[Message], size: int) -> None:
    """SlidingWindow(n) keeps the newest turn and the n turns before it, or all of them if there are
    fewer.
    """
    there = len(History.of(messages).turns)
    assert len(History.of(trimmed(messages, SlidingWindow(size))).turns) == min(
        there, size + 1
    )


def test_a_window_by_hand() -> None:
    """SlidingWindow(1) sends the instructions, one turn, and the new message. A late instruction in
    a dropped turn is still sent.
    """
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "one"},
        {"role": "developer", "content": "D"},
        {"role": "user", "content": "2"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "3"},
    ]
    assert [m["content"] for m in trimmed(messages, SlidingWindow(1))] == [
        "S",
        "D",
        "2",
        "two",
        "3",
    ]
    assert trimmed([], SlidingWindow(1)) == []


def test_the_budget_by_hand() -> None:
    """Each message with two tokens takes 3 + 1 + 2 including its frame, and each prompt takes 3
    more, so a budget of 21 keeps one turn.
    """
    messages = [
        {"role": role, "content": "Hello!"}
        for role in ("user", "assistant", "user", "assistant", "user")
    ]
    assert count_tokens("Hello!", "gpt-4o") == 2
    assert len(trimmed(messages, TokenBudget(21))) == 3
    assert len(trimmed(messages, TokenBudget(20))) == 1
    assert len(trimmed(messages, TokenBudget(3 + 5 * 6))) == 5
    with pytest.raises(BudgetTooSmall, match="take 9 tokens"):
        trimmed(messages, TokenBudget(8))


def test_the_budget_counts_a_late_instruction_once() -> None:
    """An instruction inside a turn is always sent, so that keeping its turn costs only the rest."""
    messages = [
        {"role": role, "content": "Hello!"}
        for role in ("user", "developer", "assistant", "user")
    ]
    assert trimmed(messages, TokenBudget(3 + 4 * 6)) == messages
    assert trimmed(messages, TokenBudget(3 + 4 * 6 - 1)) == [
        messages[1],
        messages[3],
    ]


def test_a_budget_for_any_model() -> None:
    """For another maker's model, tokens are estimated with a warning, unless the budget has its own
    counting function.
    """
    messages = [{"role": "user", "content": "a"}] * 3
    with pytest.warns(EstimatedTokens, match="'another-4'"):
        assert len(trimmed(messages, TokenBudget(10), model="another-4")) == 1
    assert (
        len(
            trimmed(
                messages,
                TokenBudget(10, count=lambda message: 5),
                model="llama-4",
            )
        )
        == 2
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SlidingWindow(-1),
            "SlidingWindow needs max_turns, a whole number of at least 0, not -1",
        ),
        (lambda: SlidingWindow(True), "not True"),
        (
            lambda: TokenBudget(0),
            "TokenBudget needs max_tokens, a whole number of at least 1, not 0",
        ),
        (lambda: TokenBudget("1000"), "not '1000'"),
        (
            lambda: Summarize(over=2, keep=3),
            "Summarize needs over, a whole number of at least 3, not 2",
        ),
        (lambda: Summarize(over=2, keep=-1), "needs keep"),
    ],
)
def test_policies_that_cannot_work(make: Any, message: str) -> None:
    """Invalid sizes are refused when the policy is created."""
    with pytest.raises(ValueError, match=message):
        make()


def test_each_message_is_counted_once() -> None:
    """In a long conversation with a TokenBudget, a message's tokens are counted only once."""
    counted: list[str] = []

    def count(message: Message) -> int:
        counted.append(message["content"])
        return 50

    conversation = Conversation(
        Instant(), "S", TokenBudget(max_tokens=2_000, count=count)
    )
    for number in range(200):
        conversation.send(f"question {number}")
    # the last reply is only counted when it is sent
    assert len(counted) == len(set(counted)) == 1 + 200 + 199


def test_a_changed_message_is_counted_anew() -> None:
    """The cache depends on a message's content, not on its identity."""
    message = {"role": "user", "content": "a"}
    budget = TokenBudget(20)
    assert trimmed([message], budget) == [message]
    message["content"] = "word " * 50
    with pytest.raises(BudgetTooSmall):
        trimmed([message], budget)


class Instant:
    """A client that answers immediately: "reply 1", "reply 2", …"""

    def __init__(self) -> None:
        self.chat = self.completions = self
        self.made = 0
        self.seconds = 0.0
        self.messages = 0

    def create(self, **params: Any) -> ChatCompletion:
        start, self.made = time.perf_counter(), self.made + 1
        self.messages = len(params["messages"])
        message = {"role": "assistant", "content": f"reply {self.made}"}
        answer = ChatCompletion.model_validate(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o",
                "choices": [
                    {"index": 0, "message": message, "finish_reason": "stop"}
                ],
                "usage": {
                    "prompt_tokens": 1,
                    "completion_tokens": 1,
                    "total_tokens": 2,
                },
            }
        )
        self.seconds += time.perf_counter() - start
        return answer


@pytest.mark.parametrize(
    "memory",
    [SlidingWindow(10), TokenBudget(2_000), Summarize(over=20, keep=10)],
    ids=["window", "budget", "summary"],
)
def test_what_is_sent_stops_growing(memory: Memory) -> None:
    """With a bounded memory, turn 200 does not send more messages than the first hundred turns did.

    tests/benchmarks/bench_conversation.py measures the cost of a turn beyond its call.
    """
    client = Instant()
    conversation = Conversation(client, "You are brief.", memory)
    sent = []
    for number in range(200):
        conversation.send(f"Question number {number}: what is it?")
        sent.append(client.messages)
    assert max(sent[100:]) <= max(sent[:100])
