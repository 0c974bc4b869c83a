"""Cases of a function that asks gpt-4o once and hands on what is whole."""

from __future__ import annotations

from typing import Any

from .case import Case, Function, Raises


def message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


QUESTION = [message("user", "What is the capital of France?")]


def whole_case(
    said: str, answer: Any, messages: list[dict[str, str]], why: str = "", **params: Any
) -> Case:
    """The answer, with the text ``said``, is whole: it is returned, and all the params were sent,
    once.
    """
    more = "".join(f", {name}={value!r}" for name, value in params.items())
    given = (
        f"safe_reply(client, {messages!r}{more}), answered with {said!r} and finish_reason "
        "'stop'"
    )
    sent = {"messages": messages, "model": "gpt-4o", **params}
    return Case(
        given,
        _asked(answer, messages, **params),
        {"returned": said, "requests": [sent]},
        why,
    )


def refused_case(
    kind: type[Exception], words: tuple[str, ...], answer: Any, what: str, why: str
) -> Case:
    """The answer is not whole, or is an error: an exception with these words, after one request."""
    run = _asked(answer, QUESTION, temperature=0)
    return Case(
        f"safe_reply(client, messages, temperature=0), answered with {what}",
        run,
        Raises(kind, words),
        why,
    )


def _asked(answer: Any, messages: list[dict[str, str]], **params: Any) -> Any:
    def run(function: Function) -> Any:
        from .script import Script

        script = Script(answer)
        try:
            text = function(script.client, messages, **params)
        except Exception:
            if len(script.requests) <= 1:
                raise
            return {"requests": len(script.requests)}
        asked = ("model", "messages", *params)
        return {
            "returned": text,
            "requests": [
                {key: body.get(key) for key in asked} for body in script.requests
            ],
        }

    return run
