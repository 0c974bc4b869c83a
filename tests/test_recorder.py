"""Record mode: the real API answers as usual, and each complete exchange is saved for replay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from coursekit import connect, connect_async, course, stream_text
from coursekit.offline.exchange import ApiAnswer
from coursekit.offline.recorder import (
    Recorder,
    SecretInRequest,
    answered_by,
    without_secrets,
)
from coursekit.offline.recordings import Recordings, read, sent_headers
from support.loopback import Upstream, upstream
from support.offline_api import WRITTEN, completion, params, request, streamed

# made up, and not a key to programs that scan this file
KEY = "-".join(["sk", "proj", "0123456789abcdefghijABCDEFGHIJ"])
WHOLE = json.dumps(completion("Paris.")).encode()


def whole(to: Upstream) -> None:
    to.whole(
        WHOLE,
        set_cookie=f"session={KEY}",
        openai_organization="org-secret",
        x_ratelimit_limit_requests="500",
    )


def stream_of(*texts: str, wait: float = 0.0, **more: Any) -> Any:
    blocks = [
        (wait, event.data)
        for event in streamed(list(texts), **more).events or ()
    ]
    return lambda to: to.stream(blocks)


@pytest.fixture
def recording() -> Iterator[Callable[..., openai.OpenAI]]:
    """Makes clients in record mode, and closes them at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda folder, url, **options: stack.enter_context(
            connect(
                "record",
                recordings=folder,
                base_url=url,
                **{"api_key": KEY, **options},
            )
        )


def texts(folder: Path) -> str:
    return "".join(
        path.read_text() for path in folder.rglob("*") if path.is_file()
    )


def test_recorded_then_replayed_without_the_network(
    tmp_path: Path, recording: Any
) -> None:
    """Replay later returns the answer that the caller got live, without any server."""
    with upstream(whole) as (url, seen):
        live = recording(tmp_path, url).chat.completions.create(**params())
        assert len(seen) == 1 and seen[0][1]["authorization"] == f"Bearer {KEY}"
    again = connect(
        "replay", recordings=tmp_path, speed="instant"
    ).chat.completions.create(**params())
    assert (
        again.to_dict() == live.to_dict()
        and again._request_id == live._request_id == "req_upstream"
    )
    _, provenance, answer = read(next(tmp_path.glob("*.json")))
    assert (
        provenance.kind == "local"
        and answer.headers["x-ratelimit-limit-requests"] == "500"
    )


