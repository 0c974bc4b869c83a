"""Written recordings: an author's text in the shape of a real exchange with the API.

``coursekit record LESSON --written`` runs a lesson's notebook with this layer instead of the real
API. It takes the text from ``data/replies/<lesson>.toml``, counts the tokens, cuts at the token
limit or a stop sequence as the API does, and stores the exchange with provenance "written". Times
are drawn at random, not measured: see ``Pace``.
"""

from __future__ import annotations

import datetime
import json
import math
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ... import models, tokens
from ...foundation.portable import Portable
from ..exchange import (
    CHAT_COMPLETIONS,
    ApiAnswer,
    ApiRequest,
    Json,
    JsonDict,
    json_answer,
    request_id,
    texts_of,
)
from ..recorder import Recorder
from ..recordings import Provenance, Recordings, name_of
from ..rules.validation import refusal_of
from .chunks import ALPHABET, STREAM, Pace, chunks, timed, usage_of
from .local_replies import local_answer


@dataclass(frozen=True)
class Reply:
    """One entry of a replies file.

    to             a part of the last user message; the entry with the longest match answers
    when           further conditions on the request body, by parameter name, e.g. {model = "o3",
                   stream = true}
    text, texts    what the model says; several texts for n > 1
    refusal        what the model says instead when it refuses
    reasoning      hidden reasoning tokens
    cached         tokens of the prompt that were read from the cache
    cut_after      a stream ends without an error, unfinished, after this many text events
    local          instead of all this: the reply of a real open model to exactly this request
                   (``local_replies``)
    """

    to: str
    when: Json = field(default_factory=dict)
    text: str = ""
    texts: Sequence[str] = ()
    refusal: str | None = None
    reasoning: int = 0
    cached: int = 0
    cut_after: int | None = None
    local: bool = False

    def answers(self, body: Json) -> bool:
        return self.to in last_user_text(body) and all(
            body.get(key) == value for key, value in self.when.items()
        )


def dialogue(
    turns: Sequence[Sequence[str]], request: Json, system: str = ""
) -> Iterator[tuple[JsonDict, Reply]]:
    """The requests and replies of one ``[[dialogue]]`` of a replies file.

    A dialogue contains requests that learners are likely to send, although no cell does. Each
    request has the history before it.

    turns    pairs of what the user says and what the model replies
    request  the other parameters of each request, e.g. {model = "gpt-4o", max_tokens = 500}
    system   the instructions; "" for none
    """
    messages = [{"role": "system", "content": system}] if system else []
    for question, text in turns:
        messages = [*messages, {"role": "user", "content": question}]
        reply = Reply(question, {"messages": messages}, text)
        yield {**request, "messages": messages}, reply
        messages = [*messages, {"role": "assistant", "content": text}]


class NoWrittenReply(Portable, LookupError):
    """The replies file has no reply to a request; the message contains the entry to add."""

    def __init__(self, body: Any, path: Path) -> None:
        first_line = last_user_text(body)[:60].partition("\n")[0]
        to = first_line.replace('"', '\\"')
        super().__init__(
            f"{path.name} has no reply to this request.\nAdd an entry such as\n\n"
            f'  [[reply]]\n  to = "{to}"\n  text = "…"\n'
        )


class Written:
    """A layer that answers from a replies file and stores each exchange."""

    def __init__(
        self, path: Path, recordings: Recordings, pace: Pace | None = None
    ) -> None:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        self.path, self.on, self.pace = path, document["on"], pace or Pace()
        self.recordings = recordings
        author = document.get("by", "the authors")
        self.provenance = Provenance("written", self.on.isoformat(), author)
        self.replies = [Reply(**entry) for entry in document.get("reply", ())]
        self.requests: list[ApiRequest] = []  # those of the dialogues
        for entry in document.get("dialogue", ()):
            for body, reply in dialogue(**entry):
                self.requests.append(request_of(body))
                self.replies.append(reply)
        self._stored: set[str] = set()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        refused = refusal_of(request.body)
        if refused is not None:
            return refused  # as in replay, so there is nothing to record
        fitting = [
            reply for reply in self.replies if reply.answers(request.body)
        ]
        if not fitting:
            raise NoWrittenReply(request.body, self.path)
        reply = max(fitting, key=lambda entry: (len(entry.when), len(entry.to)))
        if reply.local:
            answer, provenance = local_answer(request.body)
        else:
            answer = written_answer(request, reply, self.on, self.pace)
            provenance = self.provenance
        recorder = Recorder(self.recordings, provenance)
        recorder.check(request)
        name = name_of(request)
        if name not in self._stored:  # the answer is always the same
            recorder.keep(request, answer)
            self._stored.add(name)
        return answer


