"""Checks of chapter 01: what a reply holds, what a prompt counts, what a call costs, and how long a model lives."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from random import Random
from typing import Any

from ..tokens import count_tokens
from .answers import reply, usage
from .case import Case, Function, Raises, call
from .exercise import exercise

WORDS = ["blue", "river", "seven", "copper", "window", "maps", "quiet", "engine", "often", "lemon"]


@exercise(
    stars=1,
    hints=(
        "A reply may have no text, and even no choices. Look at each thing before you reach into it.",
        "In this order: are there choices? Has the message a refusal? Is its content None?",
        (
            "if not reply.choices: return ''. Then take message = reply.choices[0].message, and return message.refusal "
            "where there is one, else message.content, else ''."
        ),
    ),
)
def reply_text(rng: Random) -> Iterator[Case]:
    """The text of a reply, whatever kind of reply it is."""
    yield call(reply("Paris."), expects="Paris.")
    yield call(reply(None, refusal="I can't help."), expects="I can't help.", why="When it declines, tell its words.")
    yield call(reply(None), expects="", why="content can be None, and a caller wants a str.")
    yield call(reply(), expects="", why="Some servers send a reply without choices.")
    yield call(reply("", finish_reason="length"), expects="")
    text = _text(rng)
    yield call(reply(text, _text(rng)), expects=text, why="Of several choices, the first.")
    text = _text(rng)
    yield call(reply(None, refusal=text), expects=text)
    text = f"  {_text(rng)}\n"
    yield call(reply(text), expects=text, why="The text as it is: blanks and line ends are part of it.")


@exercise(
    stars=2,
    hints=(
        "Three things are counted: what the chat has once, what each message has beside its text, and the texts.",
        "Once: 3. Each message: 3 for its frame, 1 for its role, and count(its content). A name: 1 + count(name).",
        (
            "Start with total = 3. For each message add 4 + count(message['content']); "
            "if message.get('name'): add 1 + count(message['name'])."
        ),
    ),
)
def prompt_tokens(rng: Random) -> Iterator[Case]:
    """The prompt tokens of a chat with gpt-4o."""

    def case(messages: list[dict[str, str]], count: Any = count_tokens, why: str = "") -> Case:
        named = [message["name"] for message in messages if message.get("name")]
        texts = [message["content"] for message in messages] + named
        total = 3 + 4 * len(messages) + len(named) + sum(map(count, texts))
        return call(messages, count, expects=total, why=why)

    yield case([_message("user", "What is the capital of France?")])
    france = [_message("system", "You are a helpful assistant."), _message("user", "What is the capital of France?")]
    yield case(france, why="Each message has a frame of its own; the 3 that begin the reply come once.")
    yield case([], why="An empty list still has the 3 tokens that begin the reply.")
    named = _message("user", "Who am I?") | {"name": "ada_lovelace"}
    yield case([named], why="A name costs 1, and its own tokens.")
    yield case(france, _words, why="count is handed in; here it counts words. Use it for every text.")
    for _ in range(4):
        roles = rng.choices(["user", "assistant", "developer"], k=rng.randint(1, 5))
        chat = [_message(role, _text(rng)) for role in roles]
        if rng.random() < 0.5:
            chat[0] = chat[0] | {"name": rng.choice(WORDS)}
        yield case(chat, rng.choice([count_tokens, _words, len]))


@exercise(
    stars=2,
    hints=(
        "cached_tokens is a part of prompt_tokens, and reasoning_tokens a part of completion_tokens.",
        (
            "The fresh input is prompt_tokens - cached_tokens, the answer is completion_tokens - reasoning_tokens. "
            "Both details can be missing: then the part is 0."
        ),
        (
            "details = usage.prompt_tokens_details; cached = details.cached_tokens or 0 if details else 0; so too for "
            "reasoning. Then 'input': (usage.prompt_tokens - cached) * price['input'] / 1_000_000, and so on."
        ),
    ),
)
def cost_split(rng: Random) -> Iterator[Case]:
    """What each kind of token of a call costs, in dollars."""
    gpt_4o = {"input": 2.5, "cached": 1.25, "output": 10.0}

    def case(prompt: int, completion: int, cached: int, reasoning: int, price: dict[str, float], why: str = "") -> Case:
        split = {
            "input": (prompt - cached) * price["input"] / 1_000_000,
            "cached": cached * price["cached"] / 1_000_000,
            "answer": (completion - reasoning) * price["output"] / 1_000_000,
            "reasoning": reasoning * price["output"] / 1_000_000,
        }
        return call(usage(prompt, completion, cached=cached, reasoning=reasoning), price, expects=split, why=why)

    yield case(24, 7, 0, 0, gpt_4o)
    yield case(1323, 12, 1280, 0, gpt_4o, "The cached tokens are among the prompt_tokens: they are billed once.")
    yield case(25, 256, 0, 256, gpt_4o, "Hidden reasoning is output, and is among the completion_tokens.")
    bare = {"input": 40 * 2.5e-6, "cached": 0, "answer": 9 * 10e-6, "reasoning": 0}
    yield call(usage(40, 9, details=False), gpt_4o, expects=bare, why="A usage may come without its details.")
    empty = usage(40, 9, details=True)
    empty.prompt_tokens_details.cached_tokens = None  # type: ignore[union-attr]
    empty.completion_tokens_details.reasoning_tokens = None  # type: ignore[union-attr]
    yield call(empty, gpt_4o, expects=bare, why="A count in the details may be None.")
    for _ in range(4):
        cached, reasoning = 128 * rng.randint(0, 20), rng.randint(0, 900)
        price = {"input": rng.randint(1, 40) / 4, "cached": rng.randint(1, 8) / 8, "output": float(rng.randint(1, 60))}
        yield case(cached + rng.randint(1, 500), reasoning + rng.randint(0, 300), cached, reasoning, price)


@exercise(
    stars=3,
    hints=(
        "Status 200 is not enough: look at finish_reason and refusal before you hand the text on.",
        (
            "Send one request with model, messages and **params. Only finish_reason 'stop' with a text and no refusal "
            "is a whole answer; for anything else raise ValueError with the reason in its message."
        ),
        (
            "choice = reply.choices[0]; if choice.message.refusal: raise ValueError(choice.message.refusal); "
            "if choice.finish_reason != 'stop': raise ValueError(f'finish_reason is {choice.finish_reason}')."
        ),
    ),
)
def safe_reply(rng: Random) -> Iterator[Case]:
    """A whole answer, or a ValueError that says why there is none."""
    question = [_message("user", "What is the capital of France?")]

    def asked(answer: Any, messages: list[dict[str, str]], **params: Any) -> Any:
        from .script import Script

        def run(function: Function) -> Any:
            script = Script(answer)
            text = function(script.client, messages, **params)
            asked = ("model", "messages", *params)
            return {"returned": text, "requests": [{key: body.get(key) for key in asked} for body in script.requests]}

        return run

    def whole(text: str, messages: list[dict[str, str]], why: str = "", **params: Any) -> Case:
        sent = {"messages": messages, "model": "gpt-4o", **params}
        more = "".join(f", {name}={value!r}" for name, value in params.items())
        given = f"safe_reply(client, {messages!r}{more}), answered with {text!r} and finish_reason 'stop'"
        expected = {"returned": text, "requests": [sent]}
        return Case(given, asked(reply(text), messages, **params), expected, why)

    def bad(words: str, answer: Any, what: str, why: str) -> Case:
        given = f"safe_reply(client, messages), answered with {what}"
        return Case(given, asked(answer, question), Raises(ValueError, (words,)), why)

    yield whole("Paris.", question)
    cut = reply("Yes. Run git reset --hard", finish_reason="length")
    yield bad("length", cut, "a text and finish_reason 'length'", "A cut text can look whole; finish_reason tells.")
    hidden = reply("", finish_reason="length")
    yield bad("length", hidden, "content '' and finish_reason 'length'", "An empty text with 'length' was cut, too.")
    filtered = reply("The first", finish_reason="content_filter")
    yield bad(
        "content_filter", filtered, "a text and finish_reason 'content_filter'", "What was filtered is not whole."
    )
    words = f"I can't {rng.choice(WORDS)}."
    declined = reply(None, refusal=words)
    yield bad(words, declined, f"content None and refusal {words!r}", "Say in the error what the model said.")
    for _ in range(3):
        chat = [_message("developer", _text(rng)), _message("user", _text(rng))]
        cap = rng.randint(20, 900)
        yield whole(_text(rng), chat, "Pass **params on, and send one request.", max_completion_tokens=cap)


@exercise(
    stars=3,
    hints=(
        "shutdown_date is a text such as '2027-01-14', or None. Turn it into a date before you compare.",
        "date.fromisoformat(text) makes the date. At risk is what has today <= shutdown <= today + timedelta(days).",
        (
            "Collect (date, id) of each model whose shutdown date lies from today to today + timedelta(days), "
            "sort the pairs, and return the ids."
        ),
    ),
)
def models_at_risk(rng: Random) -> Iterator[Case]:
    """The models that will be shut down within some days."""
    today = datetime.date(2026, 11, 23)

    def case(dates: dict[str, str | None], days: int, on: datetime.date = today, why: str = "") -> Case:
        end = on + datetime.timedelta(days=days)
        near = [(text, name) for name, text in dates.items() if text and on.isoformat() <= text <= end.isoformat()]
        shown = ", ".join(f"{name}: {text}" for name, text in dates.items())
        expected = [name for _, name in sorted(near)]
        return call(_listing(dates), on, days, expects=expected, why=why, shown=f"[{shown}], {on!r}, {days}")

    table: dict[str, str | None] = {
        "gpt-4o": "2027-01-14", "o3": "2026-12-11", "gpt-6-luna": None, "o4-mini": "2026-10-23",
    }  # fmt: skip
    yield case(table, 30, why="Models without a date are safe; those whose day is past are no risk, they are gone.")
    yield case(table, 60, why="The one that goes first stands first.")
    yield case({"edge": "2026-12-03"}, 10, why="The last day counts.")
    yield case({"today": "2026-11-23", "tomorrow": "2026-11-24"}, 0, why="Today counts, too.")
    yield case({}, 30)
    for _ in range(4):
        on = today + datetime.timedelta(days=rng.randint(0, 900))
        ends = [(on + datetime.timedelta(days=days)).isoformat() for days in rng.sample(range(-60, 200), 6)]
        names = rng.sample(WORDS, 8)
        mixed: dict[str, str | None] = {**dict(zip(names, ends, strict=False)), names[6]: None, names[7]: None}
        yield case(dict(rng.sample(sorted(mixed.items()), 8)), rng.randint(5, 150), on)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _words(text: str) -> int:
    return len(text.split())


def _text(rng: Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 6))).capitalize() + "."


def _listing(dates: dict[str, str | None]) -> list[Any]:
    from openai.types import Model

    return [
        Model(id=name, created=1_795_348_800, object="model", owned_by="system", shutdown_date=date)
        for name, date in dates.items()
    ]
