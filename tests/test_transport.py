"""The transport: the real SDK, sync and async, gets what the layers answer, at the time they
give.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import openai
import pytest

from coursekit.offline.clock import ScaledClock, VirtualClock
from coursekit.offline.exchange import NEVER, ApiAnswer, Layer, error_answer
from coursekit.offline.transport import OfflineTransport
from support.offline_api import Says, params, streamed, whole


def sync_client(api: Layer, clock: Any = None, **options: Any) -> openai.OpenAI:
    http = openai.DefaultHttpx2Client(
        transport=OfflineTransport(api, clock or VirtualClock())
    )
    return openai.OpenAI(
        api_key="x",
        base_url="http://offline/v1",
        http_client=http,
        **{"max_retries": 0, **options},
    )


def async_client(
    api: Layer, clock: Any = None, **options: Any
) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpx2Client(
        transport=OfflineTransport(api, clock or VirtualClock())
    )
    return openai.AsyncOpenAI(
        api_key="x",
        base_url="http://offline/v1",
        http_client=http,
        **{"max_retries": 0, **options},
    )


def ask(
    kind: str,
    api: Layer,
    clock: Any = None,
    stream: bool = False,
    **options: Any,
) -> Any:
    """The reply, or the list of chunks, through a sync or an async client."""
    if kind == "sync":
        # type: ignore[call-overload]
        reply = sync_client(api, clock, **options).chat.completions.create(
            **params(), stream=stream
        )
        return list(reply) if stream else reply

    async def main() -> Any:
        # type: ignore[call-overload]
        reply = await async_client(
            api, clock, **options
        ).chat.completions.create(**params(), stream=stream)
        return [chunk async for chunk in reply] if stream else reply

    return asyncio.run(main())


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_a_whole_answer(kind: str) -> None:
    """A JSON answer becomes a ChatCompletion with its request ID, after the answer's time."""
    clock = VirtualClock()
    reply = ask(kind, Says(whole("Paris.", after=0.767)), clock)
    assert (
        reply.choices[0].message.content == "Paris."
        and reply._request_id == "req_test"
    )
    assert clock.now() == pytest.approx(0.767)


@both
def test_a_stream_arrives_event_by_event(kind: str) -> None:
    """A stream's chunks arrive one by one, each at its offset."""
    clock = VirtualClock()
    chunks = ask(
        kind,
        Says(streamed(["a", "b", "c"], first=0.3, gap=0.1)),
        clock,
        stream=True,
    )
    assert [c.choices[0].delta.content for c in chunks if c.choices] == [
        "",
        "a",
        "b",
        "c",
        None,
    ]
    assert clock.now() == pytest.approx(0.5)


@both
def test_an_error_status_is_a_typed_exception(kind: str) -> None:
    """An error answer arrives as the SDK's exception with its status, body, and request ID."""
    api = Says(
        error_answer(
            400,
            "Bad.",
            code="invalid_type",
            param="n",
            headers={"x-request-id": "req_9"},
        )
    )
    with pytest.raises(openai.BadRequestError) as error:
        ask(kind, api)
    assert (error.value.code, error.value.param, error.value.request_id) == (
        "invalid_type",
        "n",
        "req_9",
    )


@both
@pytest.mark.parametrize("after", [5.0, NEVER])
def test_silence_ends_at_the_read_timeout(kind: str, after: float) -> None:
    """An answer that is later than the caller's read timeout is an APITimeoutError at that time."""
    clock = VirtualClock()
    with pytest.raises(openai.APITimeoutError) as error:
        ask(kind, Says(ApiAnswer(after=after)), clock, timeout=2.0)
    assert clock.now() == pytest.approx(2.0) and isinstance(
        error.value.__cause__, httpx2.ReadTimeout
    )


@both
def test_a_stall_in_a_stream_ends_at_the_read_timeout(kind: str) -> None:
    """A gap that is longer than the read timeout breaks the stream; a long stream with short gaps
    is not broken.
    """
    assert (
        len(
            ask(
                kind,
                Says(streamed(["a"] * 50, gap=0.9)),
                stream=True,
                timeout=1.0,
            )
        )
        == 53
    )
    with pytest.raises(openai.APITimeoutError):
        ask(kind, Says(streamed(["a", "b"], gap=1.1)), stream=True, timeout=1.0)


@both
def test_no_timeout_is_not_for_ever(kind: str) -> None:
    """A caller without a read timeout is released after an hour of API time."""
    clock = VirtualClock()
    with pytest.raises(openai.APITimeoutError):
        ask(kind, Says(ApiAnswer(after=NEVER)), clock, timeout=None)
    assert clock.now() == 3600


@both
def test_a_refused_connection(kind: str) -> None:
    """Status 0 is a failed connection: an APIConnectionError that is caused by a ConnectError and
    is retried by the SDK.
    """
    api = Says(ApiAnswer(status=0))
    with pytest.raises(openai.APIConnectionError) as error:
        ask(kind, api)
    assert isinstance(
        error.value.__cause__, httpx2.ConnectError
    ) and not isinstance(error.value, openai.APITimeoutError)


@both
def test_a_broken_stream_and_a_broken_body(kind: str) -> None:
    """``breaks`` ends a stream, or a complete answer, with a lost connection."""
    with pytest.raises(openai.APIConnectionError):
        ask(
            kind,
            Says(streamed(["a"], finish_reason=None, breaks=True)),
            stream=True,
        )
    with pytest.raises(openai.APIConnectionError):
        ask(
            kind,
            Says(
                ApiAnswer(
                    200,
                    {"content-type": "application/json"},
                    b'{"id": ',
                    breaks=True,
                )
            ),
        )


@both
def test_an_ordinary_exception_passes_untouched(kind: str) -> None:
    """What a layer raises reaches the caller unchanged, after one attempt."""

    class Raises:
        calls = 0

        def answer(self, request: object) -> ApiAnswer:
            self.calls += 1
            raise LookupError("nothing recorded")

    api = Raises()
    with pytest.raises(LookupError, match="nothing recorded"):
        ask(kind, api, max_retries=3)
    assert api.calls == 1


@both
def test_ten_times_faster(kind: str) -> None:
    """At speed 10, the absolute schedule of a stream takes a tenth of the time."""
    clock = ScaledClock(10)
    before = clock.now()
    ask(
        kind,
        Says(streamed(["a"] * 20, first=0.2, gap=0.05)),
        clock,
        stream=True,
    )
    # 0.2 s + 19 gaps of 0.05 s, in API time; wide, for a busy machine
    assert 1.15 <= clock.now() - before < 6


def test_async_waits_run_side_by_side() -> None:
    """Concurrent virtual waits end in the order in which they are due, and together take as long as
    the longest one.
    """
    clock, ended = VirtualClock(), []

    async def wait(seconds: float) -> None:
        await clock.wait_async(clock.now() + seconds)
        ended.append((seconds, clock.now()))

    async def main() -> None:
        await asyncio.gather(*[wait(s) for s in (3.0, 1.0, 2.0)])

    asyncio.run(main())
    asyncio.run(wait(1.0))  # and in another event loop
    assert ended == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (1.0, 4.0)]


def test_a_cancelled_wait_does_not_move_the_clock() -> None:
    """A wait that is cancelled does not affect the others, or the clock."""
    clock = VirtualClock()

    async def main() -> None:
        long = asyncio.create_task(clock.wait_async(100.0))
        await asyncio.sleep(0)
        long.cancel()
        await clock.wait_async(1.0)

    asyncio.run(main())
    assert clock.now() == 1.0
