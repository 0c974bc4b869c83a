"""How answers leave the server: each event when it is due, several due events in one write, and
none after the client has left.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit.checks.engine.virtual_loop import VirtualTimeLoop
from coursekit.offline.clock import ScaledClock
from coursekit.offline.exchange import DONE, NEVER, ApiAnswer, Event, sse
from coursekit.offline.server.delivery import Delivery
from support.offline_api import chunk, folder_with, params, streamed, whole
from support.served import read_all, request_bytes, served
from support.waiting import HANG, until


class LoopTime(ScaledClock):
    """The time of the event loop that runs; that of a VirtualTimeLoop is the same on any machine."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Sent:
    """Delivers one answer as if to uvicorn, and records what was sent and when (in seconds after
    the start).
    """

    def __init__(
        self, stretch: float = 1.0, clock: ScaledClock | None = None
    ) -> None:
        self.clock = clock or ScaledClock()
        self.messages: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.disconnected, self.dropped = False, False
        self.transport = self
        self._left = asyncio.Event()
        self.delivery = Delivery(self.receive, self.send, self.clock, stretch)

    async def receive(self) -> Any:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.messages.append(message)
        self.times.append(self.clock.now() - self.start)

    def close(self) -> None:
        """The transport's method."""
        self.dropped = True

    def leave(self) -> None:
        self.disconnected = True
        self._left.set()

    async def deliver(self, answer: ApiAnswer) -> str:
        self.start = self.clock.now()
        return await self.delivery.deliver(answer, self.start)

    @property
    def writes(self) -> list[bytes]:
        return [message["body"] for message in self.messages[1:]]


def events(*offsets: float) -> ApiAnswer:
    told = tuple(
        Event(at, f"data: {number}\n\n".encode())
        for number, at in enumerate(offsets)
    )
    return ApiAnswer(
        200,
        {"content-type": "text/event-stream"},
        events=told,
        after=offsets[0] if offsets else 0.0,
    )


def test_each_event_at_its_time() -> None:
    """The head is sent at the answer's time, and each event at its own."""
    sent = Sent(clock=LoopTime())
    answer = ApiAnswer(
        200, {}, events=events(0.08, 0.12, 0.2).events, after=0.04
    )
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert runner.run(sent.deliver(answer)) == "all"
    assert sent.writes == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    assert sent.times == pytest.approx([0.04, 0.08, 0.12, 0.2], abs=0.002)
    assert [message.get("more_body") for message in sent.messages[1:]] == [
        True,
        True,
        False,
    ]


async def test_the_schedule_is_absolute() -> None:
    """Events that are already due are sent in one write, and a delay does not affect later
    events.
    """
    sent = Sent()
    delivering = asyncio.create_task(
        sent.deliver(events(*[0.01 * n for n in range(1, 51)]))
    )
    await asyncio.sleep(0.1)
    time.sleep(0.2)  # the entire program is delayed
    assert await delivering == "all"
    assert max(write.count(b"data: ") for write in sent.writes) >= 15
    assert b"".join(sent.writes) == b"".join(
        f"data: {n}\n\n".encode() for n in range(50)
    )
    assert sent.times[-1] > 0.49


async def test_faster() -> None:
    """With a stretch of 0.0001, a quarter of an hour takes a tenth of a second."""
    sent = Sent(0.0001)
    await sent.deliver(events(500.0, 1000.0))
    assert sent.times[-1] > 0.09


async def test_at_once() -> None:
    """Without waiting, a complete stream is sent in one write."""
    sent = Sent(0.0)
    assert await sent.deliver(events(*range(1, 1000))) == "all"
    assert len(sent.writes) == 1


@pytest.mark.parametrize(
    "answer", [events(), whole("x"), ApiAnswer(200, {}, b"")]
)
async def test_an_answer_is_always_ended(answer: ApiAnswer) -> None:
    """A complete body, an empty one, and a stream without events each end properly."""
    sent = Sent()
    await sent.deliver(answer)
    assert [message.get("more_body") for message in sent.messages[1:]] == [
        False
    ] and not sent.dropped


@pytest.mark.parametrize("stretch", [0.0, 1.0])
async def test_broken_answers(stretch: float) -> None:
    """An answer that breaks is dropped after what it has sent. An answer that fails is dropped
    without a byte.
    """
    for answer in (
        ApiAnswer(200, {}, b"{", breaks=True),
        ApiAnswer(200, {}, events=events(0.0).events, breaks=True),
    ):
        sent = Sent(stretch)
        assert await sent.deliver(answer) == "all"
        assert sent.dropped and sent.messages[-1]["more_body"]
        assert not any(
            name == b"content-length" for name, _ in sent.messages[0]["headers"]
        )
    sent = Sent(stretch)
    assert await sent.deliver(ApiAnswer(status=0)) == "all"
    assert sent.dropped and sent.messages == []


