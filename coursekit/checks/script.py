"""A real client whose API reads from a script, and which counts what was asked of it. Time is
virtual.

script = Script(reply("Paris."), error_answer(429, "Slow down."), stream(["Hel", "lo"]))
answer = function(script.client)         # or await function(script.async_client)
script.requests                          # the bodies that were sent
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx2
from openai import DefaultAsyncHttpx2Client, DefaultHttpx2Client
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ..offline.clock import Clock, VirtualClock
from ..offline.exchange import DONE, ApiAnswer, ApiRequest, Event, json_answer, sse
from ..offline.transport import OfflineTransport
from ..settings import Mode
from ..wired import Journal, Wired, on_its_clock, wire
from .virtual_loop import LoopClock

if TYPE_CHECKING:
    import openai

Answer = ChatCompletion | Sequence[ChatCompletionChunk] | ApiAnswer
Answers = (
    Answer | Callable[[dict[str, Any]], Answer]
)  # a function is asked for each request, with its body


class Script:
    """Answers in turn, the last one for ever.

    answers  a reply, a list of chunks, an ``ApiAnswer`` (``error_answer(…)``), or a function of the
             request's body
    after    seconds until a whole reply, or until a stream's first chunk; ``gap`` between two
             chunks
    retries  the SDK's own (its waits are virtual, too)

    requests  the bodies that were sent, in order; ``sent_at`` their times in seconds from 0
    most      the most requests that were on their way at once
    """

    def __init__(
        self, *answers: Answers, after: float = 0.0, gap: float = 0.1, retries: int = 0
    ) -> None:
        self.answers, self.after, self.gap, self.retries = (
            list(answers),
            after,
            gap,
            retries,
        )
        self.requests: list[dict[str, Any]] = []
        self.sent_at: list[float] = []
        self.most = 0
        self.clock = VirtualClock()  # of the sync client
        self._responses: list[httpx2.Response] = []

    @property
    def client(self) -> openai.OpenAI:
        """A client for sync code; each one is new, and all share the script."""
        import openai

        client: openai.OpenAI = self._wired(
            openai.OpenAI, DefaultHttpx2Client, self.clock
        )
        return client

    @property
    def async_client(self) -> openai.AsyncOpenAI:
        """A client for async code. Its time is that of the event loop, which is virtual in a
        check.
        """
        import openai

        client: openai.AsyncOpenAI = self._wired(
            openai.AsyncOpenAI, DefaultAsyncHttpx2Client, LoopClock()
        )
        return client

    def _wired(self, kind: Any, http_kind: Any, clock: Clock) -> Any:
        """A client of this kind that the script answers, wired as ``connect()`` does it."""
        client = on_its_clock(kind)(
            api_key="none",
            base_url=BASE,
            max_retries=self.retries,
            http_client=http_kind(transport=_Transport(self, clock)),
        )
        wire(client, Wired(Journal(Mode.REPLAY), clock))
        return client

    @property
    def left_open(self) -> int:
        """How many answers were neither read to their end nor closed."""
        return sum(not response.is_closed for response in self._responses)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """For the transport."""
        body = request.body
        said = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(said):
            said = said(body)
        self.requests.append(body)
        return self._as_answer(said)

    def _as_answer(self, said: Answer) -> ApiAnswer:
        if isinstance(said, ApiAnswer):
            return said
        if isinstance(said, ChatCompletion):
            return json_answer(
                200, said.model_dump(exclude_unset=True), headers=ID, after=self.after
            )
        at = [self.after + self.gap * number for number in range(len(said))]
        events = [
            Event(when, sse(piece.model_dump(exclude_unset=True)))
            for when, piece in zip(at, said, strict=True)
        ]
        if any(
            choice.finish_reason for piece in said for choice in piece.choices
        ):  # or it closes without a word
            events.append(Event(at[-1], DONE))
        return ApiAnswer(
            200,
            {"content-type": "text/event-stream", **ID},
            events=tuple(events),
            after=self.after,
        )


class _Transport(OfflineTransport):
    """The offline API's transport, which also remembers the responses and counts those on their
    way.
    """

    def __init__(self, script: Script, clock: Clock) -> None:
        super().__init__(script, clock)
        self.script = script
        self.now = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self._begin()
        try:
            response = super().handle_request(request)
        finally:
            self.now -= 1
        self.script._responses.append(response)
        return response

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self._begin()
        try:
            response = await super().handle_async_request(request)
        finally:
            self.now -= 1
        self.script._responses.append(response)
        return response

    def _begin(self) -> None:
        self.now += 1
        self.script.most = max(self.script.most, self.now)
        self.script.sent_at.append(self.clock.now())


BASE = "https://api.openai.com/v1"
ID = {"x-request-id": "req_check"}
