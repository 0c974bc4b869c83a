"""A stream's text deltas, when each of them arrived, and how the stream ended.

A stream can end in more ways than an answer: see ``Ending``. One of them, the clean cut, is not
reported by the SDK: the connection closes cleanly before the model has finished. The only sign is
that ``finish_reason`` is still None. Taught in 04 §6 to §9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import openai

from . import models
from .foundation.arguments import (
    for_one_answer,
    given,
    streamed,
    takes_client,
)
from .foundation.portable import Portable
from .offline.clock import Clock, ScaledClock
from .wired import wired_to

Ending = Literal[
    "complete", "truncated", "filtered", "cut", "interrupted", "error", "left"
]
ENDINGS: dict[str, Ending] = {
    "length": "truncated",
    "content_filter": "filtered",
}


class IncompleteStream(Portable, RuntimeError):
    """The stream closed cleanly before the model had finished (``finish_reason`` is None).

    text  the text that had arrived by then
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"The stream closed after {len(text)} characters without a finish_reason: the answer "
            "was cut, although no "
            "error was reported. Do not treat it as complete: send the request again, or "
            "show it as partial."
        )


@dataclass
class Timing:
    """When each text delta arrived and when the stream ended, in seconds since the request was
    sent.
    """

    arrivals: list[float] = field(default_factory=list)
    total: float | None = None

    @property
    def first_token(self) -> float | None:
        """Time to the first text, in seconds; None if there was none."""
        return self.arrivals[0] if self.arrivals else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between successive text deltas; there is one fewer than there are deltas."""
        return [later - earlier for earlier, later in pairwise(self.arrivals)]


class TextStream:
    """An iterator over text. Iterate over it once; if you stop early, close it, or use it in
    ``with``.

    text           the text that has arrived so far
    refusal        what the model said instead of text if it declined, or None
    finish_reason  None until the model has finished
    usage          the billed tokens; they are sent last, so None if the stream ended early
    model, created, service_tier, request_id  the answer's fields, for receipts
    timing         when each delta arrived
    ended          None while it runs, then "complete", "truncated" (length), "filtered", "cut"
                   (closed cleanly, but not finished), "interrupted" (connection or timeout),
                   "error" (an error sent mid-stream) or "left"
    """

    text = ""
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Any = None
    model: str | None = None
    created: int | None = None
    service_tier: str | None = None
    ended: Ending | None = None

    def __init__(self, client: openai.OpenAI, params: dict[str, Any]) -> None:
        params = for_one_answer(stream_text, client, params)
        self.timing = Timing()
        wired = wired_to(client)
        self._clock: Clock = wired.clock if wired else ScaledClock()
        self._start = self._clock.now()
        self._stream = client.chat.completions.create(**streamed(params))
        self.request_id: str | None = self._stream.response.headers.get(
            "x-request-id"
        )
        self._deltas = self._read()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._deltas)

    def _read(self) -> Iterator[str]:
        try:
            with self._stream:
                for chunk in self._stream:
                    self.model, self.created = chunk.model, chunk.created
                    self.service_tier = chunk.service_tier
                    self.usage = chunk.usage or self.usage
                    # the usage chunk at the end has no choices
                    if not chunk.choices:
                        continue
                    choice = chunk.choices[0]
                    self.finish_reason = (
                        choice.finish_reason or self.finish_reason
                    )
                    if choice.delta is None:
                        continue
                    if refusal := getattr(choice.delta, "refusal", None):
                        self.refusal = (self.refusal or "") + refusal
                    # the first delta is empty: it only has the role
                    if text := choice.delta.content:
                        seconds = self._clock.now() - self._start
                        self.timing.arrivals.append(seconds)
                        self.text += text
                        yield text
        except GeneratorExit:
            self._end("left")
            raise
        except openai.APIConnectionError:
            self._end("interrupted")
            raise
        # an error event, or an event that is not JSON
        except (openai.APIError, ValueError):
            self._end("error")
            raise
        if self.finish_reason is None:
            self._end("cut")
            raise IncompleteStream(self.text)
        self._end(ENDINGS.get(self.finish_reason, "complete"))

    def _end(self, how: Ending) -> None:
        self.ended = how
        self.timing.total = self._clock.now() - self._start

    def close(self) -> None:
        """Stop reading and close the connection: text that has not been generated yet is not
        billed.
        """
        if self.ended is None:
            self._deltas.close()  # type: ignore[attr-defined]
            self._stream.close()
            if self.ended is None:  # nothing had been read yet
                self._end("left")

    def __enter__(self) -> TextStream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@takes_client()
def stream_text(client: openai.OpenAI, **params: Any) -> TextStream:
    """Send a chat completion and iterate over its text as it arrives.

    client  from ``connect()``, or any ``openai.OpenAI``
    params  as ``client.chat.completions.create`` takes them, for one answer (no n)

    Returns a TextStream; its attributes hold everything else. Iterating raises IncompleteStream
    after a clean cut, and the SDK's own errors otherwise; ``.ended`` names the ending in either
    case.
    """
    return TextStream(client, params)


@takes_client()
def stream_response(client: openai.OpenAI, prompt: str, **params: Any) -> str:
    """Print the answer to ``prompt`` as it arrives, and return the full text. Raises as
    ``stream_text`` does.
    """
    request = {
        "model": models.CHAT,
        "messages": [{"role": "user", "content": prompt}],
        **given(params),
    }
    with stream_text(client, **request) as deltas:
        for text in deltas:
            print(text, end="", flush=True)
    print()
    return deltas.text
