"""Checks of chapter 03: a history that stays yours, what it sends, what the cache holds of it, and
what to forget.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

from ..engine import Case, Chapter, Raises, call, exactly
from ..engine.answers import message
from .cases import chat, prefixed, summarized, trimmed

SIZES = (30, 60, 180)  # tokens of instructions, question and reply

chapter = Chapter(__file__)


@chapter.exercise
def add_turn(rng: Random) -> Iterator[Case]:
    """The conversation with one more turn, in a new list."""

    def case(messages: str, question: str, answer: str, why: str = "") -> Case:
        before = chat(messages)
        after = [
            *before,
            message("user", question),
            message("assistant", answer),
        ]
        return call(before, question, answer, expects=after, why=why)

    yield from chapter.each("add_turn", case)
    long = chat("s u c t a" + " u a" * 9 + " u")
    long[-1]["content"] = "Well?\n"
    turn = [message("user", "Well?\n"), message("assistant", "Yes.")]
    why = (
        "Leave every message unchanged and add two, whatever is already there."
    )
    yield call(long, "Well?\n", "Yes.", expects=long + turn, why=why)
    for answer in (None, ""):
        why = "An answer without text would break the history for all later requests."
        yield call(
            chat("s"),
            "Is it up?",
            answer,
            expects=Raises(ValueError, ("answer",)),
            why=why,
        )
    for number in range(3):
        yield case(
            "s" + " u a" * number,
            f"Question {rng.random()}?",
            f"Answer {rng.random()}.",
        )


@chapter.plain
def tokens_sent(
    turns: int,
    window: int | None = None,
    why: str = "",
    sizes: tuple[int, int, int] = SIZES,
) -> Case:
    """The prompt tokens of a whole conversation, by a formula."""
    system, user, reply = sizes
    most = (
        max(turns - 1, 0) if window is None else min(max(turns - 1, 0), window)
    )
    exchanges = most * (most + 1) // 2 + max(turns - 1 - most, 0) * most
    total = turns * (9 + system + user) + exchanges * (6 + user + reply)
    more: dict[str, Any] = {} if window is None else {"window": window}
    return call(turns, *sizes, expects=exactly(total), why=why, **more)


@chapter.exercise
def cacheable_prefix(rng: Random) -> Iterator[Case]:
    """How much of a prompt the cache can hold."""
    case = partial(prefixed, rng)
    yield from chapter.each("cacheable_prefix", case)


@chapter.exercise
def trim_to_budget(rng: Random) -> Iterator[Case]:
    """What is sent of a conversation, within a budget of tokens."""
    yield from chapter.each("trim_to_budget", trimmed)
    twice = [
        *chat("u20 a50 u20 a40"),
        *chat("u20 a50"),
        message("user", "new, 20 tokens"),
    ]
    yield trimmed(twice, 90, why="Turns may be equal.")


@chapter.exercise
def summarize_when(rng: Random) -> Iterator[Case]:
    """A conversation whose older turns become a summary, once there are too many."""
    yield from chapter.each("summarize_when", summarized)
    why = "Keep the summary unchanged and complete."
    yield summarized("s u a u a", 1, 1, "  All of the summary.\n" * 20, why)
    for question in ("Summary, please.", "My Summary: none."):
        begun = [*chat("s"), message("user", question), *chat("a u a u")]
        yield summarized(
            begun,
            2,
            1,
            why="A summary begins with 'Summary: ', so this is a turn.",
        )

    why = (
        "Only messages at the beginning are instructions. A later one belongs to its"
        " turn."
    )
    yield summarized("s u a d u a u", 2, 1, why=why)
    yield summarized("s u a u s a", 1, 1, why=why)

    def failing(part: Any) -> str:
        raise RuntimeError("the summary was refused")

    refused = Raises(RuntimeError, ("refused",))
    yield call(
        chat("s u a u a u"),
        2,
        1,
        failing,
        expects=refused,
        why="Let errors from summarize propagate.",
    )
