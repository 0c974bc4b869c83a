"""Record mode: the real API answers as ever, and each whole exchange is kept for replay."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import connect, connect_async, stream_text
from coursekit.offline.recorder import EventCopy, SecretInRequest
from coursekit.offline.recordings import read
from support.loopback import Upstream, upstream
from support.offline_api import completion, params, streamed

KEY = "-".join(["sk", "proj", "0123456789abcdefghijABCDEFGHIJ"])  # made up, and no key to who scans this file
WHOLE = json.dumps(completion("Paris.")).encode()


def whole(to: Upstream) -> None:
    to.whole(WHOLE, set_cookie=f"session={KEY}", openai_organization="org-secret", x_ratelimit_limit_requests="500")


def stream_of(*texts: str, wait: float = 0.0, **more: Any) -> Any:
    blocks = [(wait, event.data) for event in streamed(list(texts), **more).events or ()]
    return lambda to: to.stream(blocks)


@pytest.fixture
def recording() -> Iterator[Callable[..., openai.OpenAI]]:
    """Makes clients in record mode, and closes them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, url, **options: stack.enter_context(
            connect("record", recordings=folder, base_url=url, **{"api_key": KEY, **options})
        )


def texts(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_recorded_then_replayed_without_the_network(tmp_path: Path, recording: Any) -> None:
    """The answer that the caller got live is what replay gives later, with nobody there."""
    with upstream(whole) as (url, seen):
        live = recording(tmp_path, url).chat.completions.create(**params())
        assert len(seen) == 1 and seen[0][1]["authorization"] == f"Bearer {KEY}"
    again = connect("replay", recordings=tmp_path, speed="instant").chat.completions.create(**params())
    assert again.to_dict() == live.to_dict() and again._request_id == live._request_id == "req_upstream"
    _, provenance, answer = read(next(tmp_path.glob("*.json")))
    assert provenance.kind == "live" and answer.headers["x-ratelimit-limit-requests"] == "500"


def test_no_secret_reaches_the_disk(tmp_path: Path, recording: Any) -> None:
    """Neither the key nor a cookie nor the organization is stored, not even when the API echoes the key."""
    echo = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}}).encode()
    with upstream(lambda to: to.whole(echo, 401) if b"echo" in to.seen[-1][0] else whole(to)) as (url, _):
        client = recording(tmp_path, url, max_retries=0)
        client.chat.completions.create(**params())
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(**params("echo"))
    kept = texts(tmp_path)
    assert "[API key removed]" in kept and not any(secret in kept for secret in (KEY, "org-secret", "session="))


def test_a_key_in_a_prompt_is_stopped_before_it_is_sent(tmp_path: Path, recording: Any) -> None:
    """A request that carries a key is refused before it leaves the machine, with what to do."""
    with upstream(whole) as (url, seen):
        client = recording(tmp_path, url, api_key="a-key-of-another-form")
        for prompt in (f"my key is {KEY}", "is a-key-of-another-form good?"):
            with pytest.raises(SecretInRequest, match="Nothing was sent"):
                client.chat.completions.create(**params(prompt))
    assert seen == [] and texts(tmp_path) == ""


def test_a_stream_passes_at_once_and_is_kept_with_its_times(tmp_path: Path, recording: Any) -> None:
    """While recording, the first text is there long before the last; the stored offsets follow the arrivals."""
    with upstream(stream_of(*"abcde", wait=0.03)) as (url, _):
        stream = stream_text(recording(tmp_path, url), **params())
        assert "".join(stream) == "abcde"
    assert stream.timing.total is not None and stream.timing.first_token is not None
    assert stream.timing.first_token < 0.75 * stream.timing.total
    events = read(next(tmp_path.glob("*.json")))[2].events or ()
    assert len(events) == 9 and events[-1].at - events[1].at > 0.1
    again = stream_text(connect("replay", recordings=tmp_path, speed="instant"), **params())
    assert list(again) == list("abcde") and again.usage == stream.usage
    assert again.timing.total == pytest.approx(events[-1].at)


