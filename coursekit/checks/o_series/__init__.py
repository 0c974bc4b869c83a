"""Checks for chapter 07: hidden tokens in a reply, in a bill, and in a budget, and moving a request
to another model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ...offline.exchange import error_answer
from ..engine import Case, Chapter, Function, Once, Raises, call
from ..engine.answers import message, reply, usage
from ..engine.describe import answer_text
from ..engine.script import Script

NOTHING: Mapping[str, Any] = {}

chapter = Chapter(__file__)


@chapter.exercise
def exhausted(choices: list[Any], expects: bool, why: str = "") -> Case:
    """Whether thinking used up a whole budget."""
    return call(reply(*choices), expects=expects, why=why)


@chapter.exercise
def reasoning_share(usages: list[Any], expects: float, why: str = "") -> Case:
    """The hidden share of all output."""
    replies = [
        reply("8", usage=usage(40, **bill) if bill else None) for bill in usages
    ]
    return call(Once(replies), expects=expects, why=why)


@chapter.exercise
def cheapest_correct(
    ways: Mapping[str, Any], expects: str | None, why: str = ""
) -> Case:
    """The way of asking whose correct answers cost the least."""
    given = {
        name: [tuple(answer) for answer in answers]
        for name, answers in ways.items()
    }
    return call(given, expects=expects, why=why)


@chapter.exercise
def ask_with_headroom(
    answers: list[Any],
    budgets: list[int],
    expects: Any,
    first: int = 300,
    ceiling: int = 600,
    params: Mapping[str, Any] = NOTHING,
    why: str = "",
) -> Case:
    """Send a request once, and at most once more with a larger budget."""
    request = {
        "model": "o4-mini",
        "messages": [message("user", "On which day?")],
        **params,
    }
    replies = list(map(_answer, answers))

    def run(function: Function) -> Any:
        import openai

        script, own = Script(*replies), copy.deepcopy(request)
        try:
            returned = function(script.client, own, first, ceiling)
        except NotImplementedError:
            raise
        except (ValueError, RuntimeError, openai.APIStatusError) as error:
            returned = _ended(error, expects)
        others = [
            {k: v for k, v in body.items() if k != "max_completion_tokens"}
            for body in script.requests
        ]
        return {
            "budgets": [
                body.get("max_completion_tokens") for body in script.requests
            ],
            "returned": returned,
            "the rest": (
                "as in params"
                if all(other == request for other in others)
                else others
            ),
            "params": "unchanged" if own == request else own,
        }

    returns = repr(expects) if isinstance(expects, Raises) else tuple(expects)
    expected = {
        "budgets": budgets,
        "returned": returns,
        "the rest": "as in params",
        "params": "unchanged",
    }

    def given() -> str:
        shown = ", then ".join(map(answer_text, replies))
        return (
            f"ask_with_headroom(client, {request!r}, {first}, {ceiling}), answered"
            f" with {shown}"
        )

    return Case(given, run, expected, why)


def _answer(row: Any) -> Any:
    """Return an API answer from exercises.toml, which describes the format."""
    if isinstance(row, int):
        return error_answer(row, "Unsupported value.", code="unsupported_value")
    reason, tokens, *content = row
    text = "".join(content)
    bill = usage(40, tokens, reasoning=max(tokens - len(text.split()), 0))
    choice = {"content": text if content else None, "finish_reason": reason}
    return reply(choice, usage=bill)


def _ended(error: Exception, expects: Any) -> str:
    """Describe an error in words: those of the expected error if it is that error. Its numbers may
    be grouped.
    """
    text = str(error).replace(",", "").replace("_", "")
    if (
        isinstance(expects, Raises)
        and isinstance(error, expects.kind)
        and all(word in text for word in expects.words)
    ):
        return repr(expects)
    return f"raised {type(error).__name__}"


@chapter.exercise
def migrate(
    params: Mapping[str, Any],
    to_model: str,
    expects: Mapping[str, Any],
    headroom: int = 1000,
    why: str = "",
) -> Case:
    """A request in the form that another model accepts."""
    messages = [message("user", "When?")]
    request = {"model": "gpt-4o", "messages": messages, **params}
    expected = {"model": to_model, "messages": messages, **expects}
    return call(
        request, to_model, headroom, expects=expected, why=why, new=True
    )
