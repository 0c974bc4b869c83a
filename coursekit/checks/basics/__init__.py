"""Checks of chapter 01: what a reply holds, what a prompt counts, what a call costs, and how long a
model lives.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from random import Random
from typing import Any

from ...offline.exchange import error_answer
from ...tokens import count_tokens
from ..engine import Case, Chapter, Raises, call, exactly
from ..engine.answers import message, reply, usage
from .cases import GPT_4O, TODAY, WORDS, answered, listing, sentence, split

COUNTS = {
    "tokens": count_tokens,
    "words": lambda text: len(text.split()),
    "len": len,
}

chapter = Chapter(__file__)


@chapter.exercise
def reply_text(rng: Random) -> Iterator[Case]:
    """The text of a reply, whatever kind of reply it is."""
    text, other = sentence(rng), sentence(rng)
    yield call(reply("Paris."), expects="Paris.")
    refusal = "When the model refuses, return the refusal text."
    yield call(
        reply(None, refusal="I can't help."),
        expects="I can't help.",
        why=refusal,
    )
    yield call(
        reply(None),
        expects="",
        why="content can be None, and the caller wants a str.",
    )
    yield call(
        reply(), expects="", why="Some servers send a reply without choices."
    )
    yield call(reply("", finish_reason="length"), expects="")
    yield call(
        reply(text, other),
        expects=text,
        why="If there are several choices, use the first one.",
    )
    yield call(reply(None, refusal=other), expects=other, why=refusal)
    yield call(
        reply("So", refusal="No."),
        expects="No.",
        why="A refusal counts even if there is some content.",
    )
    spaced = f"  {text}\r\n"
    yield call(
        reply(spaced),
        expects=spaced,
        why="Leave the text unchanged: spaces and newlines are part of it.",
    )
    yield call(
        reply(None, text),
        expects="",
        why="Only the first choice counts, even if it has no text.",
    )
    long = "\n".join([text, other] * 10)
    yield call(
        reply(long, finish_reason="length"),
        expects=long,
        why="Return the whole text, whatever the finish_reason.",
    )


@chapter.plain
def prompt_tokens(
    messages: list[dict[str, str]], by: str = "tokens", why: str = ""
) -> Case:
    """The prompt tokens of a chat with gpt-4o."""
    count: Any = COUNTS[by]
    names = [each["name"] for each in messages if "name" in each]
    texts = [each["content"] for each in messages] + names
    total = 3 + 4 * len(messages) + len(names) + sum(map(count, texts))
    return call(messages, count, expects=exactly(total), why=why)


@chapter.exercise
def cost_split(rng: Random) -> Iterator[Case]:
    """What each kind of token of a call costs, in dollars."""

    def case(
        prompt: int,
        completion: int,
        cached: int = 0,
        reasoning: int = 0,
        price: dict[str, float] = GPT_4O,
        why: str = "",
    ) -> Case:
        bill = usage(prompt, completion, cached=cached, reasoning=reasoning)
        return call(
            bill,
            price,
            expects=split(prompt, completion, cached, reasoning, price),
            why=why,
        )

    yield from chapter.each("cost_split", case)
    bare = usage(40, 9, details=False)
    yield call(
        bare,
        GPT_4O,
        expects=split(40, 9),
        why="A usage may come without its details.",
    )
    empty: Any = usage(40, 9)
    empty.prompt_tokens_details.cached_tokens = (
        empty.completion_tokens_details.reasoning_tokens
    ) = None
    yield call(
        empty,
        GPT_4O,
        expects=split(40, 9),
        why="A count in the details may be None.",
    )
    half = usage(300, 20, cached=256)
    half.completion_tokens_details = None
    yield call(
        half,
        GPT_4O,
        expects=split(300, 20, 256),
        why="One of the two details may be missing.",
    )


@chapter.exercise
def safe_reply(rng: Random) -> Iterator[Case]:
    """A complete answer, or a ValueError that says why there is none."""
    stop = "finish_reason 'stop'"
    yield answered(reply("Paris."), f"'Paris.', {stop}", "Paris.")
    for _ in range(3):
        chat = [
            message("developer", sentence(rng)),
            message("user", sentence(rng)),
        ]
        params = {
            "max_completion_tokens": rng.randint(20, 900),
            "temperature": 1,
            "stop": ["\n\n"],
        }
        text = f" {sentence(rng)}\r\n"
        yield answered(
            reply(text), f"{text!r}, {stop}", text, messages=chat, params=params
        )
    yield answered(reply("Paris."), f"'Paris.', {stop}", "Paris.", params={})
    why = "An empty text that ended by itself is a complete answer."
    yield answered(reply(""), f"'', {stop}", "", why)

    def refused(answer: Any, text: str, *words: str, why: str) -> Case:
        return answered(answer, text, Raises(ValueError, words), why)

    why = (
        "Text that was cut off can look complete, but finish_reason says that it is"
        " not. Do not send a second request."
    )
    yield refused(
        reply("Run git reset --hard", finish_reason="length"),
        "a text, 'length'",
        "length",
        why=why,
    )
    why = "An empty text with 'length' was cut off as well."
    yield refused(
        reply("", finish_reason="length"),
        "content '', 'length'",
        "length",
        why=why,
    )
    for reason in ("content_filter", "tool_calls", "function_call"):
        yield refused(
            reply("The first", finish_reason=reason),
            f"'The first', finish_reason {reason!r}",
            reason,
            why="Only a reply with 'stop' is complete.",
        )
    yield refused(
        reply(None, finish_reason="tool_calls"),
        "content None, 'tool_calls'",
        "tool_calls",
        why="If the finish_reason is not 'stop', put it into the error's message.",
    )
    refusal, why = (
        f"I can't {rng.choice(WORDS)}.",
        "Put the model's refusal into the error's message.",
    )
    yield refused(
        reply(None, refusal=refusal),
        f"content None, refusal {refusal!r}, {stop}",
        refusal,
        why=why,
    )
    both = reply(None, refusal=refusal, finish_reason="content_filter")
    yield refused(
        both,
        f"refusal {refusal!r}, finish_reason 'content_filter'",
        refusal,
        why=why,
    )
    why = (
        "Without text there is no answer: raise a ValueError even though the"
        " finish_reason is 'stop'."
    )
    yield refused(reply(None), f"content None, {stop}", why=why)
    yield refused(
        reply(),
        "no choices",
        why="Some servers send no choices: raise a ValueError.",
    )
    why = "The SDK's own errors say more than a ValueError: let them propagate."
    down = error_answer(503, "The server is down.")
    yield answered(
        down,
        "an error, status 503",
        Raises(_status_error(), ("server is down",)),
        why,
    )
    yield refused(
        reply("Paris.", refusal=refusal),
        f"content 'Paris.', refusal {refusal!r}, {stop}",
        refusal,
        why="A refusal is a refusal, with or without text.",
    )


@chapter.plain
def models_at_risk(
    dates: dict[str, str],
    days: int,
    today: datetime.date = TODAY,
    why: str = "",
) -> Case:
    """The models that will be shut down within some days."""
    end = today + datetime.timedelta(days=days)
    near = sorted(
        (day, name)
        for name, day in dates.items()
        if f"{today}" <= day <= f"{end}"
    )
    shown = ", ".join(f"{name}: {day or None}" for name, day in dates.items())
    expected = [name for _, name in near]
    return call(
        listing(dates),
        today,
        days,
        expects=expected,
        why=why,
        text=f"([{shown}], {today!r}, {days})",
    )


def _status_error() -> type[Exception]:
    import openai

    return openai.APIStatusError