def request_of(body: Json) -> ApiRequest:
    """The request that has this body."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    return ApiRequest("POST", CHAT_COMPLETIONS, raw)


def written_answer(
    request: ApiRequest, reply: Reply, on: datetime.date, pace: Pace
) -> ApiAnswer:
    """The answer in the real API's shape; the same bytes for the same request and reply."""
    body = request.body
    rng = random.Random(name_of(request) + reply.text)
    noon = datetime.datetime(on.year, on.month, on.day, 12, tzinfo=datetime.UTC)
    model = models.get(body["model"])
    texts = reply.texts or [reply.text] * body.get("n", 1)
    written = [_generated(text, body, reply) for text in texts]
    usage = _usage(body, written, reply)
    logprobs = model.logprobs or bool(body.get("logprobs"))
    value = {
        "id": "chatcmpl-" + "".join(rng.choices(ALPHABET, k=29)),
        "object": "chat.completion",
        "created": int(noon.timestamp()) + rng.randrange(3600),
        "model": models.echoed(body["model"]),
        "choices": [
            _choice(i, pieces, reason, reply, logprobs)
            for i, (pieces, reason) in enumerate(written)
        ],
        "usage": usage,
        "service_tier": "default",
        "system_fingerprint": None,
    }
    if model.fingerprint:
        value["system_fingerprint"] = f"fp_{rng.getrandbits(40):010x}"
    hidden = usage["completion_tokens_details"]["reasoning_tokens"]
    first = rng.lognormvariate(math.log(pace.first), pace.spread)
    first += hidden * pace.hidden
    headers = {"x-request-id": request_id(rng)}
    gap = partial(pace.draw_gap, rng)
    if body.get("stream"):
        stream = chunks(value, body, reply.cut_after)
        events = tuple(timed(stream, first, gap, rng))
        headers |= {"openai-processing-ms": str(round(first * 1000)), **STREAM}
        after = round(first * 0.9, 4)
        return ApiAnswer(
            200, headers, events=events, after=after, source="written"
        )
    visible = usage["completion_tokens"] - hidden
    seconds = first + sum(gap() for _ in range(visible))
    headers["openai-processing-ms"] = str(round(seconds * 1000))
    return json_answer(
        200, value, headers=headers, after=round(seconds, 4), source="written"
    )


def last_user_text(body: Any) -> str:
    """The text of the last user message; "" if there is none."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for message in reversed(messages or []):
        if message.get("role") == "user":
            return " ".join(texts_of(message.get("content")))
    return ""


def _generated(text: str, body: Json, reply: Reply) -> tuple[list[str], str]:
    """The tokens of ``text`` that the model generates, and why it finishes.

    It stops before the first of the stop sequences, and at the token limit, which also counts
    hidden reasoning.
    """
    if reply.refusal is not None:
        return [], "stop"
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.partition(stop)[0]
    pieces = [token.text for token in tokens.tokenize(text, body["model"])]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    room = len(pieces) if limit is None else max(limit - reply.reasoning, 0)
    if len(pieces) <= room:
        return pieces, "stop"
    return pieces[:room], "length"


def _usage(
    body: Json, choices: list[tuple[list[str], str]], reply: Reply
) -> JsonDict:
    prompt = tokens.count_tokens(body["messages"], model=body["model"])
    visible = sum(len(pieces) for pieces, _ in choices)
    if reply.refusal is not None:
        visible = tokens.count_tokens(reply.refusal, model=body["model"])
    reasoning = reply.reasoning
    if (limit := body.get("max_completion_tokens")) is not None:
        reasoning = min(reasoning, limit)
    details = {"cached_tokens": reply.cached}
    if models.get(body["model"]).cache_writes:
        details["cache_write_tokens"] = 0
    return {
        **usage_of(prompt, visible + reasoning),
        "prompt_tokens_details": {**details, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _choice(
    index: int, pieces: list[str], reason: str, reply: Reply, logprobs: bool
) -> JsonDict:
    message: JsonDict = {
        "role": "assistant",
        "content": "".join(pieces) if reply.refusal is None else None,
        "refusal": reply.refusal,
        "annotations": [],
    }
    choice: JsonDict = {"index": index, "message": message}
    if logprobs:
        choice["logprobs"] = None  # an author cannot know them
    return {**choice, "finish_reason": reason}
