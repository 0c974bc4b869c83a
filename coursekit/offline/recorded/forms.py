"""A recorded answer in the requested form: whole or streamed, with or without its usage.

An answer that did not end is never made to look complete. Nothing is made up: if a form cannot
represent part of an answer (audio, a count that is unknown), the answer does not have that form.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import replace

from ... import models, tokens
from ..event_stream import is_done, json_of, objects_of
from ..exchange import ApiAnswer, Event, Json, JsonDict, json_answer, sse
from .chunks import (
    STREAM,
    Chunk,
    NoSuchForm,
    Pace,
    chunks,
    is_piece,
    options_of,
    timed,
    usage_of,
)

# fields whose texts arrive in pieces
GROWING = ("content", "refusal", "arguments", "reasoning", "reasoning_content")


def as_asked(answer: ApiAnswer, body: Json) -> ApiAnswer:
    """A recorded answer in the requested form; its source names the conversion.

    answer  recorded for a request that differs only in ``stream`` and ``stream_options``
    body    the body of the present request

    A refusal is the same in every form. Raises NoSuchForm if the answer does not have the form.
    """
    if answer.status != 200:
        return answer
    try:
        if body.get("stream"):
            change = _streamed if answer.events is None else _with_options
            return change(answer, body)
        return answer if answer.events is None else _assembled(answer, body)
    except (LookupError, TypeError, AttributeError) as error:
        raise NoSuchForm(f"It is not a completion: {error!r}") from error


def _streamed(answer: ApiAnswer, body: Json) -> ApiAnswer:
    """A complete answer as a stream that takes the same time. The model's facts say how much of it
    passes before the first piece.
    """
    completion = next(iter(objects_of(answer)), {})
    if answer.breaks or not completion.get("choices"):
        raise NoSuchForm("It is not a completion.")
    stream = list(chunks(completion, body))
    rng = random.Random(f"{completion.get('id')} {answer.after}")
    gaps = [Pace().draw_gap(rng) for chunk in stream if is_piece(chunk)]
    waited = answer.after * _share_before_first(completion, body, len(gaps))
    scale = (answer.after - waited) / sum(gaps) if gaps else 0.0
    scaled = (scale * gap for gap in gaps)
    obfuscated = options_of(body).get("include_obfuscation") is not False
    events = tuple(timed(stream, waited, scaled.__next__, rng, obfuscated))
    return replace(
        answer,
        headers=_headers(answer, STREAM["content-type"], waited),
        body=b"",
        events=events,
        after=min(answer.after, events[0].at),
        source=f"{answer.source}, streamed from a whole answer",
    )


def _share_before_first(completion: Chunk, body: Json, pieces: int) -> float:
    """The share of an answer's time before its first piece, by its hidden tokens and the model's
    latency.
    """
    model = str(body.get("model"))
    first, each = Pace().first, Pace().gap
    if models.known(model) and (fit := models.get(model).latency):
        first, each = fit.first, fit.per_token
    usage = completion.get("usage") or {}
    details = usage.get("completion_tokens_details") or {}
    before = first + each * (details.get("reasoning_tokens") or 0)
    return before / (before + each * pieces)


def _assembled(answer: ApiAnswer, body: Json) -> ApiAnswer:
    """The completion that a stream amounts to, if it ended."""
    stream = objects_of(answer)
    if answer.breaks or not _ended(stream, body):
        raise NoSuchForm("The stream did not end.")
    merged: dict[int, JsonDict] = {}
    for choice in _choices(stream):
        _merge(merged.setdefault(choice["index"], {}), choice)
    first = stream[0]
    completion = {"id": first.get("id"), "object": "chat.completion"}
    completion |= _fields(first, "created", "model")
    completion["choices"] = [_whole(merged[index]) for index in sorted(merged)]
    completion["usage"] = _usage(stream) or count(completion, body)
    completion |= _fields(first, "service_tier", "system_fingerprint")
    headers = _headers(answer, "application/json", answer.seconds)
    source = f"{answer.source}, assembled from a stream"
    return json_answer(
        200, completion, headers=headers, after=answer.seconds, source=source
    )


def _with_options(answer: ApiAnswer, body: Json) -> ApiAnswer:
    """A stream with the usage and the obfuscation that the request asks for."""
    options, source = options_of(body), answer.source
    counted = options.get("include_usage") is True
    left_out = set() if counted else {"usage"}
    if options.get("include_obfuscation") is False:
        left_out.add("obfuscation")
    stream = objects_of(answer)
    added: list[Event] = []
    ended = not answer.breaks and _ended(stream, body)
    if counted and ended and not _usage(stream):
        [whole] = objects_of(_assembled(answer, body))
        if whole["usage"] is None:
            raise NoSuchForm("Its usage cannot be determined.")
        last = {**stream[-1], "choices": [], "usage": whole["usage"]}
        added.append(Event(answer.seconds, sse(last)))
        source += ", usage counted"
    events: list[Event] = []
    for event in answer.events or ():
        chunk = json_of(event.data)
        if chunk is None:  # [DONE], or a comment
            events += [*(added if is_done(event.data) else ()), event]
            continue
        if chunk.get("usage") and not chunk.get("choices") and not counted:
            continue  # the chunk that contains only the usage
        shown = {
            name: value for name, value in chunk.items() if name not in left_out
        }
        if counted and "choices" in chunk:
            shown.setdefault("usage", None)
        events.append(Event(event.at, sse(shown)))
    return replace(answer, events=tuple(events), source=source)


def count(completion: Chunk, body: Json) -> JsonDict | None:
    """The usage of a completion, by counting; None if part of it cannot be counted: hidden
    reasoning, tools, images.
    """
    model = str(completion.get("model"))
    hidden = body.keys() & {"tools", "functions", "response_format"}
    if (
        any(body[name] for name in hidden)
        or not models.known(model)
        or models.get(model).reasons
    ):
        return None
    try:
        prompt = tokens.count_tokens(body["messages"], model)
        written = 0
        for choice in completion["choices"]:
            message = choice["message"]
            text = message.get("content") or message.get("refusal") or ""
            written += tokens.count_tokens(text, model)
    except (ValueError, LookupError, TypeError):
        return None
    return usage_of(prompt, written)


def _choices(stream: list[Chunk]) -> Iterator[JsonDict]:
    for chunk in stream:
        yield from chunk.get("choices", ())


def _ended(stream: list[Chunk], body: Json) -> bool:
    """Whether every choice has its finish reason, and no error was reported."""
    ended = {
        choice["index"]
        for choice in _choices(stream)
        if choice.get("finish_reason")
    }
    return len(ended) == (body.get("n") or 1) and not any(
        "error" in chunk for chunk in stream
    )


def _merge(whole: JsonDict, part: Json) -> None:
    """Add a chunk's contents to ``whole``: texts and lists grow; an item of a list is identified by
    its index.
    """
    for name, value in part.items():
        before = whole.get(name)
        if isinstance(value, dict):
            whole[name] = before = {} if before is None else before
            _merge(before, value)
        elif isinstance(value, list):
            whole[name] = before = [] if before is None else before
            for item in value:
                index = item.get("index") if isinstance(item, dict) else None
                same = (one for one in before if one.get("index") == index)
                earlier = None if index is None else next(same, None)
                if earlier is None:
                    before.append(copy.deepcopy(item))
                else:
                    _merge(earlier, item)
        elif name in GROWING and value is not None and before is not None:
            whole[name] = before + value
        elif value is not None or name not in whole:
            whole[name] = value


def _whole(choice: Json) -> JsonDict:
    """A choice whose chunks were merged, in the shape of a completion's."""
    delta = choice.get("delta") or {}
    message = {"role": "assistant", "content": None, **delta}
    if "tool_calls" in message:
        message["tool_calls"].sort(key=lambda call: call.pop("index"))
    message.setdefault("refusal", None)
    message.setdefault("annotations", [])
    return {
        "index": choice["index"],
        "message": message,
        **_fields(choice, "logprobs"),
        "finish_reason": choice["finish_reason"],
    }


def _fields(value: Json, *names: str) -> JsonDict:
    """These fields, as far as they exist."""
    return {name: value[name] for name in names if name in value}


def _usage(stream: list[Chunk]) -> JsonDict | None:
    usages = [chunk["usage"] for chunk in stream if chunk.get("usage")]
    return usages[-1] if usages else None


def _headers(answer: ApiAnswer, kind: str, seconds: float) -> dict[str, str]:
    """The answer's headers with another content type and ``seconds`` of processing."""
    headers = {**answer.headers, "content-type": kind}
    if "openai-processing-ms" in headers:
        headers["openai-processing-ms"] = str(round(seconds * 1000))
    return headers
