"""Recordings: one exchange in one file, found by the canonical request."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from coursekit.foundation.files import write_atomically
from coursekit.offline.exchange import DONE, ApiAnswer, Event
from coursekit.offline.recordings import (
    DamagedRecording,
    Recordings,
    name_of,
    read,
)
from support.offline_api import (
    WRITTEN,
    completion,
    params,
    request,
    streamed,
    whole,
)


def test_round_trip_of_a_whole_answer(tmp_path: Path) -> None:
    """The answer equals the recording in its status, allowed headers, body, and time."""
    recordings = Recordings([tmp_path])
    answer = whole("Paris.", after=0.767)
    path = recordings.store(request(), answer, WRITTEN)
    found = Recordings([tmp_path]).answer(name_of(request()))
    assert found == (answer, str(path))


def test_round_trip_of_a_stream(tmp_path: Path) -> None:
    """Every event of a stream is returned with its offset, byte for byte."""
    answer = streamed(["Par", "is."])
    Recordings([tmp_path]).store(request(), answer, WRITTEN)
    found = Recordings([tmp_path]).answer(name_of(request()))
    assert found is not None
    assert [(round(e.at, 4), e.data) for e in answer.events or ()] == [
        (e.at, e.data) for e in found[0].events or ()
    ]


@pytest.mark.parametrize(
    "data",
    [
        b": keep-alive\n\n",
        b"event: error\ndata: {}\n\n",
        b"data: {broken\n\n",
        b"data: \xff\n\n",
        b'data: {"half',
        DONE,
    ],
)
def test_odd_events_are_kept_as_they_are(tmp_path: Path, data: bytes) -> None:
    """Comments, error events, broken JSON, invalid UTF-8, and half an event are stored byte for
    byte.
    """
    answer = ApiAnswer(
        200,
        {"content-type": "text/event-stream"},
        events=(Event(0.5, data),),
        source="written",
    )
    Recordings([tmp_path]).store(request(), answer, WRITTEN)
    found = Recordings([tmp_path]).answer(name_of(request()))
    assert found is not None and found[0].events == answer.events


@pytest.mark.parametrize(
    "body",
    [b"upstream connect error", b"\xff\xfe", b'"text"', b"", b'{"half": '],
)
def test_a_body_that_is_no_json_object_is_kept_as_it_is(
    tmp_path: Path, body: bytes
) -> None:
    """A 503 in plain text, bytes that are not text, and an empty body are stored and returned
    unchanged.
    """
    answer = ApiAnswer(
        503, {"content-type": "text/plain"}, body, source="written"
    )
    Recordings([tmp_path]).store(request(), answer, WRITTEN)
    found = Recordings([tmp_path]).answer(name_of(request()))
    assert (
        found is not None and found[0].body == body and found[0].status == 503
    )


def test_only_allowed_headers_reach_the_disk(tmp_path: Path) -> None:
    """Cookies and the organization are removed; rate limits, the request ID, and the processing
    time are kept.
    """
    headers = {
        "set-cookie": "a=b",
        "openai-organization": "org-x",
        "x-ratelimit-limit-tokens": "5",
        "retry-after-ms": "20",
        "openai-processing-ms": "12",
        "x-request-id": "req_1",
        "content-type": "application/json",
    }
    path = Recordings([tmp_path]).store(
        request(), ApiAnswer(200, headers, b"{}"), WRITTEN
    )
    assert set(json.loads(path.read_text())["response"]["headers"]) == set(
        headers
    ) - {
        "set-cookie",
        "openai-organization",
    }


def test_a_recording_is_readable_and_stable(tmp_path: Path) -> None:
    """The file is indented JSON with one line for each event, and has the same bytes each time it
    is written.
    """
    recordings = Recordings([tmp_path])
    text = recordings.store(
        request(), streamed(["é", "日本"]), WRITTEN
    ).read_text(encoding="utf-8")
    assert sum(line.startswith("      [") for line in text.splitlines()) == 6
    assert "日本" in text and text.endswith("}\n")
    assert (
        recordings.store(request(), streamed(["é", "日本"]), WRITTEN).read_text(
            encoding="utf-8"
        )
        == text
    )


def test_the_word_events_in_a_request_does_no_harm(tmp_path: Path) -> None:
    """A request that itself contains an empty list named events is stored unchanged."""
    asked = request({**params(), "metadata": {"events": []}})
    path = Recordings([tmp_path]).store(asked, streamed(["x"]), WRITTEN)
    assert (
        read(path)[0].body == asked.body
        and len(read(path)[2].events or ()) == 5
    )


def test_zero_and_zero_point_zero_match() -> None:
    """temperature=0 and temperature=0.0 are the same request; "0" is a different one."""
    names = {name_of(request(params(temperature=value))) for value in (0, 0.0)}
    assert (
        len(names) == 1
        and name_of(request(params(temperature="0"))) not in names
    )


def test_a_name_tells_what_was_asked() -> None:
    """The file name contains the model and the first words of the last message, in plain
    characters.
    """
    assert name_of(request()).startswith(
        "gpt-4o-what-is-the-capital-of-france-"
    )
    odd = name_of(request(params('../../etc/passwd\x00 日本 <>:"|?*')))
    assert not set(odd) & set('/\\<>:"|?*\x00') and ".." not in odd


def test_several_answers_in_order(tmp_path: Path) -> None:
    """Answers to one request are numbered from 0. Storing the first one again removes the
    others.
    """
    recordings = Recordings([tmp_path])
    for number, text in enumerate("abc"):
        recordings.store(request(), whole(text), WRITTEN, number)
    name = name_of(request())
    # type: ignore[index]
    assert [recordings.answer(name, n)[0].body for n in (0, 1, 2)] == [
        whole(t).body for t in "abc"
    ]
    assert recordings.answer(name, 3) is None
    recordings.store(request(), whole("new"), WRITTEN)
    assert (
        recordings.answer(name, 1) is None
        and len(list(tmp_path.iterdir())) == 1
    )


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """If a recording is replaced while a kernel runs, the new one answers."""
    recordings = Recordings([tmp_path])
    path = recordings.store(request(), whole("old"), WRITTEN)
    assert recordings.answer(name_of(request()))[0].body == whole("old").body  # type: ignore[index]
    Recordings([tmp_path]).store(request(), whole("newer"), WRITTEN)
    os.utime(path, ns=(1, 1))
    assert recordings.answer(name_of(request()))[0].body == whole("newer").body  # type: ignore[index]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda text: text[:100], "Unterminated string"),
        (lambda text: "", "Expecting value"),
        (
            lambda text: text.replace(
                '"coursekit_recording": 1', '"coursekit_recording": 9'
            ),
            "its format is 9",
        ),
        (lambda text: text.replace('"status": 200,', ""), "it has no 'status'"),
        (lambda text: "[]", ""),
    ],
)
def test_a_damaged_recording_names_itself_and_the_cure(
    tmp_path: Path, damage, told: str
) -> None:
    """A recording that was damaged by hand gives one error with the file, the reason, and what to
    do.
    """
    path = Recordings([tmp_path]).store(request(), whole(), WRITTEN)
    path.write_text(damage(path.read_text()))
    with pytest.raises(DamagedRecording) as error:
        Recordings([tmp_path]).answer(name_of(request()))
    assert (
        str(path) in str(error.value)
        and told in str(error.value)
        and "git checkout" in str(error.value)
    )


def test_writing_is_atomic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk fails halfway, the old file is intact and no other file is left behind."""
    path = tmp_path / "a.json"
    write_atomically(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_the_first_folder_wins(tmp_path: Path) -> None:
    """With several folders, the first one that has the request answers. New recordings are saved in
    the first folder.
    """
    for name in "ab":
        Recordings([tmp_path / name]).store(request(), whole(name), WRITTEN)
    both = Recordings([tmp_path / "a", tmp_path / "b"])
    # type: ignore[index]
    assert (
        json.loads(both.answer(name_of(request()))[0].body)["choices"][0][
            "message"
        ]["content"]
        == "a"
    )
    assert completion("a") != completion("b")
