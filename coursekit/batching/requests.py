"""The form of a request that run_batch, the checkpoint and the Batch API's file share.

``custom_id`` is the Batch API's own name for what distinguishes the requests of a list.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..foundation.arguments import did_you_mean, given
from ..tokens import as_dict

# of create()'s arguments
NOT_IN_THE_BODY = (
    "timeout",
    "extra_headers",
    "extra_query",
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been checked.

    custom_id  unique in its list; "request-1", "request-2", … if none was given
    params     the arguments of ``client.chat.completions.create``
    key        finds its answer in a checkpoint. It is derived from the request's content and its
               custom_id, if any, so a list may be reordered or grow; identical requests are
               distinguished by their order.
    """

    custom_id: str
    params: Mapping[str, Any]
    key: str


def as_requests(
    items: Iterable[str | Mapping[str, Any]], shared: Mapping[str, Any]
) -> list[Request]:
    """Check a list of prompts and requests before any of them is sent.

    items   each a prompt (str), or a mapping of create()'s arguments, which may have a
            ``custom_id``
    shared  arguments that every request has; a request's own take precedence

    Returns the requests in order. Raises TypeError for anything but a prompt or a request, and
    ValueError for two equal custom_ids, an argument that create() does not have, a missing model or
    messages, stream=True, or values that JSON cannot represent. The message names the request.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(
        items, Iterable
    ):
        cure = (
            " Collect it first: [item async for item in …]."
            if hasattr(items, "__aiter__")
            else ""
        )
        raise TypeError(
            "run_batch needs a list of prompts or requests, but got a single "
            f"{type(items).__name__}.{cure}"
        )
    requests: list[Request] = []
    taken: set[str] = set()
    seen: Counter[str] = Counter()
    for number, item in enumerate(items, 1):
        where = f"Request {number}"
        params, custom_id = _params(item, shared, where)
        if custom_id in taken:
            raise ValueError(
                f"{where} has the custom_id {custom_id!r:.60}, and so does an earlier one. Make it "
                "unique."
            )
        name = custom_id or f"request-{number}"
        taken.add(name)
        content = _fingerprint(custom_id, params, where)
        requests.append(Request(name, params, f"{content}-{seen[content]}"))
        seen[content] += 1
    if len(taken) < len(requests):
        raise ValueError(
            'A custom_id of the form "request-2" was given to another request. Set one '
            "for every request, or for none."
        )
    return requests


def _params(
    item: Any, shared: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], str | None]:
    if isinstance(item, str):
        item = {"messages": [{"role": "user", "content": item}]}
    if not isinstance(item, Mapping):
        raise TypeError(
            f"{where} is a {type(item).__name__}. Give a prompt, or a mapping of create()'s "
            "arguments."
        )
    own = dict(item)
    custom_id = own.pop("custom_id", None)
    if custom_id is not None and not (custom_id and isinstance(custom_id, str)):
        raise ValueError(
            f"{where} has the custom_id {custom_id!r:.60}. Use a non-empty string."
        )
    params = {**given(shared), **given(own)}
    for name in params:
        if name not in _arguments():
            raise ValueError(
                f"{where} has {name!r:.60}, which chat.completions.create() does not accept. "
                + did_you_mean(name, _arguments(), "Leave it out.")
            )
    for name in ("model", "messages"):
        if not params.get(name):
            cure = (
                ': run_batch(client, prompts, model="gpt-4o-mini")'
                if name == "model"
                else ""
            )
            raise ValueError(f"{where} has no {name}. Give it{cure}.")
    if params.get("stream"):
        raise ValueError(
            f"{where} has stream=True. A batch cannot stream: leave it out."
        )
    return params, custom_id


def _fingerprint(
    custom_id: str | None, params: Mapping[str, Any], where: str
) -> str:
    body = {
        name: value
        for name, value in params.items()
        if name not in NOT_IN_THE_BODY
    }
    try:
        text = json.dumps(
            [custom_id, body], sort_keys=True, allow_nan=False, default=plain
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where} cannot be written as JSON, as the API takes it: {error}."
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """A message object of the SDK as JSON's own types."""
    if isinstance(value, type):
        raise TypeError(
            f"the class {value.__name__} is not JSON. Only parse() takes a class; give its schema"
        )
    fields = as_dict(value)
    if fields is value:
        raise TypeError(f"{type(value).__name__} is not JSON")
    return fields


@lru_cache(maxsize=1)
def _arguments() -> tuple[str, ...]:
    """The arguments of create(), as the installed SDK has them."""
    from openai.resources.chat.completions import AsyncCompletions

    _, *names = inspect.signature(AsyncCompletions.create).parameters
    return tuple(names)
