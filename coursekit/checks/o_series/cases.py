"""What the cases of chapter 07 share: replies out of data, two budgets in a script, and a request
that was moved.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ... import models
from ..engine import Case, Function
from ..engine.answers import message, reply, usage
from ..engine.script import Script

NEVER = ("stop", "logit_bias")
SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
)
EFFORTS = {
    name: models.get(name).efforts
    for name in ("o4-mini", "gpt-6-luna", "gpt-6.2-sol")
}


def mixed(choices: Sequence[Sequence[str]]) -> Any:
    """A reply with these choices, each a finish_reason and perhaps a content."""
    whole = reply(*(content[0] if content else None for _, *content in choices))
    for choice, (reason, *_) in zip(whole.choices, choices, strict=True):
        choice.finish_reason = reason  # type: ignore[assignment]
    return whole


def with_budgets(
    answers: Sequence[Any],
    first: int = 300,
    ceiling: int = 600,
    params: Mapping[str, Any] | None = None,
    why: str = "",
) -> Case:
    """The case of ``ask_with_headroom``.

    answers  of the API, in turn: an ``ApiAnswer``, or a finish_reason, the completion tokens and
             perhaps a content
    """
    request = {
        "model": "o4-mini",
        "messages": [message("user", "On which day?")],
        **(params or {}),
    }
    replies = [
        _answer(*answer) if isinstance(answer, Sequence) else answer
        for answer in answers
    ]
    returned, budgets = _as_it_should(replies, first, ceiling)

    def run(function: Function) -> Any:
        script, own = Script(*replies), copy.deepcopy(request)
        try:
            got = function(script.client, own, first, ceiling)
        except NotImplementedError:
            raise
        except Exception as error:
            if not isinstance(error, ValueError | RuntimeError) and not hasattr(
                error, "status_code"
            ):
                raise
            got = _raised(error, str(returned))
        others = [
            {k: v for k, v in body.items() if k != "max_completion_tokens"}
            for body in script.requests
        ]
        return {
            "budgets": [
                body.get("max_completion_tokens") for body in script.requests
            ],
            "returned": got,
            "the rest": (
                "as in params"
                if all(other == request for other in others)
                else others
            ),
            "params": "unchanged" if own == request else own,
        }

    expected = {
        "budgets": budgets,
        "returned": returned,
        "the rest": "as in params",
        "params": "unchanged",
    }
    shown = ", then ".join(map(_text, replies))
    given = (
        f"ask_with_headroom(client, {request!r}, {first}, {ceiling}), answered with"
        f" {shown}"
    )
    return Case(given, run, expected, why)


def _answer(reason: str, tokens: int, content: str | None = None) -> Any:
    hidden = max(tokens - len((content or "").split()), 0)
    return reply(
        content, finish_reason=reason, usage=usage(40, tokens, reasoning=hidden)
    )


def _as_it_should(
    replies: Sequence[Any], first: int, ceiling: int
) -> tuple[Any, list[int]]:
    """What is returned or raised, and the budgets that are sent."""
    if not 0 < first < ceiling:
        return "raised ValueError", []
    billed, budgets = 0, []
    for answer, budget in zip(replies, (first, ceiling), strict=False):
        budgets.append(budget)
        if not hasattr(answer, "choices"):
            return "raised BadRequestError", budgets
        billed += answer.usage.completion_tokens
        if answer.choices[0].finish_reason != "length":
            return (answer.choices[0].message.content, billed), budgets
    return f"raised RuntimeError with {billed} in its message", budgets


def _raised(error: Exception, expected: str) -> str:
    """An error as text; with the number in its message that is expected there, if it has it."""
    number = expected.removeprefix("raised RuntimeError with ").partition(" ")[
        0
    ]
    digits = str(error).replace(",", "").replace("_", "")
    if (
        isinstance(error, RuntimeError)
        and number.isdigit()
        and number in digits
    ):
        return expected
    kinds = (
        kind.__name__
        for kind in (ValueError, RuntimeError)
        if isinstance(error, kind)
    )
    return f"raised {next(kinds, type(error).__name__)}"


def _text(answer: Any) -> str:
    if not hasattr(answer, "choices"):
        return f"status {answer.status}"
    choice, tokens = answer.choices[0], answer.usage.completion_tokens
    return (
        f"finish_reason {choice.finish_reason!r}, content {choice.message.content!r}"
        f" ({tokens} tokens)"
    )


def moved(
    params: Mapping[str, Any], to_model: str, headroom: int
) -> dict[str, Any]:
    """What ``migrate`` must return."""
    result = {
        name: value
        for name, value in params.items()
        if name not in (*NEVER, "max_tokens", "reasoning_effort")
    }
    result["model"] = to_model
    if "max_tokens" in params:
        result["max_completion_tokens"] = params["max_tokens"]
    efforts = EFFORTS[to_model]
    effort = next(
        (
            each
            for each in (params.get("reasoning_effort"), "none")
            if each in efforts
        ),
        None,
    )
    if effort is not None:
        result["reasoning_effort"] = effort
    if effort == "none":
        return result
    if "max_completion_tokens" in result:
        result["max_completion_tokens"] += headroom
    return {
        name: value for name, value in result.items() if name not in SAMPLING
    }
