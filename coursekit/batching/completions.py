"""batch_completions(): the function of many tutorials, on run_batch. Taught in 05 §6."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import openai

from .. import models
from ..foundation.arguments import given, refuse_unknown, takes_client
from .run import run_batch


@takes_client(is_async=True)
async def batch_completions(
    client: openai.AsyncOpenAI,
    prompts: Iterable[str],
    *,
    model: str | None = None,
    max_completion_tokens: int | None = None,
    max_concurrency: int = 5,
    **options: Any,
) -> list[str]:
    """Send all prompts, five at a time, and return the model's answers in order.

    model    None: ``models.SMALL``
    max_completion_tokens  of each reply; None: 200, or ``max_tokens`` where that older name is
                           given
    options  as ``run_batch`` takes them: its own, and those of each request

    Raises Unanswered if a prompt has no answer; what was paid for is in its ``results``. A reply
    without text, such as a refusal, gives "". A keyword that neither run_batch nor create() accepts
    raises TypeError before anything is sent.
    """
    options = given(options)
    own = inspect.signature(run_batch).parameters
    others = {name: options[name] for name in options if name not in own}
    refuse_unknown(run_batch, client, others)
    if max_completion_tokens is None and "max_tokens" not in options:
        max_completion_tokens = 200
    results = await run_batch(
        client,
        prompts,
        model=model or models.SMALL,
        max_completion_tokens=max_completion_tokens,
        max_concurrency=max_concurrency,
        **options,
    )
    return [text or "" for text in results.texts()]
