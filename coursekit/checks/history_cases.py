"""Made-up conversations for cases, with messages short enough to be read in a verdict."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, TypeAlias

from .case import Case, Function, Raises, exactly
from .untouched import GIVEN_BACK, Shared, untouched

Message: TypeAlias = dict[str, Any]
Count: TypeAlias = Callable[[Message], int]

SUMMARY = "Summary: "
CALL_TOKENS = 15  # of an assistant's message that only calls a tool


def message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def turn(question: str, answer: str) -> list[Message]:
    return [message("user", question), message("assistant", answer)]


def tool_turn(question: str, result: str, answer: str) -> list[Message]:
    """A turn of four messages: the model calls a tool, and answers with its result."""
    calls = [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "ping", "arguments": "{}"},
        }
    ]
    return [
        message("user", question),
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
        message("assistant", answer),
    ]


def flat(turns: Iterable[list[Message]]) -> list[Message]:
    return [each for turn in turns for each in turn]


def count(message: Message) -> int:
    """The tokens of a made-up message, which stand in its text: "q1, 20 tokens"."""
    if message["content"] is None:
        return CALL_TOKENS
    told = re.search(r"(\d+) tokens", message["content"])
    return int(told[1]) if told else 1


def each_is_one(message: Message) -> int:
    return 1


def prefix_case(
    rng: Random,
    shared: int,
    before: int,
    now: int,
    why: str = "",
    same_later: bool = False,
) -> Case:
    """The case of ``cacheable_prefix()`` with prompts of so many tokens, the first ``shared`` of
    them the same.
    """
    old = [rng.randint(0, 199_999) for _ in range(before)]
    new = old[:shared] + [rng.randint(0, 199_999) for _ in range(now - shared)]
    if same_later:
        new[shared:] = old[shared:now]
    if shared < min(before, now):
        new[shared] = 10 + old[shared]
    shown = f"before, now), which have {before:,} and {now:,} tokens, the first {shared:,} the same"
    plain = untouched(
        old, new, expects=exactly(shared // 128 * 128 if shared >= 1024 else 0)
    )
    return Case(f"cacheable_prefix({shown}", plain.run, plain.expected, why)


def trimmed_case(
    messages: list[Message], budget: int, counted: Count, expected: Any, why: str
) -> Case:
    """The case of ``trim_to_budget(messages, budget, count)``; ``expected`` are messages, or
    ``Raises(…)``.
    """
    plain = untouched(messages, budget, counted, expects=expected, fresh=True)
    given = f"({_lines(messages)}, {budget}, {counted.__name__})"
    return Case(
        given, lambda function: _lines(plain.run(function)), _lines(expected), why
    )


def summarized_case(
    messages: list[Message], over: int, keep: int, words: str, why: str = ""
) -> Case:
    """The case of ``summarize_when(messages, over, keep, summarize)`` with a summarizer that says
    ``words``.
    """
    sent, dropped = _summarized(messages, over, keep, words)

    def run(function: Function) -> Any:
        asked: list[Any] = []

        def summarize(part: Any) -> str:
            asked.append(_lines(list(part) if isinstance(part, Iterable) else part))
            return words

        given = copy.deepcopy(messages)
        came = function(given, over, keep, summarize)
        if given != messages:
            return Shared(
                f"a call that changed its messages. They are now {_lines(given)}"
            )
        return (
            Shared(GIVEN_BACK)
            if came is given
            else {"returned": _lines(came), "summarized": asked}
        )

    expected = {
        "returned": _lines(sent),
        "summarized": [_lines(part) for part in dropped],
    }
    return Case(f"({_lines(messages)}, {over}, {keep}, summarize)", run, expected, why)


def failing_summary_case(
    messages: list[Message], over: int, keep: int, why: str
) -> Case:
    """The same with a summarizer that raises, and an error that must come out."""

    def summarize(part: Any) -> str:
        raise RuntimeError("the summary was refused")

    expected = Raises(RuntimeError, ("refused",))
    plain = untouched(messages, over, keep, summarize, expects=expected)
    return Case(
        f"({_lines(messages)}, {over}, {keep}, a summarize that raises RuntimeError)",
        plain.run,
        expected,
        why,
    )


def _summarized(
    messages: list[Message], over: int, keep: int, words: str
) -> tuple[list[Message], list[list[Message]]]:
    """What is returned, and what each call of the summarizer gets."""
    head: list[Message] = []
    turns: list[list[Message]] = []
    for each in messages:
        if each["role"] == "user":
            turns.append([each])
        else:
            (turns[-1] if turns else head).append(each)
    earlier = turns[:1] if turns and turns[0][0]["content"].startswith(SUMMARY) else []
    turns = turns[len(earlier) :]
    if len(turns) <= over:
        return messages, []
    older, latest = turns[: len(turns) - keep], turns[len(turns) - keep :]
    return [*head, message("user", SUMMARY + words), *flat(latest)], [
        flat([*earlier, *older])
    ]


def _lines(value: Any) -> Any:
    """Messages in a form that is short to read, "user: Hi", where they have nothing but role and
    text.
    """
    return [_line(each) for each in value] if isinstance(value, list | tuple) else value


def _line(each: Any) -> Any:
    plain = (
        isinstance(each, Mapping)
        and set(each) == {"role", "content"}
        and isinstance(each["content"], str)
    )
    return f"{each['role']}: {each['content']}" if plain else each