def test_no_secret_reaches_the_disk(
    tmp_path: Path, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the key nor a cookie nor the organization is stored, not even when the API echoes the
    key.
    """
    monkeypatch.setenv("COURSEKIT_RECORD_ERRORS", "401")
    echo = json.dumps(
        {
            "error": {
                "message": f"Incorrect API key provided: {KEY}.",
                "code": "invalid_api_key",
            }
        }
    ).encode()
    with upstream(
        lambda to: (
            to.whole(echo, 401) if b"echo" in to.seen[-1][0] else whole(to)
        )
    ) as (
        url,
        _,
    ):
        client = recording(tmp_path, url, max_retries=0)
        client.chat.completions.create(**params())
        with pytest.raises(openai.AuthenticationError):
            client.chat.completions.create(**params("echo"))
    kept = texts(tmp_path)
    assert "[API key removed]" in kept and not any(
        secret in kept for secret in (KEY, "org-secret", "session=")
    )


def test_a_key_in_a_prompt_is_stopped_before_it_is_sent(
    tmp_path: Path, recording: Any
) -> None:
    """A request that contains a key is refused before it leaves the machine, with a message that
    says what to do.
    """
    with upstream(whole) as (url, seen):
        client = recording(tmp_path, url, api_key="a-key-of-another-form")
        for prompt in (f"my key is {KEY}", "is a-key-of-another-form good?"):
            with pytest.raises(SecretInRequest, match="Nothing was sent"):
                client.chat.completions.create(**params(prompt))
    assert seen == [] and texts(tmp_path) == ""


def test_a_stream_passes_at_once_and_is_kept_with_its_times(
    tmp_path: Path, recording: Any
) -> None:
    """While recording, the first text arrives long before the last, and the stored offsets are the
    arrival times.
    """
    with upstream(stream_of(*"abcde", wait=0.03)) as (url, _):
        stream = stream_text(recording(tmp_path, url), **params())
        assert "".join(stream) == "abcde"
    assert (
        stream.timing.total is not None
        and stream.timing.first_token is not None
    )
    assert stream.timing.first_token < 0.75 * stream.timing.total
    events = read(next(tmp_path.glob("*.json")))[2].events or ()
    assert len(events) == 9 and events[-1].at - events[1].at > 0.1
    again = stream_text(
        connect("replay", recordings=tmp_path, speed="instant"), **params()
    )
    assert list(again) == list("abcde") and again.usage == stream.usage
    assert again.timing.total == pytest.approx(events[-1].at)


def test_a_stream_is_kept_although_the_sdk_stops_at_done(
    tmp_path: Path, recording: Any
) -> None:
    """The SDK closes the response when it reads [DONE], but the recording is complete, both sync
    and async.
    """
    with upstream(stream_of("a")) as (url, _):
        sync = recording(tmp_path / "sync", url)
        assert (
            len(list(sync.chat.completions.create(**params(), stream=True)))
            == 4
        )

        async def main() -> int:
            async with connect_async(
                "record",
                recordings=tmp_path / "async",
                base_url=url,
                api_key=KEY,
            ) as client:
                return len(
                    [
                        chunk
                        async for chunk in await client.chat.completions.create(
                            **params(), stream=True
                        )
                    ]
                )

        assert asyncio.run(main()) == 4
    for kind in ("sync", "async"):
        events = read(next((tmp_path / kind).glob("*.json")))[2].events or ()
        assert events[-1].data == b"data: [DONE]\n\n"


def test_a_last_event_without_its_blank_line_is_kept(
    tmp_path: Path, recording: Any
) -> None:
    """A server may close cleanly without the blank line after its last event. The recording still
    contains that event, and replays it as the caller got it live.
    """
    *blocks, last = [
        (0.0, event.data)
        for event in streamed(["a", "b"], done=False).events or ()
    ]
    with upstream(
        lambda to: to.stream([*blocks, (0.0, last[1].rstrip(b"\n"))])
    ) as (
        url,
        _,
    ):
        live = list(
            recording(tmp_path, url).chat.completions.create(
                **params(), stream=True
            )
        )
    events = read(next(tmp_path.glob("*.json")))[2].events or ()
    assert len(events) == 5 and events[-1].data.rstrip() == last[1].rstrip()
    client = connect("replay", recordings=tmp_path, speed="instant")
    assert list(client.chat.completions.create(**params(), stream=True)) == live


def test_bytes_are_cut_into_events_wherever_they_are_split(
    tmp_path: Path,
) -> None:
    """However the network splits the bytes, the events are those that the server wrote, each with
    its arrival time.
    """
    data = b"".join(event.data for event in streamed(["a"]).events or ())
    ends = [found.end() for found in re.finditer(b"\n\n", data)]
    for size in (1, 2, 3, 7, 64, len(data)):
        pieces = [
            (float(number), data[at : at + size])
            for number, at in enumerate(range(0, len(data), size))
        ]
        recordings = Recordings([tmp_path / str(size)])
        head = ApiAnswer(200, {"content-type": "text/event-stream"})
        recorder = Recorder(recordings, WRITTEN)
        recorder.keep_pieces(
            request(params(stream=True)),
            head,
            [*pieces, (99.0, b": never read")],
        )
        [path] = (tmp_path / str(size)).iterdir()
        events = read(path)[2].events or ()
        assert b"".join(event.data for event in events) == data
        assert [event.at for event in events] == [
            float((end - 1) // size) for end in ends
        ]


def test_what_was_not_whole_is_not_kept(tmp_path: Path, recording: Any) -> None:
    """A stream that broke, that the caller left, or that closed cleanly before its end leaves
    no recording.
    """
    blocks = [
        (0.0, event.data)
        for event in streamed(["a", "b"], finish_reason=None).events or ()
    ]
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
    assert list(tmp_path.glob("*")) == []


def test_answers_of_one_client_are_numbered(
    tmp_path: Path, recording: Any
) -> None:
    """A 429 and the answer after it are both saved, so that replay retries as live mode did. A new
    client starts over.
    """
    refused = json.dumps(
        {
            "error": {
                "message": "Rate limit reached",
                "type": "requests",
                "code": "rate_limit_exceeded",
            }
        }
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
    """A compressed answer is stored and forwarded as plain text."""
    import gzip

    with upstream(
        lambda to: to.whole(gzip.compress(WHOLE), content_encoding="gzip")
    ) as (url, _):
        client = recording(tmp_path, url)
        assert (
            client.chat.completions.create(**params())
            .choices[0]
            .message.content
            == "Paris."
        )
    assert "Paris." in texts(tmp_path)


DONE_SEEN = [event.data for event in streamed(["a", "b"]).events or ()]


def cut_body(to: Upstream) -> None:
    """The connection ends before the body does."""
    to.begin(200, "application/json", {"content-length": "900"})
    to.wfile.write(WHOLE[:60])
    to.close_connection = True


ERROR_EVENT = b'data: {"error": {"message": "overloaded"}}\n\n'
NO_ANSWERS: dict[str, Any] = {
    "401": lambda to: to.whole(api_error("invalid_api_key"), 401),
    "403": lambda to: to.whole(
        api_error("unsupported_country_region_territory"), 403
    ),
    "404": lambda to: to.whole(api_error("model_not_found"), 404),
    "429 without money": lambda to: to.whole(
        api_error("insufficient_quota"), 429
    ),
    "429": lambda to: to.whole(api_error("rate_limit_exceeded"), 429),
    "500": lambda to: to.whole(api_error("server_error"), 500),
    "503": lambda to: to.whole(api_error("overloaded"), 503),
    "500 as a page": lambda to: to.whole(b"<html>", 500, "text/html"),
    "a page": lambda to: to.whole(
        b"<html>log in to the wifi</html>", kind="text/html"
    ),
    "empty": lambda to: to.whole(b""),
    "null": lambda to: to.whole(b"null"),
    "a list": lambda to: to.whole(b"[]"),
    "broken JSON": lambda to: to.whole(WHOLE[:60]),
    "not UTF-8": lambda to: to.whole(WHOLE.replace(b"Paris", b"Par\xefs")),
    "an error with 200": lambda to: to.whole(api_error("server_error")),
    "no choices": lambda to: to.whole(
        b'{"id": "1", "object": "chat.completion", "created": 1, "model": "m"}'
    ),
    "choices null": lambda to: to.whole(b'{"id": "1", "choices": null}'),
    "no message": lambda to: to.whole(
        b'{"id": "1", "choices": [{"index": 0, "finish_reason": "stop"}]}'
    ),
    "a stream for JSON": lambda to: to.stream(
        [(0.0, data) for data in DONE_SEEN]
    ),
    "cut": cut_body,
}
NO_STREAMS: dict[str, Any] = {
    "broken": lambda to: to.stream(
        [(0.0, data) for data in DONE_SEEN[:2]], whole=False
    ),
    "cut in good order": lambda to: to.stream(
        [(0.0, data) for data in DONE_SEEN[:2]]
    ),
    "an error in it": lambda to: to.stream(
        [(0.0, data) for data in (*DONE_SEEN[:2], ERROR_EVENT)]
    ),
    "broken JSON in it": lambda to: to.stream(
        [(0.0, data) for data in (DONE_SEEN[0], b"data: {\n\n", *DONE_SEEN[1:])]
    ),
    "nothing but [DONE]": lambda to: to.stream([(0.0, DONE_SEEN[-1])]),
    "JSON for a stream": whole,
    "500": lambda to: to.whole(api_error("server_error"), 500),
}


def api_error(code: str) -> bytes:
    return json.dumps(
        {"error": {"message": code, "type": code, "param": None, "code": code}}
    ).encode()


@pytest.mark.parametrize(
    ("stream", "bad"),
    [
        *(
            pytest.param(False, bad, id=name)
            for name, bad in NO_ANSWERS.items()
        ),
        *(
            pytest.param(True, bad, id=f"stream {name}")
            for name, bad in NO_STREAMS.items()
        ),
    ],
)
def test_only_a_whole_answer_replaces_a_whole_answer(
    tmp_path: Path, recording: Any, stream: bool, bad: Any
) -> None:
    """An incomplete answer reaches the caller, but is not saved. Two good recordings stay
    unchanged, byte for byte, including .2.
    """
    good = stream_of("Paris.") if stream else whole

    def ask(url: str) -> None:
        client = recording(tmp_path, url, max_retries=0)
        answer = client.chat.completions.create(**params(), stream=stream)
        if stream:
            list(answer)
        elif not hasattr(answer, "choices"):
            raise TypeError

    with upstream(good) as (url, _):
        client = recording(tmp_path, url)
        for _ in range(2):
            reply = client.chat.completions.create(**params(), stream=stream)
            list(reply) if stream else None
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 2
    with upstream(bad) as (url, seen):
        with contextlib.suppress(openai.APIError, ValueError, TypeError):
            ask(url)
        assert len(seen) == 1
    assert {
        path.name: path.read_bytes() for path in tmp_path.iterdir()
    } == before


WHOLE_ALL_THE_SAME = {
    "no usage": {"usage": None},
    "extra fields": {"timings": {"a": 1.5}, "provider": "x"},
    "an id of another kind": {"id": 12345, "created": "2026-01-01T00:00:00Z"},
    "tool calls": {
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "f", "arguments": "{}"},
                        }
                    ],
                },
            }
        ]
    },
    "reasoning_content": {
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": "4",
                    "reasoning_content": "two and two",
                },
            }
        ]
    },
    "numbers that JSON lacks": {
        "created": math.inf,
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 1,
            "total_tokens": 6,
            "cost": -math.inf,
        },
    },
    "half a surrogate pair": {
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "\ud83d"},
            }
        ]
    },
}


@pytest.mark.parametrize(
    "more", WHOLE_ALL_THE_SAME.values(), ids=WHOLE_ALL_THE_SAME
)
def test_an_odd_answer_that_is_whole_is_kept_as_it_was(
    tmp_path: Path, recording: Any, more: dict[str, Any]
) -> None:
    """What other servers add or leave out is saved, and is replayed as the caller got it."""
    with upstream(
        lambda to: to.whole(
            json.dumps({**completion("Paris."), **more}).encode()
        )
    ) as (
        url,
        _,
    ):
        live = recording(tmp_path, url).chat.completions.create(**params())
    (file,) = tmp_path.iterdir()
    json.loads(file.read_text(), parse_constant=pytest.fail)
    again = connect(
        "replay", recordings=tmp_path, speed="instant"
    ).chat.completions.create(**params())
    assert again.to_dict(warnings=False) == live.to_dict(warnings=False)


def test_an_event_with_numbers_that_json_lacks_is_kept_as_it_was(
    tmp_path: Path, recording: Any
) -> None:
    """llama.cpp and vLLM write the log-probability of an impossible token as -Infinity, but the
    file is still valid JSON.
    """
    first, *rest = DONE_SEEN
    odd = first.replace(b'"logprobs":null', b'"logprobs":-Infinity').replace(
        b'"logprobs": null', b'"logprobs": -Infinity'
    )
    assert odd != first
    with upstream(
        lambda to: to.stream([(0.0, data) for data in (odd, *rest)])
    ) as (url, _):
        live = list(
            recording(tmp_path, url).chat.completions.create(
                **params(), stream=True
            )
        )
    (file,) = tmp_path.iterdir()
    json.loads(file.read_text(), parse_constant=pytest.fail)
    client = connect("replay", recordings=tmp_path, speed="instant")
    assert list(client.chat.completions.create(**params(), stream=True)) == live


def test_a_date_of_retry_after_is_stored_as_seconds() -> None:
    """A date in Retry-After would be long past at replay, so the wait that it meant is stored."""
    headers = {
        "Date": "Sun, 29 Nov 2026 09:00:00 GMT",
        "Retry-After": "Sun, 29 Nov 2026 09:00:07 GMT",
    }
    stored = {"retry-after": "7"}
    assert sent_headers(headers) == stored
    assert sent_headers(stored) == stored
    assert sent_headers({**headers, "Date": headers["Retry-After"]}) == {
        "retry-after": "0"
    }


@pytest.mark.parametrize(
    "end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"]
)
@pytest.mark.parametrize("blank", [b" ", b""], ids=["blank", "no blank"])
def test_streams_are_kept_as_the_standard_has_them(
    tmp_path: Path, recording: Any, end: bytes, blank: bytes
) -> None:
    """A stream is saved whatever its line endings, with comments, event: and id: lines, and data on
    several lines.
    """
    first, *rest = DONE_SEEN
    several = first.replace(b', "', b',\ndata: "', 1).replace(
        b',"', b',\ndata:"', 1
    )
    blocks = [
        b": ping\n\n",
        several,
        *(b"event: message\nid: 7\n" + data for data in rest),
    ]
    wire = [
        block.replace(b"data: ", b"data:" + blank).replace(b"\n", end)
        for block in blocks
    ]
    with upstream(lambda to: to.stream([(0.0, data) for data in wire])) as (
        url,
        _,
    ):
        live = list(
            recording(tmp_path, url).chat.completions.create(
                **params(), stream=True
            )
        )
    assert len(live) == 5
    client = connect("replay", recordings=tmp_path, speed="instant")
    assert list(client.chat.completions.create(**params(), stream=True)) == live


def test_errors_are_kept_where_the_author_asks(
    tmp_path: Path, recording: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COURSEKIT_RECORD_ERRORS lists the statuses to save. The account's IDs in the error and in
    headers are not saved.
    """
    monkeypatch.setenv("COURSEKIT_RECORD_ERRORS", "400, 429")
    text = (
        "Rate limit reached for gpt-4o in organization org-AbCdEf0123456789 on requests per "
        "min (RPM)."
    )
    error = json.dumps(
        {
            "error": {
                "message": text,
                "type": "requests",
                "code": "rate_limit_exceeded",
            }
        }
    ).encode()
    with upstream(
        lambda to: to.whole(
            error, 429, x_request_id=f"req_{KEY}", retry_after="20"
        )
    ) as (
        url,
        _,
    ):
        client = recording(tmp_path, url, max_retries=0)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**params())
    kept = texts(tmp_path)
    assert (
        "in organization [account removed] on" in kept
        and "req_[API key removed]" in kept
    )
    assert KEY not in kept and "org-AbCdEf0123456789" not in kept
    replay = connect(
        "replay", recordings=tmp_path, speed="instant", max_retries=0
    )
    with pytest.raises(openai.RateLimitError):
        replay.chat.completions.create(**params())
    monkeypatch.setenv("COURSEKIT_RECORD_ERRORS", "all")
    with pytest.raises(ValueError, match="give the statuses"):
        recording(tmp_path, "http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (KEY, True),
        ("-".join(["sk", "ant", "api03", "Zk81hbV0aLpQ3mXyT9cRw2Jd"]), True),
        (
            "-".join(["sk", "or", "v1", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"]),
            True,
        ),
        ("sk-learn-pipeline-for-classification", False),
        ("sk-learn-pipeline-2024-for-classification-v2", False),
        ("sk-550e8400-e29b-41d4-a716-446655440000", False),
        ("ask-0123456789abcdefghijABCD", False),
    ],
)
def test_a_key_is_told_from_words(
    tmp_path: Path, recording: Any, text: str, secret: bool
) -> None:
    """The same rule applies to both sides: what is refused in a request is removed from an answer,
    and ordinary words are neither refused nor removed.
    """
    reply = json.dumps(completion(f"It is {text}.")).encode()
    with upstream(lambda to: to.whole(reply)) as (url, seen):
        client = recording(tmp_path, url, api_key="lm-studio")
        client.chat.completions.create(**params("What about lm-studio?"))
        assert (text in texts(tmp_path)) is not secret
        with (
            pytest.raises(SecretInRequest)
            if secret
            else contextlib.nullcontext()
        ):
            client.chat.completions.create(**params(f"What is {text}?"))
        assert len(seen) == 1 + (not secret)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("org-AbCdEf0123456789", False),
        ("proj_a1B2c3D4e5F6g7H8", False),
        ("org-mode-configuration-of-emacs", True),
        ("org-chart2024", True),
    ],
)
def test_ids_of_accounts_are_told_from_words(text: str, kept: bool) -> None:
    """The IDs of organizations and projects are removed wherever they occur; words that begin in
    the same way stay.
    """
    assert (
        text.encode() in without_secrets(f"in {text} today".encode())
    ) is kept


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.openai.com/v1", "live"),
        ("https://eu.api.openai.com/v1", "live"),
        ("http://127.0.0.1:11434/v1", "local"),
        ("http://localhost:8080/v1", "local"),
        ("http://[::1]:8080/v1", "local"),
        ("https://api.groq.com/openai/v1", "server"),
        ("https://x.openai.azure.com/openai/v1", "server"),
        ("https://api.openai.com.example.net/v1", "server"),
        ("http://192.168.1.5:8000/v1", "server"),
    ],
)
def test_provenance_names_the_model_and_where_it_ran(
    url: str, kind: str
) -> None:
    """Only OpenAI's own API is "live"; the model and the address are stored for every server."""
    for answer in (ApiAnswer(body=WHOLE), streamed(["a"])):
        said = answered_by(url, answer, "2026-11-29")
        assert said.kind == kind and said.on == "2026-11-29"
        assert (
            said.by == f"gpt-4o-2024-08-06 at {httpx2.URL(url).netloc.decode()}"
        )


