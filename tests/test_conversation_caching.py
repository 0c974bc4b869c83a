"""The cacheable prefix: what two prompts share from the beginning, as far as the API can cache
it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.conversation.caching import (
    cacheable,
    cacheable_prefix,
    shared_prefix,
)
from coursekit.course import recordings_of
from coursekit.tokens import NotCountable, UnknownTokenizer, count_tokens

LONG = {"role": "system", "content": "Answer from this list. " + "item " * 2000}
messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "content": st.text("ab \n", max_size=9),
        }
    ),
    max_size=5,
)


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("shared", "held"),
    [
        (0, 0),
        (1023, 0),
        (1024, 1024),
        (1151, 1024),
        (1152, 1152),
        (1305, 1280),
        (1319, 1280),
    ],
)
def test_the_steps_of_the_cache(shared: int, held: int) -> None:
    """Nothing below 1,024 tokens is cacheable; from there on, multiples of 128 are."""
    assert cacheable(shared) == held


def test_appending_keeps_the_prefix() -> None:
    """If messages are only appended, the entire earlier prompt is the beginning of the next one."""
    before = [LONG, user("What is in it?")]
    now = [*before, assistant("Items."), user("How many?")]
    assert shared_prefix(before, now) == count_tokens(before) - count_tokens([])
    assert (
        cacheable_prefix(before, now)
        == cacheable(shared_prefix(before, now))
        == 1920
    )


def test_dropping_the_oldest_turn_ends_the_prefix_there() -> None:
    """Without the oldest turn, only the instructions and the opening of the next message are
    shared.
    """
    brief = {"role": "system", "content": "Be brief."}
    turns = [
        message
        for number in range(9)
        for message in (user(f"{number} " * 100), assistant(f"{number} " * 200))
    ]
    before, now = (
        [brief, *turns, user("?")],
        [brief, *turns[2:], user("?"), assistant("!"), user("?")],
    )
    assert (
        shared_prefix(before, now)
        == count_tokens([brief]) - count_tokens([]) + 3
    )
    assert cacheable_prefix(before, now) == 0
    assert (
        cacheable_prefix(before, [*before, assistant("!"), user("?")]) > 2_500
    )


def test_a_change_at_the_front_ends_the_prefix_there() -> None:
    """If the instructions begin with the time of day, only the message's opening and the date
    before the time are shared.
    """
    clock = [
        [{**LONG, "content": f"It is {time}.\n{LONG['content']}"}]
        for time in ("10:31", "10:32")
    ]
    assert shared_prefix(*clock) < 10
    assert cacheable_prefix(*clock) == 0
    ends = [
        [{**LONG, "content": f"{LONG['content']}\nIt is {time}."}]
        for time in ("10:31", "10:32")
    ]
    assert cacheable_prefix(*ends) == 1920


@given(messages, messages)
def test_sharing_is_symmetric_and_bounded(
    before: list[Any], now: list[Any]
) -> None:
    """What two prompts share does not depend on their order and is never longer than either. A
    prompt shares all of itself with itself.
    """
    shared = shared_prefix(before, now)
    assert shared == shared_prefix(now, before)
    assert (
        0
        <= shared
        <= min(count_tokens(before), count_tokens(now)) - count_tokens([])
    )
    assert shared_prefix(now, now) == count_tokens(now) - count_tokens([])


@given(messages, messages, messages)
def test_what_follows_does_not_matter(
    head: list[Any], before: list[Any], now: list[Any]
) -> None:
    """Two prompts share at least the messages that both begin with."""
    assert shared_prefix([*head, *before], [*head, *now]) >= count_tokens(
        head
    ) - count_tokens([])


def test_the_recorded_pair_of_chapter_01() -> None:
    """The recorded answers about one price list report as many cached tokens as the computation
    gives.
    """
    bodies = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in recordings_of("01_basics").glob("*item*.json")
    ]
    pair = {
        body["request"]["body"]["messages"][-1]["content"]: body
        for body in bodies
    }
    first, second = (
        pair["What does item 42 cost?"],
        pair["Is item 98 in stock?"],
    )
    told = second["response"]["json"]["usage"]["prompt_tokens_details"][
        "cached_tokens"
    ]
    assert (
        cacheable_prefix(
            first["request"]["body"]["messages"],
            second["request"]["body"]["messages"],
        )
        == told
        == 1280
    )


def test_text_in_parts() -> None:
    """Content that consists of text parts counts as the joined text."""
    parts = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a b"},
                {"type": "text", "text": " c"},
            ],
        }
    ]
    assert shared_prefix(parts, [user("a b c d")]) == 3 + 3


def test_what_cannot_be_counted() -> None:
    """Tool calls and unknown models are refused, as count_tokens refuses them."""
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }
    calling = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    with pytest.raises(NotCountable):
        cacheable_prefix(calling, calling)
    with pytest.raises(UnknownTokenizer):
        cacheable_prefix([user("a")], [user("a")], "gpt-4.7")
