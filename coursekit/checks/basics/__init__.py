"""Checks for chapter 01: what a reply contains, how many tokens a prompt has, what a call costs,
and when a model is shut down.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...offline.exchange import error_answer
from ...tokens import count_tokens
from ..engine import Case, Chapter, Function, Raises, call, exactly
from ..engine.answers import message, reply, usage
from ..engine.describe import answer_text, message_lines
from ..engine.script import Script

COUNTS = {
    "tokens": count_tokens,
    "words": lambda text: len(text.split()),
    "len": len,
}
# dollars per million tokens
GPT_4O = {"input": 2.5, "cached": 1.25, "output": 10.0}
QUESTION = [message("user", "What is the capital of France?")]
SAMPLING = {"temperature": 0}
TODAY = datetime.date(2026, 11, 23)

chapter = Chapter(__file__)


@chapter.exercise
def reply_text(choices: list[Any], expects: str, why: str = "") -> Case:
    """The text of a reply, whatever kind of reply it is."""
    return call(reply(*choices), expects=expects, why=why)


@chapter.exercise
def prompt_tokens(
    messages: list[dict[str, str]],
    expects: int,
    by: str = "tokens",
    why: str = "",
) -> Case:
    """The number of prompt tokens in a chat with gpt-4o."""
    return call(messages, COUNTS[by], expects=exactly(expects), why=why)


@chapter.exercise
def cost_split(
    expects: dict[str, float],
    price: dict[str, float] = GPT_4O,
    why: str = "",
    **bill: Any,
) -> Case:
    """What each kind of token in a call costs, in dollars."""
    return call(usage(**bill), price, expects=expects, why=why)


@chapter.exercise
def safe_reply(
    expects: Any,
    choices: list[Any] | None = None,
    messages: list[dict[str, Any]] = QUESTION,
    params: Mapping[str, Any] = SAMPLING,
    why: str = "",
) -> Case:
    """A complete answer, or a ValueError that says why there is none."""
    answer: Any = error_answer(503, "The server is down.")
    if choices is not None:
        answer = reply(*choices)
    asking = call(messages, expects=expects, **params)

    def run(function: Function) -> Any:
        script = Script(answer)
        try:
            returned = asking.run(partial(function, script.client))
        except Exception:
            if len(script.requests) <= 1:
                raise
            return {"requests": script.requests}
        return {"returned": returned, "requests": script.requests}

    def given() -> str:
        more = "".join(f", {name}={value!r}" for name, value in params.items())
        return (
            f"safe_reply(client, {message_lines(messages)}{more}), answered with"
            f" {answer_text(answer)}"
        )

    if not isinstance(expects, Raises):
        sent = {"messages": messages, "model": "gpt-4o", **params}
        expects = {"returned": expects, "requests": [sent]}
    return Case(given, run, expects, why)


@chapter.exercise
def models_at_risk(
    dates: dict[str, str],
    days: int,
    expects: list[str],
    today: datetime.date = TODAY,
    why: str = "",
) -> Case:
    """The models that will be shut down within a number of days."""
    shown = ", ".join(f"{name}: {day or None}" for name, day in dates.items())
    return call(
        listing(dates),
        today,
        days,
        expects=expects,
        why=why,
        text=f"([{shown}], {today!r}, {days})",
    )


def listing(dates: dict[str, str]) -> list[Any]:
    """Return what ``client.models.list()`` has: models with these shutdown dates, where "" means
    None.
    """
    from openai.types import Model

    facts = {"created": 1_795_348_800, "object": "model", "owned_by": "system"}
    return [
        Model.model_validate(
            {**facts, "id": name, "shutdown_date": day or None}
        )
        for name, day in dates.items()
    ]
