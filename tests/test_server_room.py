"""What the server caches and for how long, and the invalid requests that eleven other mock servers
accepted.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coursekit.offline import recordings
from coursekit.offline.recordings import Recordings, name_of
from coursekit.offline.server import room
from coursekit.offline.server.steady import FRESH, SteadyRecordings
from support.offline_api import (
    WRITTEN,
    folder_with,
    params,
    request,
    streamed,
    whole,
)
from support.served import Served, served


def test_a_recording_is_looked_at_again_after_a_second(tmp_path: Path) -> None:
    """A file that is changed or removed is noticed after a second. A file that was missing is
    looked for every time.
    """
    now, name = [0.0], name_of(request())
    steady = SteadyRecordings(Recordings([tmp_path]), now=lambda: now[0])
    assert steady.answer(name) is None
    path = Recordings([tmp_path]).store(request(), whole("one"), WRITTEN)
    found = steady.answer(name)
    assert found is not None and found[0] == whole("one")
    Recordings([tmp_path]).store(request(), whole("two"), WRITTEN)
    os.utime(path, (1, 1))
    assert steady.answer(name) is found
    now[0] += FRESH
    again = steady.answer(name)
    assert again is not None and again[0] == whole("two")
    path.unlink()
    now[0] += FRESH
    assert steady.answer(name) is None


def test_a_class_that_asks_the_same_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If many clients send the same request for the first time, the recording is read once, and all
    are answered.
    """
    folder_with(tmp_path, (params(stream=True), streamed(["x"] * 3000)))
    read, times = recordings.read, []
    monkeypatch.setattr(
        recordings, "read", lambda path: times.append(path) or read(path)
    )
    with served(tmp_path) as running:
        raw = json.dumps(params(stream=True)).encode()
        answers: list[int] = []

        def ask(number: int) -> None:
            answers.append(
                running.post(
                    raw, authorization=f"Bearer {number}"
                ).content.count(b"data: ")
            )

        askers = [
            threading.Thread(target=ask, args=[number]) for number in range(20)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert answers == [3004] * 20 and len(times) == 1


def test_what_is_remembered_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same question can be written in countless ways, but only a limited number of them is
    cached.
    """
    monkeypatch.setattr(room, "REMEMBERED", 5)
    folder_with(tmp_path, (params(), whole("Paris.")))
    with served(tmp_path) as running:
        for blanks in range(20):
            assert (
                running.post(
                    json.dumps(params()).encode() + b" " * blanks
                ).status_code
                == 200
            )
        assert (
            len(running.room._remembered) <= 5 and running.room._looking == {}
        )
        assert (
            running.post(
                json.dumps(params()).encode() + b" " * 50_000
            ).status_code
            == 200
        )
        assert max(map(len, running.room._remembered)) < 20_000


def test_limits_that_make_no_sense(tmp_path: Path) -> None:
    """An invalid limit is an error before the server starts."""
    with pytest.raises(ValueError, match="rpm=0 is not a limit"):
        room.Room(Recordings([tmp_path]), rate_limit={"rpm": 0})


# The probe of peers.md: the same invalid requests that nearly all mock servers answer with 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("recordings")) as running:
        yield running


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        (
            {"model": "o3-mini", "temperature": 0.5},
            400,
            "unsupported_parameter",
            "temperature",
        ),
        (
            {"model": "gpt-5", "max_tokens": 5},
            400,
            "unsupported_parameter",
            "max_tokens",
        ),
        ({"temperature": 5}, 400, "decimal_above_max_value", "temperature"),
        ({"messages": None}, 400, "invalid_type", "messages"),
        ({"messages": ...}, 400, "missing_required_parameter", "messages"),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            400,
            "invalid_value",
            "messages[0].role",
        ),
        ({"frobnicate": 1}, 400, None, None),
        ({"model": "gpt-9"}, 404, "model_not_found", None),
        ({"model": ...}, 400, None, None),
        ({"n": 0}, 400, "integer_below_min_value", "n"),
    ],
)
def test_the_probe(
    server: Served,
    change: dict[str, Any],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    """Each invalid request in the probe gets the API's status, code, and parameter, not a made-up
    answer.
    """
    body = {
        key: value
        for key, value in {**params(), **change}.items()
        if value is not ...
    }
    answer = server.post(json.dumps(body).encode())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (
        status,
        code,
        param,
    )


def test_the_probe_of_keys_and_bodies(server: Served) -> None:
    """A missing key gets a 401, broken JSON gets a 400, and a question without a recording gets no
    answer.
    """
    assert (
        server.post(json.dumps(params()).encode(), authorization="").status_code
        == 401
    )
    assert server.post(b"{broken").status_code == 400
    assert (
        server.post(json.dumps(params()).encode()).json()["error"]["code"]
        == "recording_not_found"
    )
