"""Replay: recorded answers take precedence, in order and repeatedly, and the error for a missing
recording explains itself.
"""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

import coursekit
from coursekit.offline.recorded.replay import Replay
from coursekit.offline.recordings import Recordings
from coursekit.wired import wired_to
from support.offline_api import (
    Says,
    folder_with,
    params,
    request,
    streamed,
    whole,
)


def text_of(client, **more: object) -> str | None:
    return (
        client.chat.completions.create(**params(**more))
        .choices[0]
        .message.content
    )


def test_answers_come_in_order_and_then_again(tmp_path: Path) -> None:
    """Two answers to one request alternate for each client, and a new client starts over."""
    folder = folder_with(
        tmp_path, (params(), whole("one")), (params(), whole("two"))
    )
    client = coursekit.connect("replay", recordings=folder, speed="instant")
    assert [text_of(client) for _ in range(4)] == ["one", "two", "one", "two"]
    assert (
        text_of(coursekit.connect("replay", recordings=folder, speed="instant"))
        == "one"
    )


def test_what_is_not_recorded_goes_to_the_next_layer(tmp_path: Path) -> None:
    """Only requests without a recording reach the layer below."""
    inner = Says(whole("from below"))
    replay = Replay(
        Recordings([folder_with(tmp_path, (params(), whole("recorded")))]),
        inner,
    )
    assert replay.answer(request()).body == whole("recorded").body
    assert (
        replay.answer(request(params("Other?"))).body
        == whole("from below").body
    )
    assert len(inner.requests) == 1


def test_used_recordings_are_logged(tmp_path: Path) -> None:
    """Each served recording's path is appended to the log that the test of the entire course
    reads.
    """
    folder, log = (
        folder_with(tmp_path / "r", (params(), whole())),
        tmp_path / "used.txt",
    )
    Replay(Recordings([folder]), Says(whole()), used=log).answer(request())
    assert [Path(line).parent for line in log.read_text().splitlines()] == [
        folder
    ]


def test_twenty_identical_requests_at_once(tmp_path: Path) -> None:
    """An asyncio.gather of twenty equal requests is answered twenty times."""
    folder = folder_with(tmp_path, (params(), whole("Paris.", after=1.0)))

    async def main() -> list[str | None]:
        client = coursekit.connect_async(
            "replay", recordings=folder, speed="instant"
        )
        replies = await asyncio.gather(
            *[client.chat.completions.create(**params()) for _ in range(20)]
        )
        assert wired_to(client).clock.now() == pytest.approx(1.0), (
            "twenty waits side by side take one second, not twenty"
        )
        return [reply.choices[0].message.content for reply in replies]

    assert asyncio.run(main()) == ["Paris."] * 20


def test_one_cell_the_next_another_thread_and_again(tmp_path: Path) -> None:
    """A client that is created in one cell works in the next one, in another thread, and when a
    cell is run again.
    """
    client = coursekit.connect(
        "replay",
        recordings=folder_with(tmp_path, (params(), whole())),
        speed="instant",
    )
    seen = [text_of(client), text_of(client)]
    thread = threading.Thread(target=lambda: seen.append(text_of(client)))
    thread.start()
    thread.join()
    assert seen == ["Paris."] * 3


def test_a_miss_names_the_nearest_and_what_differs(tmp_path: Path) -> None:
    """A changed prompt gets the nearest recording, each field that differs, and three things to
    do.
    """
    folder = folder_with(
        tmp_path / "01_basics",
        (params(temperature=0), whole()),
        (params("Write a poem about cheese."), whole("…")),
    )
    client = coursekit.connect("replay", recordings=folder, speed="instant")
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(client, prompt="What is the capital of Spain?")
    recording = sorted(folder.glob("*capital*"))[0].name
    assert str(error.value) == (
        "There is no recording for this request, and replay mode does not call a model.\n"
        f"The nearest recording is 01_basics/{recording}. What differs:\n"
        "  messages[0].content\n"
        '      here      "What is the capital of Spain?"\n'
        '      recorded  "What is the capital of France?"\n'
        "  temperature\n"
        "      here      (absent)\n"
        "      recorded  0\n"
        "What to do now:\n"
        "  - to see the recorded answer, change the cell back to what was recorded; or\n"
        "  - to let a model of your own answer, such as one on Ollama: "
        'connect(fallback="ollama"); or\n'
        "  - to let a small local model answer (free, often wrong): `%run -m "
        "coursekit local install`\n"
        '    in a cell, once, then connect(fallback="local"); or\n'
        '  - to ask the real API, put OPENAI_API_KEY in .env and use connect(mode="live"): it '
        "costs money; or\n"
        '  - to keep its answer for the next time, use connect(mode="record"): it costs money once.'
    )
    assert (
        isinstance(error.value, LookupError) and error.value.nearest is not None
    )


