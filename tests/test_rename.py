"""coursekit record --rename: older recordings get the names by which requests find them, and
nothing is lost.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from coursekit.offline.recordings import Recordings, name_of
from coursekit.workshop.authoring.recorded_changes import answered
from coursekit.workshop.commands.command_line import main
from support.offline_api import WRITTEN, params, request, whole


def stored(folder: Path, name: str, text: str, **more: object) -> Path:
    """A recording under some other name."""
    path = Recordings([folder / "aside"]).store(
        request(params(**more)), whole(text), WRITTEN
    )
    return path.rename(folder / f"{name}.json")


def old(digit: int) -> str:
    return f"gpt-4o-old-{str(digit) * 16}"


def test_a_recording_gets_the_name_that_finds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Old names are replaced, additional answers stay in order, and a second run has nothing to
    do.
    """
    for name, text in ((old(1), "one"), (f"{old(1)}.2", "two")):
        stored(tmp_path, name, text, stream=False)
    assert main(["record", "--rename", str(tmp_path)]) == 0
    assert f"renamed  {old(1)}.2.json -> " in capsys.readouterr().out
    found = Recordings([tmp_path])
    texts = [found.answer(name_of(request()), n)[0].body for n in (0, 1)]  # type: ignore[index]
    assert texts == [whole("one").body, whole("two").body]
    assert main(["record", "--rename", str(tmp_path)]) == 0
    assert (
        capsys.readouterr().out
        == "All recordings have the names by which they are found.\n"
    )


def test_equal_requests_with_other_answers_are_all_kept(tmp_path: Path) -> None:
    """A recording that already has the name stays the first answer, others follow it, and an
    identical one is removed.
    """
    Recordings([tmp_path]).store(request(), whole("first"), WRITTEN)
    stored(tmp_path, old(1), "second", stream=False)
    stored(tmp_path, old(2), "first", n=1)
    assert main(["record", "--rename", str(tmp_path)]) == 0
    assert {
        path.name: answered(path).text for path in tmp_path.glob("*.json")
    } == {
        f"{name_of(request())}.json": "first",
        f"{name_of(request())}.2.json": "second",
    }


def test_a_damaged_recording_is_named_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unreadable recording, even in a subfolder, is reported with a fix, and the others are
    renamed.
    """
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "broken.json").write_text("{")
    stored(tmp_path, old(1), "one")
    assert main(["record", "--rename", str(tmp_path)]) == 1
    assert "broken.json cannot be read" in capsys.readouterr().out
    assert Recordings([tmp_path]).answer(name_of(request())) is not None


def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped folder is an error, not an empty folder."""
    assert main(["record", "--rename", str(tmp_path / "absent")]) == 1
    assert "there is no folder" in capsys.readouterr().err
