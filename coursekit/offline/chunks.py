"""The same answer in every form: whole, and as the chunks of a stream, with or without its usage.

A whole answer is cut where its tokens end; a stream is put together again. An answer that did not end is never made to
look complete, and whatever a form cannot show (sound, a count that nobody can know) is not made up: there is no such
form then.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from .. import models, tokens
from ..choosing import latencies
from .exchange import DONE, ApiAnswer, Event, json_answer, sse

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEAD = ("created", "model", "service_tier", "system_fingerprint")
GROWING = ("content", "refusal", "arguments", "reasoning", "reasoning_content")  # texts that come in pieces
OWN_CHUNKS = (
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
)  # of a message: these are sent piece by piece

Chunk = dict[str, Any]
Piece = tuple[dict[str, Any], dict[str, Any] | None]  # a delta, and the logprobs of its tokens


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a drawn answer: a log-normal wait for the first token, then log-normal gaps.

    first  median wait: that of ``openai-processing-ms`` in public recordings of streams (2025-26) is 0.354 s for
           gpt-4o and 0.317 s for gpt-4o-mini, the 90 % points twice that (hence ``spread``)
    gap    median seconds between tokens: an author's choice within what users see, 50 to 80 tokens a second
    hidden seconds for each token of hidden reasoning: how ``openai-processing-ms`` grows with the completion tokens in
           19 public recordings of o4-mini (2026; least squares, correlation 0.93)
    """

    first: float = 0.354
    spread: float = 0.54
    gap: float = 0.016
    gap_spread: float = 0.5
    hidden: float = 0.0094

    def draw_gap(self, rng: random.Random) -> float:
        return rng.lognormvariate(math.log(self.gap), self.gap_spread)


class NoSuchForm(ValueError):
    """An answer cannot be given in the form that was asked for."""


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
        return _streamed(answer, body) if answer.events is None else _with_options(answer, body)
    except (LookupError, TypeError, AttributeError) as error:
        raise NoSuchForm(f"It has not the shape of a completion: {error!r}") from error


# --- a whole answer as chunks ---


def chunks(completion: Mapping[str, Any], body: Mapping[str, Any], cut_after: int | None = None) -> Iterator[Chunk]:
    """The chunks of a completion, in the order of the real API: roles, texts and calls, finish reasons, usage.

    completion  the body of a chat completion
    body        of the request: its model's tokenizer cuts the texts, its stream_options say whether there is usage
    cut_after   the stream ends after so many pieces of text, unfinished; None: it does not

    Raises NoSuchForm for what has no chunks: sound, calls of custom tools.
    """
    counted = _options(body).get("include_usage") is True
    usage = {"usage": None} if counted else {}
    head = {"id": completion.get("id"), "object": "chat.completion.chunk"}
    head |= {name: completion[name] for name in HEAD if name in completion}

    def chunk(choice: Mapping[str, Any], delta: Mapping[str, Any], logprobs: Any = None, reason: Any = None) -> Chunk:
        shown = {"logprobs": logprobs} if "logprobs" in choice else {}
        said = {"index": choice["index"], "delta": delta, **shown, "finish_reason": reason}
        return {**head, "choices": [said], **usage}

    scripts = [(choice, _pieces(choice, str(body.get("model")))) for choice in completion["choices"]]
    for choice, (opening, *_) in scripts:
        yield chunk(choice, *opening)
    for pieces in list(zip_longest(*[rest for _, (_, *rest) in scripts]))[:cut_after]:
        for (choice, _), piece in zip(scripts, pieces, strict=True):
            if piece is not None:
                yield chunk(choice, *piece)
    if cut_after is not None:
        return
    for choice, _ in scripts:
        yield chunk(choice, {}, None, choice["finish_reason"])
    if counted and completion.get("usage"):
        yield {**head, "choices": [], "usage": completion["usage"]}


def timed(
    stream: Iterator[Chunk], first: float, gap: Callable[[], float], rng: random.Random, obfuscated: bool = True
) -> Iterator[Event]:
    """Chunks as events, with [DONE] after the last one of an answer that ended.

    first       seconds until the first chunk
    gap         seconds before each chunk with a piece of the answer
    obfuscated  each is padded to a multiple of 16 bytes, as the API does
    """
    at, finished = first, False
    for chunk in stream:
        if is_piece(chunk):
            at += gap()
        finished = finished or any(choice["finish_reason"] for choice in chunk["choices"])
        if obfuscated:
            bare = len(sse({**chunk, "obfuscation": ""}).decode("utf-8", "surrogatepass"))
            padded = {**chunk, "obfuscation": "".join(rng.choices(ALPHABET, k=-bare % 16))}
        yield Event(round(at, 4), sse(padded if obfuscated else chunk))
    if finished:
        yield Event(round(at, 4), DONE)


