"""Checks for chapter 03: a history that is never modified, what it sends, how much of it the cache
holds, and what to forget.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any, TypeAlias

from ..engine import Case, Chapter, Function, Raises, call, exactly
from ..engine.answers import message
from ..engine.describe import describe, message_lines

Message: TypeAlias = dict[str, Any]

SIZES = (30, 60, 180)  # tokens in instructions, question, and reply
SUMMARY = "Summary: "
ROLES = {
    "s": "system",
    "d": "developer",
    "u": "user",
    "a": "assistant",
    "c": "assistant",
    "t": "tool",
    "S": "user",
}
CALLS = [
    {
        "id": "call_1",
        "type": "function",
        "function": {"name": "ping", "arguments": "{}"},
    }
]
CALL_TOKENS = 15  # in a message that only calls a tool

chapter = Chapter(__file__)


@chapter.exercise
def add_turn(
    messages: Any,
    question: str,
    answer: str | None,
    expects: Raises | None = None,
    why: str = "",
) -> Case:
    """The conversation with an additional turn, in a new list."""
    before = chat(messages)
    turn = [message("user", question), message("assistant", answer)]
    expected = expects or [*before, *turn]
    return call(before, question, answer, expects=expected, why=why)


@chapter.exercise
def tokens_sent(
    turns: int,
    expects: int,
    sizes: tuple[int, int, int] = SIZES,
    why: str = "",
    **window: Any,
) -> Case:
    """The prompt tokens in a whole conversation, calculated with a formula."""
    return call(turns, *sizes, expects=exactly(expects), why=why, **window)


@chapter.exercise
def cacheable_prefix(
    shared: int,
    before: int,
    now: int,
    expects: int,
    same_later: bool = False,
    why: str = "",
) -> Case:
    """How much of a prompt the cache can hold."""
    rng = Random(shared)
    old = [rng.randint(0, 199_999) for _ in range(before)]
    new = old[:shared] + [rng.randint(0, 199_999) for _ in range(now - shared)]
    if same_later:
        new[shared:] = old[shared:now]
    new = [int(f"{token}") for token in new]  # equal, but not identical
    if shared < min(before, now):
        new[shared] = 10 + old[shared]
    text = (
        f"(before, now), with {before:,} and {now:,} tokens, the first {shared:,} the"
        " same"
    )
    return call(old, new, expects=exactly(expects), why=why, text=text)


@chapter.exercise
def trim_to_budget(
    messages: Any,
    budget: int,
    by: str = "count",
    sent: Sequence[int] = (),
    expects: Raises | None = None,
    why: str = "",
) -> Case:
    """The part of a conversation that is sent, within a token budget."""
    given = chat(messages)
    counted: Callable[[Message], int] = count if by == "count" else one_each
    expected = expects or [given[place] for place in sent]
    plain = call(given, budget, counted, expects=expected, why=why, new=True)
    return replace(
        plain,
        given=lambda: f"({message_lines(given)}, {budget}, {counted.__name__})",
        show=message_lines,
    )


@chapter.exercise
def summarize_when(
    messages: Any,
    over: int,
    keep: int,
    older: tuple[int, int] | None = None,
    words: str = "They met.",
    expects: Raises | None = None,
    why: str = "",
) -> Case:
    """A conversation whose older turns are replaced by a summary once there are too many."""
    given = chat(messages)
    result, parts = given, []
    if older is not None:
        start, end = older
        summary = message("user", SUMMARY + words)
        result = [*given[:start], summary, *given[end:]]
        parts = [given[start:end]]

    def run(function: Function) -> Any:
        summarized: list[Any] = []

        def summarize(part: Any) -> str:
            if expects is not None:
                raise RuntimeError("the summary was refused")
            summarized.append(list(part))
            return words

        plain = call(given, over, keep, summarize, expects=expects, new=True)
        return {"returned": plain.run(function), "summarized": summarized}

    return Case(
        lambda: f"({message_lines(given)}, {over}, {keep}, summarize)",
        run,
        expects or {"returned": result, "summarized": parts},
        why,
        _short,
    )


def _short(observed: Any) -> str:
    if not isinstance(observed, dict):
        return describe(observed)
    parts = "; ".join(map(message_lines, observed["summarized"])) or "nothing"
    return f"{message_lines(observed['returned'])}, summarized: {parts}"


def chat(parts: str | list[Any]) -> list[Message]:
    """Return the messages for "s10 u20 a50": a letter for the role, and the number of tokens, which
    ``count`` finds in the text. A list has such parts, or complete messages.

    c is an assistant message that calls a tool, t is the tool's result, and S is an earlier
    summary.
    """
    messages: list[Message] = []
    if isinstance(parts, list):
        for part in parts:
            messages += [part] if isinstance(part, dict) else chat(part)
        return messages
    for number, word in enumerate(parts.split(), start=1):
        letter, tokens = word[0], word[1:]
        text = f"message {number}" + (f", {tokens} tokens" if tokens else "")
        made = message(ROLES[letter], SUMMARY + text if letter == "S" else text)
        if letter == "c":
            made |= {"content": None, "tool_calls": CALLS}
        if letter == "t":
            made["tool_call_id"] = "call_1"
        messages.append(made)
    return messages


def count(message: Message) -> int:
    """Return the number of tokens in a made-up message."""
    found = re.search(
        r"(\d+) tokens", message["content"] or f"{CALL_TOKENS} tokens"
    )
    return int(found[1]) if found else 1


def one_each(message: Message) -> int:
    return 1
