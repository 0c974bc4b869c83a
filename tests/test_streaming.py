"""stream_text: the text as it arrives, its timing, and how each stream ended."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest

import coursekit
from coursekit import IncompleteStream, connect, stream_response, stream_text
from coursekit.offline.exchange import DONE, ApiAnswer, Event, sse
from coursekit.wired import wired_to
from support.offline_api import chunk, folder_with, params, streamed

STREAMED = params(stream=True, stream_options={"include_usage": True})


def client_for(
    folder: Path, answer: ApiAnswer, **options: object
) -> openai.OpenAI:
    return connect(
        "replay",
        recordings=folder_with(folder, (STREAMED, answer)),
        speed="instant",
        **options,
    )


def test_a_complete_stream(tmp_path: Path) -> None:
    """The deltas are the text. The finish reason, usage, model, request ID, and timing are
    available afterward.
    """
    stream = stream_text(
        client_for(tmp_path, streamed(["Par", "is", "."], first=0.3, gap=0.1)),
        **params(),
    )
    assert stream.ended is None
    assert list(stream) == ["Par", "is", "."]
    assert (stream.text, stream.finish_reason, stream.ended) == (
        "Paris.",
        "stop",
        "complete",
    )
    assert (
        stream.usage.total_tokens == 16
        and stream.request_id == "req_stream"
        and stream.model == "gpt-4o-2024-08-06"
    )
    assert stream.timing.first_token == pytest.approx(0.3)
    assert stream.timing.gaps == pytest.approx(
        [0.1, 0.1]
    ) and stream.timing.total == pytest.approx(0.5)


def test_a_usage_stays_whatever_follows(tmp_path: Path) -> None:
    """Usage that a server sends before the end, as some compatible servers do, counts: later chunks
    without usage do not remove it, and a later usage replaces it.
    """

    def read(*written: int | None) -> int:
        usages = [
            n
            and {
                "prompt_tokens": 14,
                "completion_tokens": n,
                "total_tokens": 14 + n,
            }
            for n in written
        ]
        chunks = [
            chunk({"content": "a"}, "stop", usage=usage) for usage in usages
        ]
        events = (*(Event(0.3, sse(each)) for each in chunks), Event(0.4, DONE))
        answer = ApiAnswer(200, streamed([]).headers, events=events)
        stream = stream_text(
            client_for(tmp_path / str(written), answer), **params()
        )
        assert list(stream) == ["a"] * len(written)
        return int(stream.usage.completion_tokens)

    assert read(7, None) == 7
    assert read(7, 9, None) == 9


@pytest.mark.parametrize(
    ("reason", "ending"),
    [("length", "truncated"), ("content_filter", "filtered")],
)
def test_an_answer_that_was_ended_early(
    tmp_path: Path, reason: str, ending: str
) -> None:
    """Ending because of the length or the filter is not an exception here; ``ended`` says so."""
    stream = stream_text(
        client_for(tmp_path, streamed(["a"], finish_reason=reason)), **params()
    )
    assert "".join(stream) == "a" and stream.ended == ending


def test_a_silent_cut_is_not_silent(tmp_path: Path) -> None:
    """A stream that closes cleanly without a finish reason raises IncompleteStream with the
    text so far.
    """
    stream = stream_text(
        client_for(tmp_path, streamed(["Half an ans"], finish_reason=None)),
        **params(),
    )
    with pytest.raises(
        IncompleteStream, match="without a finish_reason"
    ) as error:
        list(stream)
    assert (
        error.value.text == stream.text == "Half an ans"
        and stream.ended == "cut"
        and stream.usage is None
    )


def test_a_lost_connection_and_a_stall(tmp_path: Path) -> None:
    """A broken connection and a read timeout raise the SDK's errors, ``ended`` is "interrupted",
    and the text is kept.
    """
    lost = stream_text(
        client_for(
            tmp_path / "a", streamed(["a"], finish_reason=None, breaks=True)
        ),
        **params(),
    )
    with pytest.raises(openai.APIConnectionError):
        list(lost)
    late = stream_text(
        client_for(tmp_path / "b", streamed(["a", "b"], gap=9.0), timeout=5),
        **params(),
    )
    with pytest.raises(openai.APITimeoutError):
        list(late)
    assert (lost.ended, lost.text, late.ended, late.text) == (
        "interrupted",
        "a",
        "interrupted",
        "a",
    )
    assert late.timing.total == pytest.approx(0.3 + 5)


@pytest.mark.parametrize(
    "data",
    [
        sse(
            {
                "error": {
                    "message": "The server had an error",
                    "type": "server_error",
                }
            }
        ),
        b"data: {broken\n\n",
    ],
)
def test_an_error_in_mid_stream(tmp_path: Path, data: bytes) -> None:
    """An error event, or an event that is not JSON, ends the stream as "error"."""
    whole = streamed(["a"], finish_reason=None)
    answer = ApiAnswer(
        200, whole.headers, events=(*(whole.events or ()), Event(0.5, data))
    )
    stream = stream_text(client_for(tmp_path, answer), **params())
    with pytest.raises((openai.APIError, ValueError)):
        list(stream)
    assert stream.ended == "error" and stream.text == "a"


def test_leaving_early_hangs_up(tmp_path: Path) -> None:
    """Leaving the with block closes the response, and the clock does not advance to the rest."""
    client = client_for(tmp_path, streamed(["a"] * 100, first=0.3, gap=0.1))
    with stream_text(client, **params()) as stream:
        next(stream)
    assert stream.ended == "left" and stream._stream.response.is_closed
    assert wired_to(client).clock.now() == pytest.approx(0.3)
    with stream_text(client, **params()) as unread:
        pass
    assert unread.ended == "left" and unread._stream.response.is_closed


def test_a_refusal_is_kept_apart(tmp_path: Path) -> None:
    """A streamed refusal is not text: it is in ``refusal``, and the text stays empty."""
    said = streamed([])
    events = list(said.events or ())
    events[1:1] = [
        Event(0.4, sse(chunk({"refusal": part})))
        for part in ("I'm sorry, ", "no.")
    ]
    client = client_for(
        tmp_path, ApiAnswer(200, said.headers, events=tuple(events))
    )
    stream = stream_text(client, **params())
    assert list(stream) == [] and (
        stream.text,
        stream.refusal,
        stream.ended,
    ) == (
        "",
        "I'm sorry, no.",
        "complete",
    )


def test_only_one_answer_at_a_time(tmp_path: Path) -> None:
    """n above 1 is refused before anything is sent, because deltas of several answers
    interleave.
    """
    with pytest.raises(ValueError, match="leave n out"):
        stream_text(connect("replay", recordings=tmp_path), **params(), n=2)


def test_stream_response_prints_and_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """stream_response prints the text as it arrives and returns all of it. A cut raises an
    error.
    """
    client = client_for(tmp_path, streamed(["Par", "is."]))
    assert stream_response(client, "What is the capital of France?") == "Paris."
    assert capsys.readouterr().out == "Paris.\n"


def test_the_public_names_are_there() -> None:
    """Every name that the package exports can be imported, and importing the package imports none
    of them.
    """
    assert all(getattr(coursekit, name) for name in coursekit.__all__)
    assert sorted(coursekit._HOME) == sorted(coursekit.__all__)


def test_before_its_first_chunk_a_stream_knows_nothing_of_the_answer(
    tmp_path: Path,
) -> None:
    """Everything that arrives with the chunks is None until one is read. The request ID arrives
    before them.
    """
    stream = stream_text(client_for(tmp_path, streamed(["a"])), **params())
    assert [
        stream.refusal,
        stream.finish_reason,
        stream.usage,
        stream.model,
        stream.created,
        stream.service_tier,
    ] == [None] * 6
    assert (stream.text, stream.request_id) == ("", "req_stream")


def test_each_delta_is_shown_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """stream_response flushes after each piece; otherwise, a terminal that waits for complete lines
    would show nothing until the end.
    """
    printed: list[tuple[tuple[object, ...], dict[str, object]]] = []
    monkeypatch.setattr(
        "builtins.print", lambda *what, **how: printed.append((what, how))
    )
    stream_response(
        client_for(tmp_path, streamed(["Par", "is"])),
        "What is the capital of France?",
    )
    assert printed == [
        (("Par",), {"end": "", "flush": True}),
        (("is",), {"end": "", "flush": True}),
        ((), {}),
    ]
