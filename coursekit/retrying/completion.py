"""robust_completion() returns one complete text for one prompt, or raises an error that says why it
cannot.

Taught in 06 §9.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from .. import models
from ..foundation.arguments import for_one_answer, takes_client
from ..foundation.portable import Portable
from .attempts import Attempt, clock_of, retry
from .policy import Policy


class UnusableReply(Portable, RuntimeError):
    """The API answered with 200, but the text is not complete. The reply was billed, and the same
    request would give the same result.

    text           as much of the text as there is; may be ""
    finish_reason  "length", "content_filter", …; None if there were no choices
    refusal        what the model said when it declined, or None
    reply          the complete answer, for ``Meter.add``
    """

    def __init__(
        self,
        why: str,
        reply: Any,
        text: str = "",
        finish_reason: str | None = None,
        refusal: str | None = None,
    ):
        self.text, self.finish_reason = text, finish_reason
        self.refusal, self.reply = refusal, reply
        super().__init__(why)


@takes_client(instead="retry_async")
def robust_completion(
    client: Any,
    prompt: str,
    *,
    max_attempts: int | None = None,
    max_retries: int | None = None,
    deadline: float | None = 60.0,
    timeout: float = 30.0,
    rng: random.Random | None = None,
    on_attempt: Callable[[Attempt], object] | None = None,
    **params: Any,
) -> str:
    """Get the reply to one prompt, as many tutorials' function of this name does, but with a single
    layer of retries: the SDK's own retries are switched off.

    client        from ``connect()``, or any ``openai.OpenAI``
    max_attempts  the total number of requests, 1 or more; None: 4
    max_retries   the tutorials' name for max_attempts: 3 means three requests in total, not three
                  retries after the first request as in ``openai.OpenAI``
    deadline      seconds after the first request within which attempts may begin; None: no limit.
                  If less than ``timeout`` is left, the remaining time is the timeout
    timeout       how many seconds an attempt may go without receiving data: the timeout limits each
                  read, not the whole answer
    rng           draws the jitter; on_attempt receives each attempt (see ``retry``)
    params        as ``client.chat.completions.create`` accepts them, for one answer that is not
                  streamed. Without a model: ``models.CHAT``

    Returns the complete text. Raises UnusableReply if the text is empty, refused, filtered, or cut
    off at max_completion_tokens; the SDK's own errors if no retry helps or none is left; and
    ValueError and TypeError before anything is sent.
    """
    policy = Policy(_attempts(max_attempts, max_retries), deadline=deadline)
    params = for_one_answer(robust_completion, client, params)
    if not isinstance(prompt, str):
        raise TypeError(
            f"robust_completion() takes one prompt, a string, but got a {type(prompt).__name__}. "
            "For messages, pass your own call to coursekit.retrying.retry()."
        )
    if params.get("stream"):
        raise ValueError(
            "robust_completion() returns one complete text: leave stream out, or use stream_text()."
        )
    request = {
        "model": models.CHAT,
        "messages": [{"role": "user", "content": prompt}],
        **params,
    }
    clock, once = clock_of(client), client.with_options(max_retries=0)
    end = math.inf if deadline is None else clock.now() + deadline

    def attempt() -> Any:
        left = min(timeout, max(0.001, end - clock.now()))
        return once.chat.completions.create(**request, timeout=left)

    reply = retry(
        attempt, policy=policy, clock=clock, rng=rng, on_attempt=on_attempt
    )
    return whole_text(reply)


def _attempts(max_attempts: int | None, max_retries: int | None) -> int:
    if max_attempts is not None and max_retries is not None:
        raise ValueError(
            "max_attempts and max_retries both set the number of requests: give max_attempts only."
        )
    named = max_attempts if max_retries is None else max_retries
    return 4 if named is None else named


def whole_text(reply: Any) -> str:
    """Return the text of a ChatCompletion. Raises UnusableReply unless the text is complete."""
    choices = getattr(reply, "choices", None)
    # for example, an HTML page from a proxy, which the SDK returns unchanged
    if not choices:
        raise UnusableReply(
            "The answer has no choices. Does this base_url point to the API?",
            reply,
        )
    reason, message = choices[0].finish_reason, choices[0].message
    text, refusal = message.content or "", getattr(message, "refusal", None)
    about: tuple[Any, ...] = (reply, text, reason, refusal)
    if refusal:
        raise UnusableReply(f"The model declined: {refusal}", *about)
    if reason == "length":
        what = (
            f"cut off after {len(text)} characters"
            if text
            else "empty: hidden reasoning used up the tokens"
        )
        raise UnusableReply(
            f"The text is {what}. Raise max_completion_tokens.", *about
        )
    if reason == "content_filter":
        raise UnusableReply(
            "The content filter stopped the answer. Change the request.",
            *about,
        )
    if not text:
        raise UnusableReply(
            f"The answer has no text (finish_reason {reason!r}).", *about
        )
    return text