def test_a_stream_is_kept_although_the_sdk_stops_at_done(tmp_path: Path, recording: Any) -> None:
    """The SDK closes the response when it meets [DONE]; the recording is whole all the same, sync and async."""
    with upstream(stream_of("a")) as (url, _):
        sync = recording(tmp_path / "sync", url)
        assert len(list(sync.chat.completions.create(**params(), stream=True))) == 4

        async def main() -> int:
            async with connect_async("record", recordings=tmp_path / "async", base_url=url, api_key=KEY) as client:
                return len([chunk async for chunk in await client.chat.completions.create(**params(), stream=True)])

        assert asyncio.run(main()) == 4
    for kind in ("sync", "async"):
        events = read(next((tmp_path / kind).glob("*.json")))[2].events or ()
        assert events[-1].data == b"data: [DONE]\n\n"


def test_a_last_event_without_its_blank_line_is_kept(tmp_path: Path, recording: Any) -> None:
    """A server may close in good order without the blank line after its last event: the recording has it all the same,
    and replays it as the caller got it live."""
    *blocks, last = [(0.0, event.data) for event in streamed(["a", "b"], done=False).events or ()]
    with upstream(lambda to: to.stream([*blocks, (0.0, last[1].rstrip(b"\n"))])) as (url, _):
        live = list(recording(tmp_path, url).chat.completions.create(**params(), stream=True))
    events = read(next(tmp_path.glob("*.json")))[2].events or ()
    assert len(events) == 5 and events[-1].data.rstrip() == last[1].rstrip()
    client = connect("replay", recordings=tmp_path, speed="instant")
    assert list(client.chat.completions.create(**params(), stream=True)) == live


def test_bytes_are_cut_into_events_wherever_they_are_split() -> None:
    """However the network cuts the bytes, the events are those that the server wrote, each with its time of arrival.
    They are kept once: at [DONE] or when the stream closes, whichever comes first."""
    data = b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"
    for size in range(1, len(data) + 1):
        clock, kept = itertools.count(), []
        copy = EventCopy(lambda clock=clock: float(next(clock)), kept.append)
        pieces = [data[i : i + size] for i in range(0, len(data), size)]
        for piece in pieces:
            copy.add(piece)
        copy.finish()
        [events] = kept
        assert [event.data for event in events] == [b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"]
        assert [event.at for event in events] == [float((end - 1) // size) for end in (9, 18, len(data))]


def test_what_was_not_whole_is_not_kept(tmp_path: Path, recording: Any) -> None:
    """A stream that broke, or that the caller left, leaves no recording; one that closed in good order does."""
    blocks = [(0.0, event.data) for event in streamed(["a", "b"], finish_reason=None).events or ()]
    with upstream(lambda to: to.stream(blocks, whole=False)) as (url, _):
        client = recording(tmp_path, url, max_retries=0)
        with pytest.raises(openai.APIConnectionError):
            list(client.chat.completions.create(**params(), stream=True))
    with upstream(stream_of("a", "b", "c")) as (url, _):
        client = recording(tmp_path, url)
        with client.chat.completions.create(**params(), stream=True) as left:
            next(iter(left))
    assert list(tmp_path.glob("*")) == []
    with upstream(lambda to: to.stream(blocks)) as (url, _):
        client = recording(tmp_path, url)
        list(client.chat.completions.create(**params(), stream=True))
    assert len(read(next(tmp_path.glob("*.json")))[2].events or ()) == 3


def test_answers_of_one_client_are_numbered(tmp_path: Path, recording: Any) -> None:
    """A 429 and then the answer are both kept, so that replay retries as live did; a new client starts anew."""
    refused = json.dumps(
        {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
    ).encode()

    def first_429(to: Upstream) -> None:
        if len(to.seen) == 1:
            to.whole(refused, 429, retry_after_ms="1")
        else:
            whole(to)

    with upstream(first_429) as (url, seen):
        recording(tmp_path, url).chat.completions.create(**params())
        assert len(seen) == 2
    client = connect("replay", recordings=tmp_path, speed="instant")
    raw = client.chat.completions.with_raw_response.create(**params())
    assert raw.retries_taken == 1 and len(list(tmp_path.glob("*.json"))) == 2
    with upstream(whole) as (url, _):
        recording(tmp_path, url).chat.completions.create(**params())
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_gzip_is_unpacked(tmp_path: Path, recording: Any) -> None:
    """A compressed answer is stored and passed on as plain text."""
    import gzip

    with upstream(lambda to: to.whole(gzip.compress(WHOLE), content_encoding="gzip")) as (url, _):
        client = recording(tmp_path, url)
        assert client.chat.completions.create(**params()).choices[0].message.content == "Paris."
    assert "Paris." in texts(tmp_path)
