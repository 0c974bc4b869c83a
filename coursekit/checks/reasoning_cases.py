"""What the cases of chapter 07 share: replies in short, two budgets in a script, and what moving a
request gives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from .. import models
from .answers import reply, usage
from .case import Case, Function

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
    name: models.get(name).efforts for name in ("o4-mini", "gpt-6-luna", "gpt-6.2-sol")
}


def reply_text(came: Any) -> str:
    """A reply's choices in short."""
    choices = [
        (choice.finish_reason, choice.message.content) for choice in came.choices
    ]
    return (
        ", ".join(
            f"finish_reason {reason!r} and content {content!r}"
            for reason, content in choices
        )
        or "no choices"
    )


def mixed(*choices: tuple[str | None, str]) -> Any:
    """A reply with these choices, each a content and a finish_reason."""
    whole = reply(*(content for content, _ in choices))
    for choice, (_, reason) in zip(whole.choices, choices, strict=True):
        choice.finish_reason = reason  # type: ignore[assignment]
    return whole


def counted(completion: int, reasoning: int | None) -> Any:
    """A reply with a usage; reasoning None: without details."""
    details = reasoning is not None
    return reply(
        "8", usage=usage(40, completion, reasoning=reasoning or 0, details=details)
    )


def usage_text(came: Any) -> str:
    """What a reply's usage tells, in short."""
    if came.usage is None:
        return "no usage"
    details = came.usage.completion_tokens_details
    hidden = f"{details.reasoning_tokens} hidden" if details else "no details"
    return f"{came.usage.completion_tokens} out ({hidden})"


def asked(
    answers: Sequence[Any],
    params: Mapping[str, Any],
    first: int,
    ceiling: int,
    expected: Mapping[str, Any],
    why: str,
) -> Case:
    """The case of ``ask_with_headroom``: what came, which budgets were sent, and whether params are
    as they were.

    answers   replies, or error answers of the API
    expected  "came", and "budgets": the max_completion_tokens of each request
    """

    def run(function: Function) -> Any:
        from .script import Script

        script, own = Script(*answers), copy.deepcopy(dict(params))
        came: Any
        try:
            came = function(script.client, own, first, ceiling)
        except NotImplementedError:
            raise
        except (ValueError, RuntimeError) as error:
            digits = str(error).replace(",", "").replace("_", "")
            told = [
                number for number in (str(sum(_billed(answers))),) if number in digits
            ]
            kind = "ValueError" if isinstance(error, ValueError) else "RuntimeError"
            came = " with ".join(
                [f"raised {kind}", *(told if kind == "RuntimeError" else [])]
            )
        except Exception as error:
            if getattr(error, "status_code", None) is None:
                raise
            came = f"raised {type(error).__name__}"
        others = [
            {k: v for k, v in body.items() if k != "max_completion_tokens"}
            for body in script.requests
        ]
        return {
            "came": came,
            "budgets": [body.get("max_completion_tokens") for body in script.requests],
            "the rest": "as in params"
            if all(other == dict(params) for other in others)
            else others,
            "params": "unchanged" if own == dict(params) else own,
        }

    told = ", then ".join(_answer_text(answer) for answer in answers)
    given = f"ask_with_headroom(client, {dict(params)!r}, {first}, {ceiling}), answered with {told}"
    return Case(
        given, run, {**expected, "the rest": "as in params", "params": "unchanged"}, why
    )


def _billed(answers: Sequence[Any]) -> list[int]:
    return [
        answer.usage.completion_tokens
        for answer in answers
        if getattr(answer, "usage", None)
    ]


def _answer_text(answer: Any) -> str:
    if not hasattr(answer, "choices"):
        return f"status {answer.status}"
    return f"{reply_text(answer)} ({answer.usage.completion_tokens} tokens)"


def moved(params: Mapping[str, Any], to_model: str, headroom: int) -> dict[str, Any]:
    """What ``migrate`` must make of a request."""
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
        (each for each in (params.get("reasoning_effort"), "none") if each in efforts),
        None,
    )
    if effort is not None:
        result["reasoning_effort"] = effort
    if effort != "none":
        result = {name: value for name, value in result.items() if name not in SAMPLING}
        if "max_completion_tokens" in result:
            result["max_completion_tokens"] += headroom
    return result
