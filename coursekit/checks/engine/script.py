"""A real client with an API that reads from a script and counts the requests, in virtual time.

script = Script(reply("Paris."), error_answer(429, "Slow down."), [chunk("Hel"), chunk("lo")])
answer = function(script.client)         # or await function(script.async_client)
script.requests                          # the bodies that were sent
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ...offline.clock import Clock, VirtualClock
from ...offline.exchange import (
    DONE,
    ApiAnswer,
    ApiRequest,
    Event,
    json_answer,
    sse,
)
from ...offline.transport import OfflineTransport
from ...settings import Mode
from ...wired import Journal, Wired, on_its_clock, wire
from .answers import streamed
from .virtual_loop import LoopClock

BASE = "https://api.openai.com/v1"
ID = {"x-request-id": "req_check"}
Answer = ChatCompletion | Sequence[ChatCompletionChunk] | ApiAnswer
# a function is called for each request with the request's body
Answers = Answer | Callable[[dict[str, Any]], Answer]


class Script:
    """An API that gives its answers in turn and then repeats the last one.

    answers  a reply (as a stream if the request asks for one), a list of chunks, an ``ApiAnswer``
             (``error_answer(…)``), or a function of the request's body
    after    seconds until a complete reply, or until a stream's first chunk, or a function of the
             body that returns them; ``gap``: seconds between two chunks

    requests  the bodies that were sent, in order
    """

    def __init__(
        self,
        *answers: Answers,
        after: float | Callable[[dict[str, Any]], float] = 0.0,
        gap: float = 0.1,
    ) -> None:
        self.answers, self.after, self.gap = list(answers), after, gap
        self.requests: list[dict[str, Any]] = []
        self.clock = VirtualClock()  # the sync client's clock
        self._responses: list[httpx2.Response] = []

    @property
    def client(self) -> Any:
        """A client for sync code. Each access creates a new one, and all clients share the
        script.
        """
        http_client = openai.DefaultHttpx2Client(
            transport=OfflineTransport(self, self.clock),
            event_hooks={"response": [self._responses.append]},
        )
        return _wired(openai.OpenAI, http_client, self.clock)

    @property
    def async_client(self) -> Any:
        """A client for async code. It uses the event loop's time."""
        clock = LoopClock()
        http_client = openai.DefaultAsyncHttpx2Client(
            transport=OfflineTransport(self, clock)
        )
        return _wired(openai.AsyncOpenAI, http_client, clock)

    @property
    def left_open(self) -> int:
        """How many answers to ``client`` were neither read to the end nor closed."""
        return sum(not response.is_closed for response in self._responses)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer a request, for the transport."""
        body = request.body
        answer = (
            self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        )
        if callable(answer):
            answer = answer(body)
        self.requests.append(body)
        after = self.after(body) if callable(self.after) else self.after
        if isinstance(answer, ChatCompletion):
            if not body.get("stream"):
                return json_answer(
                    200,
                    answer.model_dump(exclude_unset=True),
                    headers=ID,
                    after=after,
                )
            answer = streamed(answer)
        return (
            answer
            if isinstance(answer, ApiAnswer)
            else stream_answer(answer, after, self.gap)
        )


def stream_answer(
    chunks: Sequence[ChatCompletionChunk], after: float = 0.0, gap: float = 0.1
) -> ApiAnswer:
    """Return the API's answer with these chunks: the first after ``after`` seconds, and each of the
    others ``gap`` seconds later.
    """
    times = [after + gap * number for number in range(len(chunks))]
    events = [
        Event(at, sse(each.model_dump(exclude_unset=True)))
        for at, each in zip(times, chunks, strict=True)
    ]
    # otherwise, the stream was cut
    if any(choice.finish_reason for each in chunks for choice in each.choices):
        events.append(Event(times[-1], DONE))
    return ApiAnswer(
        200,
        {"content-type": "text/event-stream", **ID},
        events=tuple(events),
        after=after,
    )


def _wired(kind: Any, http_client: Any, clock: Clock) -> Any:
    """Return a client of this kind that the script answers, wired as in ``connect()``."""
    client = on_its_clock(kind)(
        api_key="none", base_url=BASE, max_retries=0, http_client=http_client
    )
    wire(client, Wired(Journal(Mode.REPLAY), clock))
    return client
