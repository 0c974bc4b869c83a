"""The same requests through OpenAI's Batch API: half the price, within 24 hours, under separate
limits.

    submit_batch   writes the file, uploads it, and starts the batch: you only have to keep the id
    collect_batch  waits, and returns the results in the same form as run_batch

In between, your program may end: collect_batch reads the requests back from the file that was
uploaded. Taught in 05 §9.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import httpx2
import openai
from openai.types import Batch
from openai.types.chat import ChatCompletion

from ..foundation.arguments import takes_client
from ..foundation.portable import Portable
from ..metering import Receipt, receipt_of
from ..offline.exchange import CHAT_COMPLETIONS
from ..retrying import UnusableReply, clock_of
from ..wired import status_error, wired_to
from .requests import NOT_IN_THE_BODY, Request, as_requests, plain
from .results import NotSent, Result, Results

# of one batch: the SDK's docstring of batches.create
MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
OVER = ("completed", "failed", "expired", "cancelled")
EVERY = 30.0  # seconds between two checks


class BatchFailed(Portable, RuntimeError):
    """The API refused a batch's file: no request was answered, and nothing is billed. ``batch``
    says why.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        faults = (batch.errors.data if batch.errors else None) or []
        named = [f"line {each.line}: {each.message}" for each in faults[:3]]
        why = "; ".join(named) or "the API does not say why"
        super().__init__(
            f"The batch {batch.id} failed, and no request was answered: {why}.\n"
            "Fix these requests, and submit the list again."
        )


@takes_client(is_async=True)
async def submit_batch(
    client: openai.AsyncOpenAI,
    prompts_or_requests: Iterable[str | Mapping[str, Any]],
    *,
    metadata: dict[str, str] | None = None,
    **params: Any,
) -> str:
    """Submit requests to the Batch API and return the batch's ID, which you need to find the
    answers.

    client    from ``connect_async()``, or any ``openai.AsyncOpenAI``
    prompts_or_requests, params  as for ``run_batch``; all for one model
    metadata  up to 16 names and texts that are stored with the batch and help you find it again

    Raises ValueError or TypeError before anything is sent, for something that is not a request,
    more than one model, or more than 50,000 requests or 200 MB; and whatever the SDK raises.
    """
    requests = as_requests(prompts_or_requests, params)
    content = input_file(requests)
    file = await client.files.create(
        file=("requests.jsonl", content), purpose="batch"
    )
    batch = await client.batches.create(
        input_file_id=file.id,
        endpoint=CHAT_COMPLETIONS,
        completion_window="24h",
        metadata=metadata,
    )
    return batch.id


@takes_client(is_async=True)
async def collect_batch(
    client: openai.AsyncOpenAI, batch_id: str, *, every: float = EVERY
) -> Results:
    """Wait until a batch is finished, and return the result of each request, in the order of the
    list.

    every  seconds between two checks, above 0, on the client's clock

    The result of a refused request contains the SDK's own exception; that of one that was not
    executed (the batch expired or was cancelled) contains NotSent. The costs are those of the Batch
    API. Raises BatchFailed if the API refused the file, and whatever the SDK raises; the batch
    continues without you, so you can call this again.
    """
    if not every > 0:
        raise ValueError(
            f"every={every!r:.40} is not a time to wait. Give a number of seconds above 0."
        )
    clock = clock_of(client)
    batch = await client.batches.retrieve(batch_id)
    while batch.status not in OVER:
        await clock.wait_async(clock.now() + every)
        batch = await client.batches.retrieve(batch_id)
    if batch.status == "failed":
        raise BatchFailed(batch)
    lines = {
        **await _lines(client, batch.output_file_id),
        **await _lines(client, batch.error_file_id),
    }
    over = (
        batch.completed_at
        or batch.cancelled_at
        or batch.expired_at
        or batch.created_at
    )
    stopped = (
        None if batch.status == "completed" else f"the batch is {batch.status}"
    )
    results = [
        _result(name, lines.get(name), batch.status, client)
        for name in await _lines(client, batch.input_file_id)
    ]
    return Results(
        results, seconds=float(over - batch.created_at), stopped=stopped
    )


