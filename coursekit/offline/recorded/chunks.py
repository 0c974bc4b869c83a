"""A whole answer as the chunks of a stream, cut at its tokens and in the order of the real API.

Audio and calls of custom tools cannot be split into chunks: they raise NoSuchForm.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from ... import tokens
from ..exchange import DONE, Event, Json, JsonDict, sse

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEAD = ("created", "model", "service_tier", "system_fingerprint")
# fields of a message; others are sent in one piece
IN_PIECES = (
    "role",
    "content",
    "refusal",
    "tool_calls",
    "function_call",
)

Chunk = JsonDict
# a delta, and the logprobs of its tokens
Piece = tuple[JsonDict, JsonDict | None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of an answer, drawn at random, in seconds: a log-normal wait for the first token, then
    log-normal gaps.

    first  median wait: that of ``openai-processing-ms`` in public recordings of streams (2025-26)
           is 0.354 s for gpt-4o and 0.317 s for gpt-4o-mini, and the 90th percentile is twice that
           (hence ``spread``)
    gap    median seconds between tokens: an author's choice within what users see, 50 to 80 tokens
           per second
    hidden seconds for each token of hidden reasoning: how ``openai-processing-ms`` grows with the
           completion tokens in 19 public recordings of o4-mini (2026; least squares, correlation
           0.93)
    """

    first: float = 0.354
    spread: float = 0.54
    gap: float = 0.016
    gap_spread: float = 0.5
    hidden: float = 0.0094

    def draw_gap(self, rng: random.Random) -> float:
        return rng.lognormvariate(math.log(self.gap), self.gap_spread)


class NoSuchForm(ValueError):
    """An answer cannot be given in the requested form."""


def chunks(
    completion: Json,
    body: Json,
    cut_after: int | None = None,
) -> Iterator[Chunk]:
    """The chunks of a completion, in the order of the real API: roles, texts and calls, finish
    reasons, usage.

    completion  the body of a chat completion
    body        the request's body: its model's tokenizer cuts the texts, its stream_options say
                whether there is usage
    cut_after   the stream ends, unfinished, after this many pieces of text; None: it finishes

    Raises NoSuchForm for audio and calls of custom tools.
    """
    counted = options_of(body).get("include_usage") is True
    usage = {"usage": None} if counted else {}
    head = {"id": completion.get("id"), "object": "chat.completion.chunk"}
    head |= {name: completion[name] for name in HEAD if name in completion}

    def chunk(
        choice: Json,
        delta: Json,
        logprobs: Any = None,
        reason: Any = None,
    ) -> Chunk:
        brought: Chunk = {"index": choice["index"], "delta": delta}
        if "logprobs" in choice:
            brought["logprobs"] = logprobs
        return {
            **head,
            "choices": [{**brought, "finish_reason": reason}],
            **usage,
        }

    choices, model = completion["choices"], str(body.get("model"))
    pieces = [_pieces(choice, model) for choice in choices]
    openings = [of_choice.pop(0) for of_choice in pieces]
    # The choices take turns; each has its role right before its first piece.
    rounds = list(zip_longest(*pieces))[:cut_after] or [(None,) * len(pieces)]
    for number, turn in enumerate(rounds):
        for choice, opening, piece in zip(choices, openings, turn, strict=True):
            if number == 0:
                yield chunk(choice, *opening)
            if piece is not None:
                yield chunk(choice, *piece)
    if cut_after is not None:
        return
    for choice in choices:
        yield chunk(choice, {}, None, choice["finish_reason"])
    if counted and completion.get("usage"):
        yield {**head, "choices": [], "usage": completion["usage"]}


def timed(
    stream: Iterable[Chunk],
    first: float,
    gap: Callable[[], float],
    rng: random.Random,
    obfuscated: bool = True,
) -> Iterator[Event]:
    """Chunks as events, with [DONE] after the last one of an answer that ended.

    first       seconds until the first chunk
    gap         returns the seconds before each chunk with a piece of the answer
    obfuscated  True: each is padded to a multiple of 16 characters, as the API does
    """
    at, finished = first, False
    for chunk in stream:
        if is_piece(chunk):
            at += gap()
        finished |= any(choice["finish_reason"] for choice in chunk["choices"])
        data = sse(chunk)
        if obfuscated:
            bare = sse({**chunk, "obfuscation": ""})
            length = len(bare.decode("utf-8", "surrogatepass"))
            padding = "".join(rng.choices(ALPHABET, k=-length % 16))
            data = sse({**chunk, "obfuscation": padding})
        yield Event(round(at, 4), data)
    if finished:
        yield Event(round(at, 4), DONE)


