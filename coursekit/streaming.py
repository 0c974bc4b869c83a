"""Text deltas of a stream, when each arrived, and how the stream ended.

A stream can end in more ways than an answer: see ``Ending``. The SDK does not report one of them,
the clean cut: the connection closes cleanly before the model has finished. The only sign is that
``finish_reason`` is still None.

Taught in 04 §6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import openai

from . import models
from .foundation.arguments import given, refuse_unknown, takes_client
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
    """A stream that closed cleanly before the model had finished (``finish_reason`` is None).

    text  what had arrived by then
    """

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"The stream closed after {len(text)} characters without a finish_reason: the answer "
            "was cut, although no "
            "error was reported. Do not treat it as complete: ask again, or show it as partial."
        )


@dataclass
class Timing:
    """Seconds since the request was sent: of each text delta's arrival, and of the end."""

    arrivals: list[float] = field(default_factory=list)
    total: float | None = None

    @property
    def first_token(self) -> float | None:
        """Time to the first text, in seconds; None if there was none."""
        return self.arrivals[0] if self.arrivals else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between two text deltas, one fewer than there are deltas."""
        return [
            later - earlier
            for earlier, later in zip(
                self.arrivals, self.arrivals[1:], strict=False
            )
        ]


class TextStream:
    """An iterator over text. Iterate it once; if you leave early, close it or use it in ``with``.

    text           what has arrived so far
    refusal        what the model said instead of text, if it declined; else None
    finish_reason  None until the model has finished
    usage          the billed tokens; they are sent last, so None after every other ending
    model, created, service_tier, request_id  of the answer, for receipts
    timing         when each delta arrived
    ended          None while it runs, then "complete", "truncated" (length), "filtered", "cut"
                   (closed cleanly, but not finished), "interrupted" (connection or timeout),
                   "error" (an error sent mid-stream) or "left"
    """

    def __init__(self, client: openai.OpenAI, params: dict[str, Any]) -> None:
        params = given(params)
        if params.get("n", 1) != 1:
            raise ValueError(
                f"stream_text() reads one answer, but n={params['n']} asks for several: leave n "
                "out."
            )
        refuse_unknown(stream_text, client, params)
        options = {
            "include_usage": True,
            **given(params.get("stream_options", {})),
        }
        params = {**params, "stream": True, "stream_options": options}
        self.text = ""
        self.refusal: str | None = None
        self.finish_reason: str | None = None
        self.usage: Any = None
        self.model: str | None = None
        self.created: int | None = None
        self.service_tier: str | None = None
        self.timing = Timing()
        self.ended: Ending | None = None
        wired = wired_to(client)
        self._clock: Clock = wired.clock if wired else ScaledClock()
        self._start = self._clock.now()
        self._stream = client.chat.completions.create(**params)
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
                    self.model, self.created, self.service_tier = (
                        chunk.model,
                        chunk.created,
                        chunk.service_tier,
                    )
                    self.usage = chunk.usage or self.usage
                    if not chunk.choices:  # the usage chunk at the end has none
                        continue
                    choice = chunk.choices[0]
                    self.finish_reason = (
                        choice.finish_reason or self.finish_reason
                    )
                    if choice.delta is None:
                        continue
                    if getattr(choice.delta, "refusal", None):
                        self.refusal = (
                            self.refusal or ""
                        ) + choice.delta.refusal
                    # the first delta is empty: it only has the role
                    if choice.delta.content:
                        self.timing.arrivals.append(
                            self._clock.now() - self._start
                        )
                        self.text += choice.delta.content
                        yield choice.delta.content
        except GeneratorExit:
            self._end("left")
            raise
        except openai.APIConnectionError:
            self._end("interrupted")
            raise
        # an error event; or an event that is not JSON
        except (
            openai.APIError,
            ValueError,
        ):
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
        """Stop reading and hang up: what was not generated yet is not billed."""
        if self.ended is None:
            self._deltas.close()  # type: ignore[attr-defined]
            self._stream.close()
            if self.ended is None:  # nothing had been read yet
                self._end("left")

    def __enter__(self) -> TextStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@takes_client()
def stream_text(client: openai.OpenAI, **params: Any) -> TextStream:
    """Send a chat completion and iterate over its text as it arrives.

    client  from ``connect()``, or any ``openai.OpenAI``
    params  as ``client.chat.completions.create`` takes them, for one answer (no n)

    Returns a TextStream; its attributes contain the rest. Iterating raises IncompleteStream after a
    clean cut, and the SDK's own errors otherwise; ``.ended`` names the ending in either case.
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