def test_what_record_mode_makes_is_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder, record mode saves to your own folder, which takes precedence over the
    course's, and does not change the course's files.
    """
    monkeypatch.setenv("COURSEKIT_OWN_RECORDINGS", str(tmp_path))
    before = {
        path: path.stat().st_mtime_ns for path in course.DATA.rglob("*.json")
    }
    ask = params("What does API stand for? Answer in one sentence.")
    for handle, status in ((whole, 200), (NO_ANSWERS["401"], 401)):
        with (
            upstream(handle) as (url, _),
            contextlib.suppress(openai.AuthenticationError),
        ):
            with connect(
                "record", base_url=url, api_key=KEY, max_retries=0
            ) as client:
                client.chat.completions.create(**ask)
            assert status == 200
    assert (
        connect("replay", speed="instant")
        .chat.completions.create(**ask)
        .choices[0]
        .message.content
        == "Paris."
    )
    assert len(list(tmp_path.glob("*.json"))) == 1
    assert before == {
        path: path.stat().st_mtime_ns for path in course.DATA.rglob("*.json")
    }
    monkeypatch.setenv("COURSEKIT_OWN_RECORDINGS", "off")
    assert (
        connect("replay", speed="instant")
        .chat.completions.create(**ask)
        .choices[0]
        .message.content
        != "Paris."
    )
