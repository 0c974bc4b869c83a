"""The class file is written atomically, is readable only by its owner, and is used by one
server at a time.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from coursekit.offline.server import class_file
from coursekit.offline.server.class_file import CannotKeep, ClassFile
from coursekit.offline.server.roll import Roll, SavedClass
from support.waiting import until


def roll(kept: SavedClass) -> Roll:
    return Roll(lambda name, spent: None, kept)  # type: ignore[arg-type, return-value]


@contextmanager
def opened(path: Path) -> Iterator[tuple[ClassFile, SavedClass]]:
    file = ClassFile(path)
    try:
        yield file, file.open()
    finally:
        file.close()


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """If there is no file, a new class is created, and later runs have the same secret, token, and
    names. Only the owner may read the file.
    """
    path = tmp_path / "deep" / "class.json"
    with opened(path) as (file, kept):
        known = roll(kept)
        file.keep(known)
        known.join("Ünal")
    with opened(path) as (_, again):
        assert (again.secret, again.admin_token) == (
            kept.secret,
            kept.admin_token,
        )
        assert [learner["name"] for learner in again.learners] == ["Ünal"]
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_kept_while_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes are in the file soon, even without an orderly shutdown. If nothing changes, nothing
    is written.
    """
    monkeypatch.setattr(class_file, "SECONDS", 0.02)
    path = tmp_path / "class.json"
    with opened(path) as (file, kept):
        known = roll(kept)
        file.keep(known)
        first = path.stat().st_mtime_ns
        time.sleep(0.1)
        assert path.stat().st_mtime_ns == first
        known.join("Ada")
        until(lambda: "Ada" in path.read_text(encoding="utf-8"))


def test_one_server_at_a_time(tmp_path: Path) -> None:
    """A second server on the same file is refused until the first one has ended."""
    path = tmp_path / "class.json"
    with opened(path), pytest.raises(CannotKeep, match="Another server"):
        ClassFile(path).open()
    with opened(path):
        pass


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"secret": 1}', "\x00", "[" * 100_000]
)
def test_a_damaged_file_is_left_alone(tmp_path: Path, text: str) -> None:
    """A file that is not a class file is refused with advice, and stays unchanged."""
    path = tmp_path / "class.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CannotKeep, match="Move the file away"), opened(path):
        pass
    assert path.read_text(encoding="utf-8") == text


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """An impossible path is an error before anything is opened."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotKeep, match="--class-file"),
        opened(tmp_path / "file" / "class.json"),
    ):
        pass


def test_a_full_disk(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While the file cannot be written, the class continues. One message says so, and the
    missing data is written later.
    """
    monkeypatch.setattr(class_file, "SECONDS", 0.02)
    path, real = tmp_path / "class.json", class_file.write_atomically

    def full(*args: object, **more: object) -> None:
        raise OSError(28, os.strerror(28))

    with opened(path) as (file, kept):
        known = roll(kept)
        file.keep(known)
        monkeypatch.setattr(class_file, "write_atomically", full)
        known.join("Ada")
        until(lambda: caplog.records)
        time.sleep(0.1)  # for a second message, if there were one
        assert (
            "Free some space on that disk" in file.trouble
            and "keys of everyone" in file.trouble
        )
        monkeypatch.setattr(class_file, "write_atomically", real)
        end = time.monotonic() + 30
        while file.trouble and time.monotonic() < end:
            time.sleep(0.02)
        assert file.trouble == ""
    assert "Ada" in path.read_text(encoding="utf-8")
    assert [
        record.message
        for record in caplog.records
        if "No space left" in record.message
    ] == [caplog.records[0].message]
