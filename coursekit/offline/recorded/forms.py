"""A recorded answer in the form that is asked for: whole, or streamed, with or without its usage.

What did not end is never made to look complete, and what a form cannot show (sound, a count that
nobody can know) is not made up: there is no such form then.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ... import models, tokens
from ..event_stream import is_done, json_of
from ..exchange import ApiAnswer, Event, json_answer, sse
from .chunks import STREAM, Chunk, NoSuchForm, Pace, chunks, is_piece, options_of, timed

GROWING = (
    "content",
    "refusal",
    "arguments",
    "reasoning",
    "reasoning_content",
)  # texts that come in pieces


def as_asked(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A recorded answer in the form that is asked for; its source says what was done to it.

    answer  recorded for a request that is equal but for ``stream`` and ``stream_options``
    body    of the request now

    Raises NoSuchForm, for one. A refusal is the same in every form.
    """
    if answer.status != 200:
        return answer
    try:
        if not body.get("stream"):
            return answer if answer.events is None else _assembled(answer, body)
        return (
            _streamed(answer, body)
            if answer.events is None
            else _with_options(answer, body)
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise NoSuchForm(f"It has not the shape of a completion: {error!r}") from error


def _streamed(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A whole answer as a stream that takes as long: the model's facts say which part of that
    passes before it.
    """
    completion = None if answer.breaks else _json(answer.body)
    if completion is None or not completion.get("choices"):
        raise NoSuchForm("It is no completion.")
    stream = list(chunks(completion, body))
    rng = random.Random(f"{completion.get('id')} {answer.after}")
    gaps = [Pace().draw_gap(rng) for chunk in stream if is_piece(chunk)]
    waited = (
        _share_before_first(completion, str(body.get("model")), len(gaps))
        * answer.after
    )
    scale = (answer.after - waited) / sum(gaps) if gaps else 0.0
    scaled = iter([scale * gap for gap in gaps])
    obfuscated = options_of(body).get("include_obfuscation") is not False
    events = tuple(timed(iter(stream), waited, scaled.__next__, rng, obfuscated))
    headers = _headers(answer, STREAM["content-type"], waited)
    source = f"{answer.source}, streamed from a whole answer"
    return replace(
        answer,
        headers=headers,
        body=b"",
        events=events,
        after=min(answer.after, events[0].at),
        source=source,
    )


def _share_before_first(
    completion: Mapping[str, Any], model: str, pieces: int
) -> float:
    """The part of an answer's time that passes before its first piece, by its hidden tokens and the
    model's latency.
    """
    fit = models.get(model).latency if models.known(model) else None
    first, each = (fit.first, fit.per_token) if fit else (Pace().first, Pace().gap)
    details = (completion.get("usage") or {}).get("completion_tokens_details") or {}
    before = first + each * (details.get("reasoning_tokens") or 0)
    return before / (before + each * pieces)


def _assembled(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A stream that ended as the completion that it brought."""
    stream = [
        chunk
        for chunk in (json_of(event.data) for event in answer.events or ())
        if chunk is not None
    ]
    if answer.breaks or not stream or not _ended(stream, body):
        raise NoSuchForm("The stream did not end.")
    choices: dict[int, dict[str, Any]] = {}
    for said in (choice for chunk in stream for choice in chunk.get("choices", ())):
        _merge(choices.setdefault(said["index"], {}), said)
    head = {"id": stream[0].get("id"), "object": "chat.completion"}
    head |= {
        name: stream[0][name] for name in ("created", "model") if name in stream[0]
    }
    completion = {
        **head,
        "choices": [_whole(choices[index]) for index in sorted(choices)],
    }
    completion["usage"] = _usage(stream) or count(completion, body)
    completion |= {
        name: stream[0][name]
        for name in ("service_tier", "system_fingerprint")
        if name in stream[0]
    }
    headers = _headers(answer, "application/json", answer.seconds)
    source = f"{answer.source}, assembled from a stream"
    return json_answer(
        200, completion, headers=headers, after=answer.seconds, source=source
    )


def _with_options(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A stream with the usage and the obfuscation that are asked for."""
    asked = options_of(body)
    parsed = [(event, json_of(event.data)) for event in answer.events or ()]
    stream = [chunk for _, chunk in parsed if chunk is not None]
    counted, usage, source = (
        asked.get("include_usage") is True,
        _usage(stream),
        answer.source,
    )
    added: list[Event] = []
    if (
        counted
        and usage is None
        and stream
        and not answer.breaks
        and _ended(stream, body)
    ):
        usage = count(_json(_assembled(answer, body).body) or {}, body)
        if usage is None:
            raise NoSuchForm("Nobody can know its usage.")
        last = {**stream[-1], "choices": [], "usage": usage}
        added, source = [Event(answer.seconds, sse(last))], f"{source}, usage counted"
    left_out = {"obfuscation"} if asked.get("include_obfuscation") is False else set()
    left_out |= set() if counted else {"usage"}
    events: list[Event] = []
    for event, chunk in parsed:
        if chunk is None:
            events += [*(added if is_done(event.data) else ()), event]
        elif counted or chunk.get("choices") or not chunk.get("usage"):
            kept = {
                name: value for name, value in chunk.items() if name not in left_out
            }
            if counted and "choices" in chunk:
                kept["usage"] = chunk.get("usage")
            events.append(Event(event.at, sse(kept)))
    return replace(answer, events=tuple(events), source=source)


def count(
    completion: Mapping[str, Any], body: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The usage of a completion, by counting; None where part of it cannot be seen: hidden
    reasoning, tools, images.
    """
    model = str(completion.get("model"))
    hidden = any(body.get(name) for name in ("tools", "functions", "response_format"))
    if hidden or not models.known(model) or models.get(model).reasons:
        return None
    said = [
        choice["message"].get("content") or choice["message"].get("refusal") or ""
        for choice in completion["choices"]
    ]
    try:
        prompt = tokens.count_tokens(body["messages"], model)
        written = sum(tokens.count_tokens(text, model) for text in said)
    except (ValueError, LookupError, TypeError):
        return None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


def _ended(stream: list[Chunk], body: Mapping[str, Any]) -> bool:
    """Whether every choice has its finish reason, and no error was reported."""
    reasons = {
        choice["index"]
        for chunk in stream
        for choice in chunk.get("choices", ())
        if choice.get("finish_reason")
    }
    return len(reasons) == (body.get("n") or 1) and not any(
        "error" in chunk for chunk in stream
    )


def _merge(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add to ``whole`` what a chunk brings: texts and lists grow, what has an index is found by
    it.
    """
    for name, value in part.items():
        before = whole.get(name)
        if isinstance(value, dict):
            if before is None:
                before = whole[name] = {}
            _merge(before, value)
        elif isinstance(value, list):
            if before is None:
                before = whole[name] = []
            for item in value:
                known = [
                    other
                    for other in before
                    if isinstance(item, dict)
                    and "index" in item
                    and other.get("index") == item["index"]
                ]
                if known:
                    _merge(known[0], item)
                else:
                    before.append(copy.deepcopy(item))
        elif isinstance(value, str) and isinstance(before, str) and name in GROWING:
            whole[name] = before + value
        elif value is not None or name not in whole:
            whole[name] = value


def _whole(choice: Mapping[str, Any]) -> dict[str, Any]:
    """A choice whose chunks were merged, in the shape of a completion's."""
    delta = choice.get("delta") or {}
    message = {
        "role": delta.get("role", "assistant"),
        "content": delta.get("content"),
        **delta,
    }
    if "tool_calls" in message:
        calls = sorted(message["tool_calls"], key=lambda call: call["index"])
        message["tool_calls"] = [
            {name: value for name, value in call.items() if name != "index"}
            for call in calls
        ]
    message.setdefault("refusal", None)
    message.setdefault("annotations", [])
    shown = {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}
    return {
        "index": choice["index"],
        "message": message,
        **shown,
        "finish_reason": choice["finish_reason"],
    }


def _usage(stream: list[Chunk]) -> dict[str, Any] | None:
    return next(
        (chunk["usage"] for chunk in reversed(stream) if chunk.get("usage")), None
    )


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _headers(answer: ApiAnswer, kind: str, seconds: float) -> dict[str, str]:
    """An answer's headers, for another content type; it was processed for so many seconds."""
    processed = {"openai-processing-ms": str(round(seconds * 1000))}
    return {
        **answer.headers,
        "content-type": kind,
        **(processed if processed.keys() <= answer.headers.keys() else {}),
    }
