"""What the cases of chapter 01 share: made-up sentences, models and prices, and a client that
answers once.
"""

from __future__ import annotations

import copy
import datetime
from random import Random
from typing import Any

from ..engine import Case, Function, Raises, changed
from ..engine.answers import message
from ..engine.describe import call_text, message_lines
from ..engine.script import Script

# dollars per million tokens
GPT_4O = {
    "input": 2.5,
    "cached": 1.25,
    "output": 10.0,
}
QUESTION = [message("user", "What is the capital of France?")]
TODAY = datetime.date(2026, 11, 23)
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


def sentence(rng: Random) -> str:
    """A few words."""
    return " ".join(rng.choices(WORDS, k=rng.randint(2, 6))).capitalize() + "."


def split(
    prompt: int,
    completion: int,
    cached: int = 0,
    reasoning: int = 0,
    price: dict[str, float] = GPT_4O,
) -> dict[str, float]:
    """What ``cost_split`` must return."""
    return {
        "input": (prompt - cached) * price["input"] / 1e6,
        "cached": cached * price["cached"] / 1e6,
        "answer": (completion - reasoning) * price["output"] / 1e6,
        "reasoning": reasoning * price["output"] / 1e6,
    }


def listing(dates: dict[str, str]) -> list[Any]:
    """What ``client.models.list()`` has: models with these shutdown dates, "" for None."""
    from openai.types import Model

    facts = {"created": 1_795_348_800, "object": "model", "owned_by": "system"}
    return [
        Model.model_validate(
            {**facts, "id": name, "shutdown_date": day or None}
        )
        for name, day in dates.items()
    ]


def answered(
    answer: Any,
    text: str,
    expected: Any,
    why: str = "",
    messages: list[dict[str, Any]] = QUESTION,
    params: dict[str, Any] | None = None,
) -> Case:
    """The case of ``safe_reply`` with a client that always gives this answer.

    text      the answer in words
    expected  the text that is returned, or ``Raises(…)``; in both cases after one request
    """
    params = {"temperature": 0} if params is None else params

    def run(function: Function) -> Any:
        script = Script(answer)
        chat, more = copy.deepcopy((messages, params))
        try:
            returned = function(script.client, chat, **more)
        except Exception:
            if len(script.requests) <= 1:
                raise
            return {"requests": script.requests}
        if misuse := changed(
            [chat, more],
            [messages, params],
            lambda: call_text([chat], more),
        ):
            return misuse
        return {"returned": returned, "requests": script.requests}

    def given() -> str:
        more = "".join(f", {name}={value!r}" for name, value in params.items())
        return f"safe_reply(client, {message_lines(messages)}{more}), answered with {text}"

    if isinstance(expected, Raises):
        return Case(given, run, expected, why)
    sent = {"messages": messages, "model": "gpt-4o", **params}
    return Case(given, run, {"returned": expected, "requests": [sent]}, why)
