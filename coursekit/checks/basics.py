"""Checks of chapter 01: what a reply holds, what a prompt counts, what a call costs, and how long a
model lives.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from random import Random
from typing import Any

from ..offline.exchange import error_answer
from ..tokens import count_tokens
from .answers import reply, usage
from .case import Case, call
from .exercise import exercise
from .reply_cases import QUESTION, message, refused_case, whole_case
from .untouched import untouched

WORDS = [
    "blue",
    "river",
    "seven",
    "copper",
    "window",
    "maps",
    "quiet",
    "engine",
    "often",
    "lemon",
]


@exercise(
    stars=1,
    hints=(
        (
            "A reply may have no text, and even no choices. Look at each thing before you "
            "reach into "
            "it."
        ),
        "In this order: are there choices? Has the message a refusal? Is its content None?",
        (
            "if not reply.choices: return ''. Then take message = reply.choices[0].message, and "
            "return message.refusal "
            "where there is one, else message.content, else ''."
        ),
    ),
)
def reply_text(rng: Random) -> Iterator[Case]:
    """The text of a reply, whatever kind of reply it is."""
    yield call(reply("Paris."), expects="Paris.")
    yield call(
        reply(None, refusal="I can't help."),
        expects="I can't help.",
        why="When it declines, tell its words.",
    )
    yield call(
        reply(None), expects="", why="content can be None, and a caller wants a str."
    )
    yield call(reply(), expects="", why="Some servers send a reply without choices.")
    yield call(reply("", finish_reason="length"), expects="")
    text = _text(rng)
    yield call(
        reply(text, _text(rng)), expects=text, why="Of several choices, the first."
    )
    text = _text(rng)
    yield call(reply(None, refusal=text), expects=text)
    text = f"  {_text(rng)}\n"
    yield call(
        reply(text),
        expects=text,
        why="The text as it is: blanks and line ends are part of it.",
    )
    yield call(
        reply(None, text),
        expects="",
        why="The first choice alone, also where it has no text.",
    )
    text = "\n".join(_text(rng) for _ in range(20))
    yield call(
        reply(text, finish_reason="length"),
        expects=text,
        why="All of the text, whatever the finish_reason.",
    )


@exercise(
    stars=2,
    hints=(
        (
            "Three things are counted: what the chat has once, what each message has beside "
            "its text, "
            "and the texts."
        ),
        (
            "Once: 3. Each message: 3 for its frame, 1 for its role, and count(its content). A "
            "name: "
            "1 + count(name)."
        ),
        (
            "Start with total = 3. For each message add 4 + count(message['content']); "
            "if message.get('name'): add 1 + count(message['name'])."
        ),
    ),
)
def prompt_tokens(rng: Random) -> Iterator[Case]:
    """The prompt tokens of a chat with gpt-4o."""

    def case(
        messages: list[dict[str, str]], count: Any = count_tokens, why: str = ""
    ) -> Case:
        named = [each["name"] for each in messages if each.get("name")]
        texts = [each["content"] for each in messages] + named
        total = 3 + 4 * len(messages) + len(named) + sum(map(count, texts))
        return untouched(messages, count, expects=total, why=why)

    yield case([message("user", "What is the capital of France?")])
    france = [
        message("system", "You are a helpful assistant."),
        message("user", "What is the capital of France?"),
    ]
    yield case(
        france,
        why="Each message has a frame of its own; the 3 that begin the reply come once.",
    )
    yield case([], why="An empty list still has the 3 tokens that begin the reply.")
    named = message("user", "Who am I?") | {"name": "ada_lovelace"}
    yield case([named], why="A name costs 1, and its own tokens.")
    yield case(
        france,
        _words,
        why="count is handed in; here it counts words. Use it for every text.",
    )
    yield case(
        france,
        len,
        why="count is handed in; here it is len. The role is 1, whatever count says of it.",
    )
    yield case(
        [message("user", "")], why="An empty message has its frame and its role, too."
    )
    yield case(
        [named, named, message("user", "Well?") | {"name": "bob"}],
        why="Each message counts, equal ones too.",
    )
    for number in range(4):
        roles = rng.choices(
            ["user", "assistant", "developer"],
            k=rng.randint(12, 20) if number == 3 else 3 + number,
        )
        chat = [message(role, _text(rng)) for role in roles]
        for place in rng.sample(range(len(chat)), number):
            chat[place] = chat[place] | {"name": rng.choice(WORDS)}
        yield case(chat, rng.choice([count_tokens, _words, len]))


@exercise(
    stars=2,
    hints=(
        (
            "cached_tokens is a part of prompt_tokens, and reasoning_tokens a part of "
            "completion_tokens."
        ),
        (
            "The fresh input is prompt_tokens - cached_tokens, the answer is completion_tokens - "
            "reasoning_tokens. "
            "Both details can be missing: then the part is 0."
        ),
        (
            "details = usage.prompt_tokens_details; cached = details.cached_tokens or 0 if "
            "details else 0; so too for "
            "reasoning. Then 'input': (usage.prompt_tokens - cached) * price['input'] / "
            "1_000_000, and so on."
        ),
    ),
)
def cost_split(rng: Random) -> Iterator[Case]:
    """What each kind of token of a call costs, in dollars."""
    gpt_4o = {"input": 2.5, "cached": 1.25, "output": 10.0}

    def case(
        prompt: int,
        completion: int,
        cached: int,
        reasoning: int,
        price: dict[str, float],
        why: str = "",
    ) -> Case:
        split = {
            "input": (prompt - cached) * price["input"] / 1_000_000,
            "cached": cached * price["cached"] / 1_000_000,
            "answer": (completion - reasoning) * price["output"] / 1_000_000,
            "reasoning": reasoning * price["output"] / 1_000_000,
        }
        spent = usage(prompt, completion, cached=cached, reasoning=reasoning)
        return untouched(spent, price, expects=split, why=why)

    yield case(24, 7, 0, 0, gpt_4o)
    yield case(
        1323,
        12,
        1280,
        0,
        gpt_4o,
        "The cached tokens are among the prompt_tokens: they are billed once.",
    )
    yield case(
        25,
        256,
        0,
        256,
        gpt_4o,
        "Hidden reasoning is output, and is among the completion_tokens.",
    )
    bare = {"input": 40 * 2.5e-6, "cached": 0, "answer": 9 * 10e-6, "reasoning": 0}
    yield call(
        usage(40, 9, details=False),
        gpt_4o,
        expects=bare,
        why="A usage may come without its details.",
    )
    empty = usage(40, 9, details=True)
    empty.prompt_tokens_details.cached_tokens = None  # type: ignore[union-attr]
    empty.completion_tokens_details.reasoning_tokens = None  # type: ignore[union-attr]
    yield call(empty, gpt_4o, expects=bare, why="A count in the details may be None.")
    half = usage(300, 20, cached=256)
    half.completion_tokens_details = None
    parts = {
        "input": 44 * 2.5e-6,
        "cached": 256 * 1.25e-6,
        "answer": 20 * 10e-6,
        "reasoning": 0,
    }
    yield untouched(
        half,
        gpt_4o,
        expects=parts,
        why="One of the two details may be there without the other.",
    )
    yield case(
        9,
        7,
        0,
        3,
        {"input": 0.0375, "cached": 0.01, "output": 0.15},
        "Cents of cents add up: do not round.",
    )
    for _ in range(4):
        cached, reasoning = 128 * rng.randint(0, 20), rng.randint(0, 900)
        price = {
            "input": rng.randint(1, 40) / 4,
            "cached": rng.randint(1, 8) / 8,
            "output": float(rng.randint(1, 60)),
        }
        yield case(
            cached + rng.randint(1, 500),
            reasoning + rng.randint(0, 300),
            cached,
            reasoning,
            price,
        )


@exercise(
    stars=3,
    hints=(
        "Status 200 is not enough: look at finish_reason and refusal before you hand the text on.",
        (
            "Send one request with model, messages and **params. Only finish_reason 'stop' with a "
            "text and no refusal "
            "is a whole answer; for anything else raise ValueError with the reason in its message."
        ),
        (
            "choice = reply.choices[0]; if choice.message.refusal: raise "
            "ValueError(choice.message.refusal); "
            "if choice.finish_reason != 'stop': raise ValueError(f'finish_reason is "
            "{choice.finish_reason}')."
        ),
    ),
)
def safe_reply(rng: Random) -> Iterator[Case]:
    """A whole answer, or a ValueError that says why there is none."""
    yield whole_case("Paris.", reply("Paris."), QUESTION)
    for _ in range(3):
        chat = [message("developer", _text(rng)), message("user", _text(rng))]
        params = {
            "max_completion_tokens": rng.randint(20, 900),
            "temperature": 0,
            "seed": rng.randint(1, 99),
        }
        text = f"{_text(rng)}\n"
        yield whole_case(
            text,
            reply(text),
            chat,
            "Pass all of **params on, as they are; send one request.",
            **params,
        )
    cut = reply("Yes. Run git reset --hard", finish_reason="length")
    tells = "A cut text can look whole; finish_reason tells. It stays one request."
    yield refused_case(
        ValueError, ("length",), cut, "a text and finish_reason 'length'", tells
    )
    hidden, short = (
        reply("", finish_reason="length"),
        "An empty text with 'length' was cut, too.",
    )
    yield refused_case(
        ValueError, ("length",), hidden, "content '' and finish_reason 'length'", short
    )
    filtered, why = (
        reply("The first", finish_reason="content_filter"),
        "What was filtered is not whole.",
    )
    yield refused_case(
        ValueError,
        ("content_filter",),
        filtered,
        "a text and finish_reason 'content_filter'",
        why,
    )
    words = f"I can't {rng.choice(WORDS)}."
    declined, why = reply(None, refusal=words), "Say in the error what the model said."
    yield refused_case(
        ValueError, (words,), declined, f"content None and refusal {words!r}", why
    )
    why = (
        "Without a text there is nothing to trust: a ValueError, although the finish_reason is "
        "'stop'."
    )
    yield refused_case(
        ValueError, (), reply(None), "content None and finish_reason 'stop'", why
    )
    yield refused_case(
        ValueError,
        (),
        reply(),
        "no choices",
        "Some servers send no choice: a ValueError, too.",
    )
    down, why = (
        error_answer(503, "The server is down."),
        "The SDK's own errors say more than a ValueError: let them.",
    )
    yield refused_case(
        _status_error(), ("server is down",), down, "an error, status 503", why
    )


@exercise(
    stars=3,
    hints=(
        (
            "shutdown_date is a text such as '2027-01-14', or None. Turn it into a date before you "
            "compare."
        ),
        (
            "date.fromisoformat(text) makes the date. At risk is what has today <= shutdown <= "
            "today "
            "+ timedelta(days)."
        ),
        (
            "Collect (date, id) of each model whose shutdown date lies from today to today + "
            "timedelta(days), "
            "sort the pairs, and return the ids."
        ),
    ),
)
def models_at_risk(rng: Random) -> Iterator[Case]:
    """The models that will be shut down within some days."""
    today = datetime.date(2026, 11, 23)

    def case(
        dates: dict[str, str | None],
        days: int,
        on: datetime.date = today,
        why: str = "",
    ) -> Case:
        end = on + datetime.timedelta(days=days)
        near = [
            (text, name)
            for name, text in dates.items()
            if text and on.isoformat() <= text <= end.isoformat()
        ]
        shown = ", ".join(f"{name}: {text}" for name, text in dates.items())
        expected = [name for _, name in sorted(near)]
        plain = untouched(_listing(dates), on, days, expects=expected, why=why)
        return Case(f"([{shown}], {on!r}, {days})", plain.run, expected, why)

    table: dict[str, str | None] = {
        "gpt-4o": "2027-01-14",
        "o3": "2026-12-11",
        "gpt-6-luna": None,
        "o4-mini": "2026-10-23",
    }
    yield case(
        table,
        30,
        why="Models without a date are safe; those whose day is past are no risk, they are gone.",
    )
    yield case(table, 60, why="The one that goes first stands first.")
    yield case({"edge": "2026-12-03"}, 10, why="The last day counts.")
    yield case(
        {"today": "2026-11-23", "tomorrow": "2026-11-24"}, 0, why="Today counts, too."
    )
    yield case({}, 30)
    yield case(
        {"a-1": "2026-12-01", "a-2": "2026-12-01"},
        30,
        why="Two models can have the same last day.",
    )
    leap = datetime.date(2028, 2, 27)
    yield case(
        {"march": "2028-03-01"},
        2,
        leap,
        "2028 is a leap year: it is 3 days to March 1. Let dates count.",
    )
    yield case(
        {"later": "2029-02-28"},
        366,
        leap,
        "From 2028-02-27, 366 days lead to 2029-02-27.",
    )
    many: dict[str, str | None] = {
        f"m{day:02}": f"2027-03-{day:02}" for day in range(31, 0, -1)
    }
    yield case(many, 400, why="All of them, however many.")
    for _ in range(4):
        on = today + datetime.timedelta(days=rng.randint(0, 900))
        ends = [
            (on + datetime.timedelta(days=days)).isoformat()
            for days in rng.sample(range(-60, 200), 6)
        ]
        names = rng.sample(WORDS, 8)
        mixed: dict[str, str | None] = {
            **dict(zip(names, ends, strict=False)),
            names[6]: None,
            names[7]: None,
        }
        yield case(dict(rng.sample(sorted(mixed.items()), 8)), rng.randint(5, 150), on)


def _status_error() -> type[Exception]:
    import openai

    return openai.APIStatusError


def _words(text: str) -> int:
    return len(text.split())


def _text(rng: Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 6))).capitalize() + "."


def _listing(dates: dict[str, str | None]) -> list[Any]:
    from openai.types import Model

    return [
        Model(
            id=name,
            created=1_795_348_800,
            object="model",
            owned_by="system",
            shutdown_date=date,
        )
        for name, date in dates.items()
    ]