def test_a_miss_names_only_what_matters(tmp_path: Path) -> None:
    """Defaults, identifiers, and streaming are not differences, and a parameter is shown under the
    name that was used.
    """
    folder = folder_with(
        tmp_path / "02",
        (
            params(temperature=0.7, max_completion_tokens=60, stream=True),
            streamed([]),
        ),
    )
    client = coursekit.connect("replay", recordings=folder, speed="instant")
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(client, temperature=0.7, max_tokens=50, n=1, user="u", top_p=1)
    assert error.value.differences == [("max_tokens", "50", "60")]
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(
            client, prompt="Other?", temperature=0.7, max_completion_tokens=60
        )
    assert [where for where, *_ in error.value.differences] == [
        "messages[0].content"
    ]


def test_a_miss_names_all_that_are_as_near(tmp_path: Path) -> None:
    """If several recordings are equally near, each is named with its differences. A more
    distant one is not.
    """
    settings = [{"temperature": value} for value in (0, 0.7, 1.5, 1.8, 2)] + [
        {"temperature": 0.1, "seed": 1}
    ]
    folder = folder_with(
        tmp_path / "02", *[(params(**more), whole()) for more in settings]
    )
    client = coursekit.connect("replay", recordings=folder, speed="instant")
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(client, temperature=0.5)
    assert len(error.value.as_near) == 4
    lines = str(error.value).splitlines()
    start = lines.index("Just as close:")
    assert [
        line.split(".json: ")[1] for line in lines[start + 1 : start + 4]
    ] == [
        f"temperature {json.loads(path.read_text())['request']['body']['temperature']}"
        for path, _ in error.value.as_near[:3]
    ]
    assert lines[start + 4] == "  … and 1 more"


def test_a_stream_that_breaks_off_is_the_difference(tmp_path: Path) -> None:
    """If the request is recorded only as a stream that breaks off, the message says that this is
    the difference.
    """
    folder = folder_with(
        tmp_path, (params(stream=True), streamed(["Par"], finish_reason=None))
    )
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(coursekit.connect("replay", recordings=folder, speed="instant"))
    assert error.value.differences == [("stream", "(absent)", "true")]


def test_a_miss_is_told_at_once(tmp_path: Path) -> None:
    """RecordingNotFound reaches the caller after one attempt: the SDK neither retries it nor
    changes its type.
    """
    client = coursekit.connect(
        "replay", recordings=tmp_path, speed="instant", max_retries=5
    )
    with pytest.raises(
        coursekit.RecordingNotFound,
        match="There is no recording of this kind of request",
    ):
        text_of(client)
    assert wired_to(client).clock.now() == 0


def test_a_miss_in_a_cell_shows_the_cell_and_the_message(
    tmp_path: Path,
) -> None:
    """If it is not caught in a notebook, the error shows the learner's own line and the message,
    and nothing from inside the SDK.
    """
    client = coursekit.connect(
        "replay",
        recordings=folder_with(tmp_path, (params(), whole())),
        speed="instant",
    )
    cell = compile(
        "\nclient.chat.completions.create(**other)",
        "/tmp/ipykernel_17/42.py",
        "exec",
    )
    with pytest.raises(coursekit.RecordingNotFound) as miss:
        exec(cell, {"client": client, "other": params("Other?")})
    shown = miss.value._render_traceback_()
    assert shown[0] == "RecordingNotFound" and shown[1].startswith("  line 2:")
    assert shown[2:] == str(miss.value).splitlines()


def test_a_miss_shows_where_long_texts_part(tmp_path: Path) -> None:
    """For two long prompts, the message shows the part around the first difference, each on one
    line.
    """
    start = "word " * 500
    client = coursekit.connect(
        "replay",
        recordings=folder_with(tmp_path, (params(start + "left"), whole())),
        speed="instant",
    )
    with pytest.raises(coursekit.RecordingNotFound) as error:
        text_of(client, prompt=start + "right")
    assert "right" in str(error.value) and "left" in str(error.value)
    assert max(map(len, str(error.value).splitlines())) < 200


def test_a_miss_passes_over_a_damaged_neighbour(tmp_path: Path) -> None:
    """A damaged recording of another request does not hide the message about a missing
    recording.
    """
    folder = folder_with(
        tmp_path, (params("A?"), whole()), (params("B?"), streamed(["b"]))
    )
    next(folder.glob("*-b-*")).write_text("{")
    with pytest.raises(coursekit.RecordingNotFound, match="nearest recording"):
        text_of(
            coursekit.connect("replay", recordings=folder, speed="instant"),
            prompt="C?",
        )