def input_file(requests: list[Request]) -> bytes:
    """A batch's file, as JSON Lines. Raises ValueError for requests that cannot be in one."""
    models = sorted({str(request.params["model"]) for request in requests})
    if len(models) != 1:
        raise ValueError(
            f"A batch is for a single model, but this list has {', '.join(models)}. Submit one "
            "batch for each."
            if models
            else "There is nothing to submit: the list is empty."
        )
    if len(requests) > MOST_REQUESTS:
        raise ValueError(
            f"A batch takes at most {MOST_REQUESTS:,} requests, but got {len(requests):,}. "
            "Split the list."
        )
    content = b"".join(_line(request) for request in requests)
    if len(content) > MOST_BYTES:
        raise ValueError(
            f"A batch takes at most {MOST_BYTES:,} bytes, but got {len(content):,}. Split "
            "the list."
        )
    return content


def _line(request: Request) -> bytes:
    for name in NOT_IN_THE_BODY:
        if name in request.params:
            raise ValueError(
                f"{request.custom_id} has {name}, which is only for single calls. Leave it out."
            )
    body = dict(request.params)
    body |= body.pop("extra_body", None) or {}
    line = {
        "custom_id": request.custom_id,
        "method": "POST",
        "url": CHAT_COMPLETIONS,
        "body": body,
    }
    return json.dumps(line, default=plain).encode() + b"\n"


async def _lines(
    client: openai.AsyncOpenAI, file_id: str | None
) -> dict[str, dict[str, Any]]:
    """The lines of a batch's file, by custom_id."""
    lines: dict[str, dict[str, Any]] = {}
    if file_id is None:
        return lines
    content = await client.files.content(file_id)
    for raw in content.content.split(b"\n"):
        # one that cannot be read must not affect the others
        with contextlib.suppress(ValueError):
            line = json.loads(raw)
            if isinstance(line, dict):
                lines[str(line.get("custom_id"))] = line
    return lines


def _result(
    name: str, line: Mapping[str, Any] | None, status: str, client: Any
) -> Result:
    """The result from a line of the output or error file; None: it is in neither."""
    error: Exception
    if line is None:
        error = NotSent(
            f"The batch is {status}, and its files have no line for this request."
        )
        return Result(name, error=error)
    response = line.get("response")
    if not isinstance(response, Mapping):
        error_field = line.get("error")
        if isinstance(error_field, Mapping):
            error_field = error_field.get("message")
        error = NotSent(str(error_field or "This request was not executed."))
        return Result(name, error=error)
    body = response.get("body")
    if response.get("status_code") != 200:
        return Result(name, None, _error(response, client), 1)
    if not isinstance(body, Mapping) or not body.get("choices"):
        error = UnusableReply(
            "The batch's line for this request has no choices.", body
        )
        return Result(name, None, error, 1)
    # as the SDK reads an answer: a field that is new or odd costs nothing
    reply = ChatCompletion.construct(**body)
    return Result(name, reply, None, 1, bill=partial(_receipt, reply, client))


def _error(response: Mapping[str, Any], client: Any) -> Exception:
    """A refusal as the SDK would have raised it."""
    answer = httpx2.Response(
        int(response.get("status_code") or 500),
        headers={"x-request-id": str(response.get("request_id") or "")},
        json=response.get("body"),
        request=httpx2.Request("POST", f"{client.base_url}chat/completions"),
    )
    return status_error(client, answer)


def _receipt(reply: ChatCompletion, client: Any) -> Receipt:
    wired = wired_to(client)
    mode = wired.journal.mode if wired else None
    return replace(receipt_of(reply, batch=True), source="batch", mode=mode)
