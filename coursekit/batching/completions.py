"""batch_completions(): the tutorial's function, on run_batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import openai

from .. import models
from .run import run_batch


async def batch_completions(
    client: openai.AsyncOpenAI,
    prompts: Iterable[str],
    *,
    model: str = models.SMALL,
    max_completion_tokens: int = 200,
    max_concurrency: int = 5,
    **options: Any,
) -> list[str]:
    """Ask all prompts, five at a time, and return what the model said to each, in order.

    options  as ``run_batch`` takes them

    Raises Unanswered when a prompt has no answer; what was paid for is in its ``results``. A reply without a text, as
    a refusal, gives "".
    """
    results = await run_batch(
        client,
        prompts,
        model=model,
        max_completion_tokens=max_completion_tokens,
        max_concurrency=max_concurrency,
        **options,
    )
    return [text or "" for text in results.texts()]