def is_piece(chunk: Chunk) -> bool:
    """Whether a chunk brings a piece of the answer: neither a role, nor a finish reason, nor the usage."""
    return any(choice["delta"] and "role" not in choice["delta"] for choice in chunk["choices"])


def _streamed(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A whole answer as a stream that takes as long: the model's facts say which part of that passes before it."""
    completion = None if answer.breaks else _json(answer.body)
    if completion is None or not completion.get("choices"):
        raise NoSuchForm("It is no completion.")
    stream = list(chunks(completion, body))
    rng = random.Random(f"{completion.get('id')} {answer.after}")
    gaps = [Pace().draw_gap(rng) for chunk in stream if is_piece(chunk)]
    waited = _share_before_first(completion, str(body.get("model")), len(gaps)) * answer.after
    scale = (answer.after - waited) / sum(gaps) if gaps else 0.0
    scaled = iter([scale * gap for gap in gaps])
    obfuscated = _options(body).get("include_obfuscation") is not False
    events = tuple(timed(iter(stream), waited, scaled.__next__, rng, obfuscated))
    headers = _headers(answer, STREAM["content-type"], waited)
    source = f"{answer.source}, streamed from a whole answer"
    return replace(
        answer, headers=headers, body=b"", events=events, after=min(answer.after, events[0].at), source=source
    )


def _share_before_first(completion: Mapping[str, Any], model: str, pieces: int) -> float:
    """The part of an answer's time that passes before its first piece, by its hidden tokens and data/latency.toml."""
    fit = latencies().get(models.get(model).name if models.known(model) else model)
    first, each = (Pace().first, Pace().gap) if fit is None else (float(fit["first"]), float(fit["per_token"]))
    details = (completion.get("usage") or {}).get("completion_tokens_details") or {}
    before = first + each * (details.get("reasoning_tokens") or 0)
    return before / (before + each * pieces)


def _pieces(choice: Mapping[str, Any], model: str) -> list[Piece]:
    """What a choice's chunks bring, one after the other; the first brings the role."""
    message, logprobs = choice["message"], choice.get("logprobs")
    calls, text, refusal = message.get("tool_calls") or [], message.get("content"), message.get("refusal")
    if message.get("audio") or any(call.get("type") != "function" for call in calls):
        raise NoSuchForm("Sound, and calls of custom tools, are not cut into chunks.")
    opening: dict[str, Any] = {"role": message.get("role", "assistant"), "content": None if text is None else ""}
    if refusal is not None:
        opening["refusal"] = ""
    elif len(calls) != 1 or text:  # parallel calls begin with the role alone
        opening |= {} if calls else {"refusal": None}
    else:
        opening |= {"tool_calls": [_opened(0, calls[0])], "refusal": None}
    pieces: list[Piece] = [(opening, None if logprobs is None else {"content": [], "refusal": None})]
    pieces += [({name: value}, None) for name, value in message.items() if name not in OWN_CHUNKS and value]
    pieces += _texts("content", text or "", logprobs, model) + _texts("refusal", refusal or "", logprobs, model)
    if call := message.get("function_call"):
        pieces.append(({"function_call": {"name": call["name"], "arguments": ""}}, None))
        pieces += [({"function_call": {"arguments": part}}, None) for part in cut(call["arguments"], model)]
    for index, call in enumerate(calls):
        if "tool_calls" not in opening:
            pieces.append(({"tool_calls": [_opened(index, call)]}, None))
        pieces += [({"tool_calls": [{"index": index, "function": {"arguments": part}}]}, None)
                   for part in cut(call["function"]["arguments"], model)]  # fmt: skip
    return pieces


def _opened(index: int, call: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": call["function"]["name"], "arguments": ""}
    return {"index": index, "id": call.get("id"), "type": "function", "function": function}


def _texts(name: str, text: str, logprobs: Mapping[str, Any] | None, model: str) -> list[Piece]:
    """The pieces of a text: its tokens, with their log-probabilities where there are any."""
    listed = list((logprobs or {}).get(name) or ())
    if not listed:
        return [({name: part}, None) for part in cut(text, model)]
    other = {"content": "refusal", "refusal": "content"}[name]
    pieces: list[Piece] = []
    waiting: list[Any] = []  # tokens that are only part of a character
    for token in listed:
        waiting.append(token)
        part = _text_of(waiting)
        if part is not None:
            pieces.append(({name: part}, {name: waiting, other: [] if name == "refusal" else None}))
            waiting = []
    if waiting or "".join(delta[name] for delta, _ in pieces) != text:  # the tokens are not those of the text
        return [({name: text}, {name: listed, other: [] if name == "refusal" else None})]
    return pieces


def _text_of(listed: list[Any]) -> str | None:
    """The text of tokens with their bytes; None where they end within a character."""
    try:
        return b"".join(bytes(token["bytes"]) for token in listed).decode()
    except UnicodeDecodeError:
        return None
    except (KeyError, TypeError):
        return "".join(token["token"] for token in listed)


def cut(text: str, model: str) -> list[str]:
    """A text in the pieces that the model's tokens give, or gpt-4o's where the model's are not known."""
    try:
        parts = tokens.tokenize(text, model)
    except LookupError:
        parts = tokens.tokenize(text)
    return [token.text for token in parts if token.text]


# --- chunks as a whole answer, or as another stream ---


def _assembled(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A stream that ended as the completion that it brought."""
    stream = [chunk for chunk in map(_chunk, answer.events or ()) if chunk is not None]
    if answer.breaks or not stream or not _ended(stream, body):
        raise NoSuchForm("The stream did not end.")
    choices: dict[int, dict[str, Any]] = {}
    for said in (choice for chunk in stream for choice in chunk.get("choices", ())):
        _merge(choices.setdefault(said["index"], {}), said)
    head = {"id": stream[0].get("id"), "object": "chat.completion"}
    head |= {name: stream[0][name] for name in ("created", "model") if name in stream[0]}
    completion = {**head, "choices": [_whole(choices[index]) for index in sorted(choices)]}
    completion["usage"] = _usage(stream) or count(completion, body)
    completion |= {name: stream[0][name] for name in ("service_tier", "system_fingerprint") if name in stream[0]}
    headers = _headers(answer, "application/json", answer.seconds)
    source = f"{answer.source}, assembled from a stream"
    return json_answer(200, completion, headers=headers, after=answer.seconds, source=source)


def _with_options(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """A stream with the usage and the obfuscation that are asked for."""
    asked = _options(body)
    parsed = [(event, _chunk(event)) for event in answer.events or ()]
    stream = [chunk for _, chunk in parsed if chunk is not None]
    counted, usage, source = asked.get("include_usage") is True, _usage(stream), answer.source
    added: list[Event] = []
    if counted and usage is None and stream and not answer.breaks and _ended(stream, body):
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
            events += [*(added if event.data == DONE else ()), event]
        elif counted or chunk.get("choices") or not chunk.get("usage"):
            kept = {name: value for name, value in chunk.items() if name not in left_out}
            if counted and "choices" in chunk:
                kept["usage"] = chunk.get("usage")
            events.append(Event(event.at, sse(kept)))
    return replace(answer, events=tuple(events), source=source)


def count(completion: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage of a completion, by counting; None where part of it cannot be seen: hidden reasoning, tools, images."""
    model = str(completion.get("model"))
    hidden = any(body.get(name) for name in ("tools", "functions", "response_format"))
    if hidden or not models.known(model) or models.get(model).reasons:
        return None
    said = [choice["message"].get("content") or choice["message"].get("refusal") or ""
            for choice in completion["choices"]]  # fmt: skip
    try:
        prompt = tokens.count_tokens(body["messages"], model)
        written = sum(tokens.count_tokens(text, model) for text in said)
    except (ValueError, LookupError, TypeError):
        return None
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def _ended(stream: list[Chunk], body: Mapping[str, Any]) -> bool:
    """Whether every choice has its finish reason, and no error was reported."""
    reasons = {
        choice["index"] for chunk in stream for choice in chunk.get("choices", ()) if choice.get("finish_reason")
    }
    return len(reasons) == (body.get("n") or 1) and not any("error" in chunk for chunk in stream)


def _merge(whole: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Add to ``whole`` what a chunk brings: texts and lists grow, what has an index is found by it."""
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
                known = [other for other in before if isinstance(item, dict) and "index" in item
                         and other.get("index") == item["index"]]  # fmt: skip
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
    message = {"role": delta.get("role", "assistant"), "content": delta.get("content"), **delta}
    if "tool_calls" in message:
        calls = sorted(message["tool_calls"], key=lambda call: call["index"])
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
    message.setdefault("refusal", None)
    message.setdefault("annotations", [])
    shown = {"logprobs": choice["logprobs"]} if "logprobs" in choice else {}
    return {"index": choice["index"], "message": message, **shown, "finish_reason": choice["finish_reason"]}


def _usage(stream: list[Chunk]) -> dict[str, Any] | None:
    return next((chunk["usage"] for chunk in reversed(stream) if chunk.get("usage")), None)


def _chunk(event: Event) -> Chunk | None:
    """The JSON object of an event; None for any other, such as [DONE]."""
    return _json(event.data.removeprefix(b"data: ")) if event.data.startswith(b"data: ") else None


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _options(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body.get("stream_options") or {}


def _headers(answer: ApiAnswer, kind: str, seconds: float) -> dict[str, str]:
    """An answer's headers, for another content type; it was processed for so many seconds."""
    processed = {"openai-processing-ms": str(round(seconds * 1000))}
    return {**answer.headers, "content-type": kind, **(processed if processed.keys() <= answer.headers.keys() else {})}