def is_piece(chunk: Chunk) -> bool:
    """Whether a chunk contains a piece of the answer, not a role, finish reason or usage."""
    return any(
        choice["delta"] and "role" not in choice["delta"]
        for choice in chunk["choices"]
    )


def _pieces(choice: Json, model: str) -> list[Piece]:
    """What a choice's chunks contain, one after the other; the first contains the role."""
    message, logprobs = choice["message"], choice.get("logprobs")
    calls, text = message.get("tool_calls") or [], message.get("content")
    refusal = message.get("refusal")
    custom = any(call.get("type") != "function" for call in calls)
    if message.get("audio") or custom:
        raise NoSuchForm(
            "Audio and calls of custom tools cannot be split into chunks."
        )
    opening: JsonDict = {"role": message.get("role", "assistant")}
    opening["content"] = None if text is None else ""
    alone = len(calls) == 1 and not text and refusal is None
    if alone:
        opening["tool_calls"] = [_opened(0, calls[0])]
    if refusal is not None:
        opening["refusal"] = ""
    elif alone or not calls:  # parallel calls begin with the role alone
        opening["refusal"] = None
    no_tokens: JsonDict | None = None
    if logprobs is not None:
        no_tokens = {"content": [], "refusal": None}
    pieces: list[Piece] = [(opening, no_tokens)]
    for name, value in message.items():
        if name not in IN_PIECES and value:
            pieces.append(({name: value}, None))
    pieces += _texts("content", text or "", logprobs, model)
    pieces += _texts("refusal", refusal or "", logprobs, model)
    deltas: list[JsonDict] = []
    if call := message.get("function_call"):
        deltas.append(
            {"function_call": {"name": call["name"], "arguments": ""}}
        )
        for part in cut(call["arguments"], model):
            deltas.append({"function_call": {"arguments": part}})
    for index, call in enumerate(calls):
        if not alone:
            deltas.append({"tool_calls": [_opened(index, call)]})
        for part in cut(call["function"]["arguments"], model):
            more = {"index": index, "function": {"arguments": part}}
            deltas.append({"tool_calls": [more]})
    return pieces + [(delta, None) for delta in deltas]


def _opened(index: int, call: Json) -> JsonDict:
    function = {"name": call["function"]["name"], "arguments": ""}
    return {
        "index": index,
        "id": call.get("id"),
        "type": "function",
        "function": function,
    }


def _texts(
    name: str, text: str, logprobs: Json | None, model: str
) -> list[Piece]:
    """The pieces of ``text``: its tokens, with log-probabilities if there are any."""
    listed = (logprobs or {}).get(name) or []
    if not listed:
        return [({name: part}, None) for part in cut(text, model)]

    def piece(part: str, of_part: list[Any]) -> Piece:
        shown = {"content": None, "refusal": None, name: of_part}
        if name == "refusal":
            shown["content"] = []
        return {name: part}, shown

    pieces: list[Piece] = []
    waiting: list[Any] = []  # tokens that are only part of a character
    for token in listed:
        waiting.append(token)
        part = _text_of(waiting)
        if part is not None:
            pieces.append(piece(part, waiting))
            waiting = []
    if waiting or "".join(delta[name] for delta, _ in pieces) != text:
        return [piece(text, listed)]  # the tokens are not those of the text
    return pieces


def _text_of(listed: list[Any]) -> str | None:
    """The text of tokens with their bytes; None if they end within a character."""
    try:
        return b"".join(bytes(token["bytes"]) for token in listed).decode()
    except UnicodeDecodeError:
        return None
    except (KeyError, TypeError):
        return "".join(token["token"] for token in listed)


def cut(text: str, model: str) -> list[str]:
    """``text`` split into the model's tokens, or gpt-4o's if the model's are unknown."""
    try:
        parts = tokens.tokenize(text, model)
    except LookupError:
        parts = tokens.tokenize(text)
    return [token.text for token in parts if token.text]


def options_of(body: Json) -> Json:
    return body.get("stream_options") or {}


def usage_of(prompt: int, completion: int) -> JsonDict:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
