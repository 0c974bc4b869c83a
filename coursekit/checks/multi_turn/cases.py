"""Made-up conversations for cases: written in letters, and with messages short enough to be read in
a result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from random import Random
from typing import Any, TypeAlias

from ..engine import Case, Function, Raises, call, exactly
from ..engine.answers import message
from ..engine.case import Misuse
from ..engine.describe import describe, message_lines

Message: TypeAlias = dict[str, Any]

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
CALL_TOKENS = 15  # of a message that only calls a tool


def chat(letters: str) -> list[Message]:
    """The messages of "s10 u20 a50": a letter for the role, and the tokens, which ``count`` finds
    in the text.

    c is an assistant's message that calls a tool, t the tool's result, S an earlier summary.
    """
    messages = []
    for number, word in enumerate(letters.split(), start=1):
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
    """The tokens of a made-up message."""
    found = re.search(
        r"(\d+) tokens", message["content"] or f"{CALL_TOKENS} tokens"
    )
    return int(found[1]) if found else 1


def one_each(message: Message) -> int:
    return 1


def flat(turns: Iterable[list[Message]]) -> list[Message]:
    return [message for turn in turns for message in turn]


def parted(
    messages: list[Message],
) -> tuple[list[Message], list[list[Message]]]:
    """The messages before the first turn, and the turns."""
    head: list[Message] = []
    turns: list[list[Message]] = []
    for each in messages:
        if each["role"] == "user":
            turns.append([])
        (turns[-1] if turns else head).append(each)
    return head, turns


def prefixed(
    rng: Random,
    shared: int,
    before: int,
    now: int,
    why: str = "",
    same_later: bool = False,
) -> Case:
    """The case of ``cacheable_prefix()`` with prompts of these lengths in tokens, the first
    ``shared`` of them the same.
    """
    old = [rng.randint(0, 199_999) for _ in range(before)]
    new = old[:shared] + [rng.randint(0, 199_999) for _ in range(now - shared)]
    if same_later:
        new[shared:] = old[shared:now]
    new = [int(f"{token}") for token in new]  # equal, and other objects
    if shared < min(before, now):
        new[shared] = 10 + old[shared]
    text = (
        f"(before, now), with {before:,} and {now:,} tokens, the first {shared:,} the"
        " same"
    )
    expected = shared // 128 * 128 if shared >= 1024 else 0
    return call(old, new, expects=exactly(expected), why=why, text=text)


def trimmed(
    messages: str | list[Message], budget: int, by: str = "count", why: str = ""
) -> Case:
    """The case of ``trim_to_budget(messages, budget, count)``; ``by``: "count", or "one" for each
    message.
    """
    given = chat(messages) if isinstance(messages, str) else messages
    counted: Callable[[Message], int] = count if by == "count" else one_each
    head, turns = parted(given)
    kept = turns[-1:]
    left = budget - sum(map(counted, head + flat(kept)))
    expected: Any = Raises(ValueError, ("budget",))
    if left >= 0:
        for turn in reversed(turns[:-1]):
            left -= sum(map(counted, turn))
            if left < 0:
                break
            kept = [turn, *kept]
        expected = head + flat(kept)
    plain = call(given, budget, counted, expects=expected, new=True)
    return replace(
        plain,
        given=lambda: f"({message_lines(given)}, {budget}, {counted.__name__})",
        show=message_lines,
        why=why,
    )


def summarized(
    messages: str | list[Message],
    over: int,
    keep: int,
    words: str = "They met.",
    why: str = "",
) -> Case:
    """The case of ``summarize_when(messages, over, keep, summarize)`` with a summarizer that
    returns ``words``.
    """
    given = chat(messages) if isinstance(messages, str) else messages
    head, turns = parted(given)
    earlier = (
        turns[:1]
        if turns and turns[0][0]["content"].startswith(SUMMARY)
        else []
    )
    turns = turns[len(earlier) :]
    expected, parts = given, []
    if len(turns) > over:
        older, latest = turns[: len(turns) - keep], turns[len(turns) - keep :]
        expected = [*head, message("user", SUMMARY + words), *flat(latest)]
        parts = [flat([*earlier, *older])]

    def run(function: Function) -> Any:
        summarized: list[Any] = []

        def summarize(part: Any) -> str:
            summarized.append(list(part))
            return words

        returned = call(
            given, over, keep, summarize, expects=None, new=True
        ).run(function)
        return (
            returned
            if isinstance(returned, Misuse)
            else {"returned": returned, "summarized": summarized}
        )

    return Case(
        lambda: f"({message_lines(given)}, {over}, {keep}, summarize)",
        run,
        {"returned": expected, "summarized": parts},
        why,
        _short,
    )


def _short(observed: Any) -> str:
    if not isinstance(observed, dict):
        return describe(observed)
    parts = "; ".join(map(message_lines, observed["summarized"])) or "nothing"
    return f"{message_lines(observed['returned'])}, summarized: {parts}"
