"""The capstone's scores that are saved on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from coursekit.checks.capstone import Facts, ScoredRun, scoreboard
from support.html_reader import HtmlReader


def score(seconds: float = 60.0, seed: int = 1) -> ScoredRun:
    spent = Decimal("0.02")
    return ScoredRun(
        Facts(200, 200, 0, spent, spent, Decimal("0.50"), seconds, 240), seed
    )


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(
        "COURSEKIT_PROGRESS", str(tmp_path / "mine" / "progress.json")
    )
    return tmp_path / "mine" / "capstone.json"


def test_attempts_are_kept_beside_the_progress_best_first(kept: Path) -> None:
    """Each saved score is in the file and on the board, with the best first. The progress itself is
    unchanged.
    """
    scoreboard.keep("first try", score(120))
    board = scoreboard.keep("two lanes", score(60))
    assert [row.name for row in board.rows] == ["two lanes", "first try"]
    assert [row.name for row in scoreboard.saved().rows] == [
        "two lanes",
        "first try",
    ]
    assert [one["name"] for one in json.loads(kept.read_text())["scores"]] == [
        "two lanes",
        "first try",
    ]
    assert not kept.with_name("progress.json").exists()


def test_of_a_name_and_seed_the_best_counts(kept: Path) -> None:
    """Running the cell again or a worse run changes nothing, and a better run raises the row.
    Another seed has its own row.
    """
    for seconds in (100, 100, 170, 50):
        scoreboard.keep("mine", score(seconds))
    assert [round(row.total, 1) for row in scoreboard.saved().rows] == [
        round(score(50).total, 1)
    ]
    scoreboard.keep("mine", score(90, seed=2))
    assert [row.seed for row in scoreboard.saved().rows] == [1, 2]


def test_switched_off_only_this_attempt_is_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With COURSEKIT_PROGRESS=off, as for stored outputs, the board shows only the attempt itself,
    and no file is written or read.
    """
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    board = scoreboard.keep("mine", score())
    assert [row.name for row in board.rows] == ["mine"]
    assert board.notes == ()
    assert scoreboard.saved().rows == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"scores": 3}', '{"scores": [{"name": "x"}]}', "\x00\xff"],
)
def test_a_damaged_file_is_set_aside(kept: Path, damage: str) -> None:
    """An unreadable file is renamed and kept, the board says so, and a new file is started."""
    kept.parent.mkdir()
    kept.write_text(damage, encoding="latin-1")
    assert scoreboard.saved().rows == []
    board = scoreboard.keep("mine", score())
    assert "could not be read" in board.notes[0]
    assert (
        kept.with_name("capstone.json.damaged").read_text(encoding="latin-1")
        == damage
    )
    assert [row.name for row in scoreboard.saved().rows] == ["mine"]


def test_a_place_that_cannot_be_written_is_told(kept: Path) -> None:
    """If the file cannot be written, the attempt is still shown, with the reason."""
    kept.parent.write_text("a file where the folder should be")
    board = scoreboard.keep("mine", score())
    assert [row.name for row in board.rows] == ["mine"]
    assert "could not be saved" in board.notes[0]


def test_two_notebooks_at_once_lose_nothing(kept: Path) -> None:
    """If several processes save scores at the same time, all scores are saved."""
    code = (
        "import sys; from decimal import Decimal; from coursekit.checks.capstone import Facts, "
        "ScoredRun, scoreboard\n"
        "facts = Facts(200, 200, 0, Decimal(0), Decimal(0), Decimal(1), 9.0, 224)\n"
        "for n in range(5): scoreboard.keep(sys.argv[1] + str(n), ScoredRun(facts, 1))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert {row.name for row in scoreboard.saved().rows} == {
        f"{name}{n}" for name in "ab" for n in range(5)
    }


def test_names_are_texts_and_not_html(kept: Path) -> None:
    """A name is shown unchanged and escaped. An empty or endless name is rejected, and so is
    anything that is not a score.
    """
    board = scoreboard.keep("<b>bold</b>\n name", score())
    html = board._repr_mimebundle_()["text/html"]
    assert "&lt;b&gt;bold&lt;/b&gt; name" in html
    assert "<b>bold" not in html
    assert "half ?" in repr(scoreboard.keep("half \ud83d", score()))
    for name in ("", "   ", "x" * 61):
        with pytest.raises(ValueError, match="characters"):
            scoreboard.keep(name, score())
    with pytest.raises(TypeError, match="score that attempt"):
        scoreboard.keep("mine", 90)  # type: ignore[arg-type]


def test_the_board_names_its_columns(kept: Path) -> None:
    """Text and HTML contain the total and every axis."""
    board = scoreboard.keep("mine", score(97.5))
    table = HtmlReader(board._repr_mimebundle_()["text/html"]).rows
    assert table[0] == [
        "attempt",
        "seed",
        "total",
        "answered",
        "spend",
        "time",
        "wasted retries",
        "silent truncation",
    ]
    assert table[1] == [
        "mine",
        "1",
        "89.2",
        "20.0",
        "19.2",
        "10.0",
        "20.0",
        "20.0",
    ]
    assert "89.2" in repr(board)
