"""coursekit.batching.checkpoint: paid answers are on the disk, whatever happens."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coursekit import CheckpointError, run_batch
from coursekit.batching import checkpoint as module
from support.batching_stand_in import client_of, client_with
from support.offline_api import whole

resource = pytest.importorskip(
    "resource", reason="limits of a process are those of Unix"
)
PROMPTS = [f"Question {i}?" for i in range(30)]


async def test_a_second_run_asks_only_for_what_is_missing(
    tmp_path: Path,
) -> None:
    """A run with the same checkpoint does not request answers that are in it again, and does not
    change them.
    """
    client, answers = client_of(
        lambda prompt, _: whole(
            f"Answer to {prompt}", request_id=f"req {prompt}"
        )
    )
    first = await run_batch(
        client, PROMPTS[:20], model="gpt-4o", checkpoint=tmp_path / "answers.db"
    )
    second = await run_batch(
        client, PROMPTS, model="gpt-4o", checkpoint=tmp_path / "answers.db"
    )
    assert answers.prompts == PROMPTS
    assert [result.resumed for result in second] == [True] * 20 + [False] * 10
    assert second.attempts == 10 and second.texts()[:20] == first.texts()
    assert (
        second[3].reply == first[3].reply
        and second[3].reply._request_id == "req Question 3?"
    )
    assert second.cost == first.cost * 3 / 2 and "(20 resumed)" in repr(second)


async def test_answers_belong_to_what_was_asked(tmp_path: Path) -> None:
    """A list may be reordered. Another parameter or a different custom_id makes it another
    request.
    """
    client, answers = client_of(lambda prompt, _: whole(f"Answer to {prompt}"))
    file = str(tmp_path / "answers.db")
    await run_batch(client, PROMPTS[:3], model="gpt-4o", checkpoint=file)
    again = await run_batch(
        client, PROMPTS[2::-1], model="gpt-4o", timeout=9, checkpoint=file
    )
    assert again.texts() == [f"Answer to {prompt}" for prompt in PROMPTS[2::-1]]
    assert len(answers.prompts) == 3
    await run_batch(
        client, PROMPTS[:3], model="gpt-4o", temperature=0, checkpoint=file
    )
    assert len(answers.prompts) == 6
    named = {
        "custom_id": "mine",
        "messages": [{"role": "user", "content": PROMPTS[0]}],
    }
    await run_batch(client, [named], model="gpt-4o", checkpoint=file)
    assert len(answers.prompts) == 7


async def test_the_same_prompt_twice_is_two_requests(tmp_path: Path) -> None:
    """Equal prompts are sent, saved, and resumed separately."""
    client, _ = client_of(lambda _, asked: whole(f"Answer {asked}"))
    first = await run_batch(
        client, ["Hi"] * 3, model="gpt-4o", checkpoint=tmp_path / "answers.db"
    )
    assert sorted(first.texts()) == ["Answer 0", "Answer 1", "Answer 2"]
    second = await run_batch(
        client, ["Hi"] * 4, model="gpt-4o", checkpoint=tmp_path / "answers.db"
    )
    assert second.texts() == [*first.texts(), "Answer 3"]


async def test_failures_are_not_kept(tmp_path: Path) -> None:
    """The next run sends failed requests again, because they were not paid for and may succeed by
    then.
    """
    client = client_with(tmp_path, PROMPTS[:2])
    file = tmp_path / "answers.db"
    assert (
        len(
            (
                await run_batch(
                    client, PROMPTS[:3], model="gpt-4o", checkpoint=file
                )
            ).failed
        )
        == 1
    )
    client_with(tmp_path, PROMPTS[:3])
    assert (
        await run_batch(client, PROMPTS[:3], model="gpt-4o", checkpoint=file)
    ).texts()[2] == "Answer to Question 2?"


async def test_a_cancelled_run_keeps_what_was_under_way(tmp_path: Path) -> None:
    """Requests that were in flight when the run was cancelled are in the checkpoint, and are
    not sent again.
    """
    client, answers = client_of(
        lambda prompt, _: whole(f"Answer to {prompt}", after=5.0)
    )
    options: dict[str, Any] = {
        "model": "gpt-4o",
        "rpm": 1e6,
        "checkpoint": tmp_path / "answers.db",
    }
    task = asyncio.ensure_future(
        run_batch(client, PROMPTS, max_concurrency=4, **options)
    )
    while len(answers.prompts) < 4:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    results = await run_batch(client, PROMPTS, **options)
    assert len(results.answered) == 30 and answers.prompts == PROMPTS


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A checkpoint that another process is using is refused before anything is sent."""
    file = tmp_path / "answers.db"
    hold = (
        "import sys, time; from coursekit.batching.checkpoint import open_checkpoint\n"
        "with open_checkpoint(sys.argv[1], []): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(file)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        client, answers = client_of(lambda *_: whole())
        with pytest.raises(
            CheckpointError, match="another run is using it. Nothing was sent"
        ):
            await run_batch(client, PROMPTS, model="gpt-4o", checkpoint=file)
        other.kill()
    assert answers.prompts == []
    assert (
        len(
            (
                await run_batch(
                    client, PROMPTS, model="gpt-4o", checkpoint=file
                )
            ).answered
        )
        == 30
    )


async def refused(file: Path, message: str) -> None:
    client, answers = client_of(lambda *_: whole())
    with pytest.raises(CheckpointError, match=message):
        await run_batch(client, PROMPTS, model="gpt-4o", checkpoint=file)
    assert answers.prompts == []


async def test_files_that_are_no_checkpoint_are_left_alone(
    tmp_path: Path,
) -> None:
    """A text file, another program's database, and a folder that does not exist are refused, and
    nothing is changed.
    """
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text(
        "My notes, which are longer than a header of SQLite, and which nobody wants to lose."
        * 20
    )
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE answer (mine)")
    connection.close()
    before = text.read_bytes(), other.read_bytes()
    await refused(
        text,
        "notes.txt cannot be used: it is not a checkpoint. Nothing was sent",
    )
    await refused(
        other, "other.db is a SQLite file, but not a checkpoint of this version"
    )
    await refused(tmp_path / "no" / "answers.db", "cannot be written")
    assert (text.read_bytes(), other.read_bytes()) == before


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder with a checkpoint, both read-only, for a user to whom that applies."""
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), os.geteuid() == 0
        with module.open_checkpoint(folder / "answers.db", []):
            pass
        (folder / "answers.db").chmod(0o444)
        folder.chmod(0o555)
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


async def test_a_file_that_cannot_be_written_is_told_first(
    as_nobody: Path,
) -> None:
    """A read-only checkpoint, or a new one in a read-only folder, is refused before anything is
    sent.
    """
    await refused(
        as_nobody / "answers.db", "it cannot be written. Nothing was sent"
    )
    await refused(
        as_nobody / "new.db", "it cannot be written. Nothing was sent"
    )


async def test_a_full_disk_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is no room for the answers, the error is raised before anything is sent, not after
    they are paid for.
    """
    limit_size(monkeypatch, pages=10)
    await refused(
        tmp_path / "answers.db",
        "the disk is full. Nothing was sent. Free some space",
    )
    monkeypatch.undo()
    client, _ = client_of(lambda *_: whole())
    assert (
        len(
            (
                await run_batch(
                    client,
                    PROMPTS,
                    model="gpt-4o",
                    checkpoint=tmp_path / "answers.db",
                )
            ).answered
        )
        == 30
    )


async def test_a_file_that_may_not_grow_is_told_first(tmp_path: Path) -> None:
    """The operating system's own limit on the size of a file also raises an error before anything
    is sent.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        await refused(
            tmp_path / "answers.db",
            "answers.db cannot be used: SQLite says: disk I/O error. Nothing was sent",
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_up_later_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If an answer cannot be written, nothing more is sent, and the answers so far are in the
    results.
    """
    monkeypatch.setattr(module.Checkpoint, "claim", lambda self, room: None)
    limit_size(monkeypatch, pages=8)
    client, answers = client_of(
        lambda prompt, _: whole(f"Answer to {prompt} " + "x" * 3000)
    )
    results = await run_batch(
        client,
        PROMPTS,
        model="gpt-4o",
        max_concurrency=2,
        checkpoint=tmp_path / "answers.db",
    )
    assert (
        "checkpoint can no longer be written (database or disk is full)"
        in str(results.stopped)
    )
    assert 1 < len(answers.prompts) == len(results.answered) < 10
    monkeypatch.undo()
    with sqlite3.connect(tmp_path / "answers.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == (
            "ok",
        )
        assert (
            0
            < connection.execute("SELECT count(*) FROM answer").fetchone()[0]
            < len(answers.prompts)
        )
    connection.close()


def limit_size(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Limit databases to this many pages of 4 kB. SQLite then fails as it does on a full disk."""
    connect = sqlite3.connect

    def limited(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    monkeypatch.setattr(module.sqlite3, "connect", limited)