@pytest.mark.parametrize(
    "answer",
    [
        ApiAnswer(after=NEVER),
        events(3000.0, 6000.0),
        events(0.0, 6000.0),
        whole("x", after=6000.0),
    ],
)
async def test_the_work_ends_when_the_client_goes(answer: ApiAnswer) -> None:
    """If a client leaves during a silence or between two events, the work for it ends
    immediately.
    """
    sent = Sent()
    delivering = asyncio.create_task(sent.deliver(answer))
    await asyncio.sleep(0.02)
    sent.leave()
    assert await asyncio.wait_for(delivering, HANG) == "left"
    assert b"data: 1" not in b"".join(sent.writes)


# On a real socket


def stalled(seconds: float = 3600.0) -> ApiAnswer:
    """A stream with two events, followed by the rest after a long time."""
    first = streamed(["a"], first=0.0, finish_reason=None)
    late = Event(seconds, sse(chunk({"content": "b"})))
    return ApiAnswer(
        200,
        first.headers,
        events=(*(first.events or ()), late, Event(seconds, DONE)),
        source="written",
    )


def test_a_stream_is_not_held_back(tmp_path: Path) -> None:
    """The SDK has the first words before the others arrive."""
    with served(
        folder_with(tmp_path, (params(stream=True), stalled())), speed=1.0
    ) as running:
        stream = running.client().chat.completions.create(
            **params(), stream=True
        )
        texts = [next(stream).choices[0].delta.content for _ in range(2)]
        assert texts == ["", "a"]  # the rest is due in an hour
        stream.close()


@pytest.mark.parametrize("abrupt", [False, True])
def test_leaving_a_stream(tmp_path: Path, abrupt: bool) -> None:
    """Leaving a stream halfway ends the work for it, and the ledger and the log record that the
    client left.
    """
    with served(
        folder_with(tmp_path, (params(stream=True), stalled())), speed=1.0
    ) as running:
        learner: Any = running.room.learners.of("Bearer key")
        with socket.create_connection(
            ("127.0.0.1", running.port), timeout=HANG
        ) as connection:
            connection.sendall(request_bytes(params(stream=True)))
            while b'"a"' not in connection.recv(65536):
                pass
            assert learner.under_way == 1
            if abrupt:
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )
        until(lambda: learner.under_way == 0)
        assert [attempt.received for attempt in learner.ledger] == ["left"]
        assert running.logged("s left\n")


def test_silence_ends_with_the_callers_patience(tmp_path: Path) -> None:
    """An injected timeout is silence: the SDK gives up after its own timeout, and then the server
    does.
    """
    with served(
        folder_with(tmp_path, (params(), whole("x"))), speed=1.0
    ) as running:
        client = running.client(timeout=0.3)
        learner: Any = running.room.learners.of("Bearer key")
        running.admin("POST", "/admin/faults", {"fault": "timeout"})
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**params())
        until(lambda: learner.under_way == 0)


def test_a_broken_stream_is_an_incomplete_one(tmp_path: Path) -> None:
    """A connection that breaks on purpose lacks the last chunk, which every HTTP client notices.
    Everything before that arrives.
    """
    broken = streamed(["a", "b"], finish_reason=None, breaks=True)
    with served(
        folder_with(tmp_path, (params(stream=True), broken))
    ) as running:
        answer = running.bytes(request_bytes(params(stream=True)))
        assert answer.count(b"data: ") == 3 and not answer.endswith(
            b"0\r\n\r\n"
        )
        with pytest.raises(
            httpx2.RemoteProtocolError, match="incomplete chunked read"
        ):
            running.post(json.dumps(params(stream=True)).encode())


def test_many_streams_at_once(tmp_path: Path) -> None:
    """Sixty simultaneous paced streams all arrive in full, and not too early."""
    folder_with(
        tmp_path,
        (params(stream=True), streamed(["a"] * 50, first=0.1, gap=0.01)),
    )
    with served(tmp_path, speed=1.0) as running:

        def read(into: list[float]) -> None:
            with socket.create_connection(
                ("127.0.0.1", running.port), timeout=HANG
            ) as connection:
                start = time.monotonic()
                connection.sendall(
                    request_bytes(
                        params(stream=True), more="Connection: close\r\n"
                    )
                )
                if read_all(connection).count(b"data: ") == 54:
                    into.append(time.monotonic() - start)

        took: list[float] = []
        readers = [
            threading.Thread(target=read, args=[took]) for _ in range(60)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert len(took) == 60 and min(took) > 0.58


def test_a_request_is_answered_in_pieces(tmp_path: Path) -> None:
    """A request that arrives byte by byte is read like any other."""
    with served(folder_with(tmp_path, (params(), whole("Paris.")))) as running:
        with socket.create_connection(
            ("127.0.0.1", running.port), timeout=HANG
        ) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request_bytes(params(), more="Connection: close\r\n"):
                connection.sendall(bytes([byte]))
            assert b"Paris." in read_all(connection)
        raw = json.dumps(params()).encode()
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(raw[i : i + 7]), raw[i : i + 7])
            for i in range(0, len(raw), 7)
        )
        head = request_bytes(
            b"", more="Transfer-Encoding: chunked\r\nConnection: close\r\n"
        )
        head = head.replace(b"Content-Length: 0\r\n", b"")
        assert b"Paris." in running.bytes(head + chunks + b"0\r\n\r\n")
