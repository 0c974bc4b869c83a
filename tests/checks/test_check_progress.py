"""Progress: which checks were passed, stored in a file that does not lose anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from coursekit import progress
from coursekit.checks import basics
from coursekit.checks.course_map import CourseMap, exercises_of
from coursekit.course import lessons
from coursekit.workshop.commands import command_line
from coursekit.workshop.commands.environment import offline_environment


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of this test's own progress file, in a folder that does not exist yet."""
    path = tmp_path / "data" / "progress.json"
    monkeypatch.setenv("COURSEKIT_PROGRESS", str(path))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return path


def models_at_risk(listing, today, days):  # type: ignore[no-untyped-def]
    ends = sorted(
        (model.shutdown_date, model.id)
        for model in listing
        if model.shutdown_date
    )
    return [
        name
        for end, name in ends
        if 0 <= (type(today).fromisoformat(end) - today).days <= days
    ]


def test_a_pass_is_kept_and_told(kept: Path) -> None:
    """A passed check is in the file and on the map, and the verdict says how many exercises are
    done and which are open.
    """
    verdict = basics.models_at_risk(models_at_risk)
    names = [exercise.name for exercise in exercises_of("01_basics")]
    left = ", ".join(name for name in names if name != "models_at_risk")
    assert verdict.notes == (
        f"1 of {len(names)} exercises in this chapter are done. Open: {left}.",
    )
    assert json.loads(kept.read_text()) == {
        "passed": {"01_basics": ["models_at_risk"]},
        "quizzes": {},
    }
    assert "✓ models_at_risk" in repr(CourseMap())
    assert "○ reply_text" in repr(CourseMap())
    for name in names:
        progress.passed_now("01_basics", name)
    assert basics.models_at_risk(models_at_risk).notes == (
        f"All {len(names)} exercises in this chapter are done.",
    )


def test_a_miss_and_a_second_pass_change_nothing(kept: Path) -> None:
    """A failed check does not write a file, passing again adds nothing, and failing later removes
    nothing.
    """
    basics.models_at_risk(lambda *_: [])
    assert not kept.exists()
    basics.models_at_risk(models_at_risk)
    before = kept.read_bytes()
    basics.models_at_risk(models_at_risk)
    basics.models_at_risk(lambda *_: [])
    assert kept.read_bytes() == before


def test_switched_off_nothing_is_read_or_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With COURSEKIT_PROGRESS=off, which is set when stored outputs are made, the map is empty, no
    file is written, and nothing is said about it.
    """
    assert offline_environment()["COURSEKIT_PROGRESS"] == "off"
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert basics.models_at_risk(models_at_risk).notes == ()
    assert "✓ models" not in repr(CourseMap())
    assert list(tmp_path.iterdir()) == []


def test_without_a_setting_it_is_the_user_s_data_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file is not in the repository, so git never sees it."""
    path = progress.place({})
    assert path is not None
    assert path.name == "progress.json"
    assert "coursekit" in path.parts
    assert not path.is_relative_to(Path(__file__).parents[2])


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"passed": 3}',
        '{"passed": {"01_basics": 3}}',
        "\x00\xff",
    ],
)
def test_a_damaged_file_is_set_aside(kept: Path, damage: str) -> None:
    """If the file cannot be read, the map is empty. The next pass renames the file, says so, and
    counts.
    """
    kept.parent.mkdir()
    kept.write_text(damage, encoding="latin-1")
    assert "0 of" in repr(CourseMap())
    [said] = basics.models_at_risk(models_at_risk).notes
    assert "could not be read" in said
    assert (
        kept.with_name("progress.json.damaged").read_text(encoding="latin-1")
        == damage
    )
    assert progress.read()["passed"] == {"01_basics": ["models_at_risk"]}


def test_a_place_that_cannot_be_written_takes_nothing_away(kept: Path) -> None:
    """If the file cannot be written, the answer is still right, and the verdict gives the
    reason.
    """
    kept.parent.write_text("a file where the folder should be")
    verdict = basics.models_at_risk(models_at_risk)
    assert verdict.passed
    assert "could not be saved" in verdict.notes[0]


def test_two_notebooks_at_once_lose_nothing(kept: Path) -> None:
    """If many processes pass checks at the same time, every pass is saved."""
    code = (
        "import sys; from coursekit import progress\n"
        "for n in range(8): progress.passed_now('01_basics', sys.argv[1] + str(n))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert set(progress.read()["passed"]["01_basics"]) == {
        f"{name}{n}" for name in "abc" for n in range(8)
    }


def test_a_solution_does_not_count(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running the worked solution passes its checks without counting them, and says so."""
    monkeypatch.setenv(
        "JPY_SESSION_NAME", "/somewhere/solutions/01_basics.ipynb"
    )
    verdict = basics.models_at_risk(models_at_risk)
    assert verdict.passed
    assert verdict.notes == (
        "Not counted: this notebook is the worked solution.",
    )
    assert not kept.exists()


def test_the_map_shows_every_exercise_without_color_alone(kept: Path) -> None:
    """The map shows a sign and the name for each exercise, in text and in HTML. A chapter without
    exercises has no row.
    """
    shown = CourseMap(
        {
            "passed": {"01_basics": ["cost_split"], "99_gone": ["x"]},
            "quizzes": {"02_parameters": [1, 3]},
        }
    )
    html = shown._repr_mimebundle_()["text/html"]
    assert "✓ cost_split" in html
    assert "○ reply_text" in html
    assert html.count("<tr>") == 1 + sum(
        bool(exercises_of(lesson.stem)) for lesson in lessons()
    )
    total = sum(len(exercises_of(lesson.stem)) for lesson in lessons())
    assert shown.summary == f"1 of {total} exercises done."
    assert "quiz 2 of 6" in repr(shown)


def test_the_command_shows_and_forgets(
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """coursekit progress prints the map and the file's path; --reset asks first, and deletes only
    after a yes.
    """
    basics.models_at_risk(models_at_risk)
    assert command_line.main(["progress"]) == 0
    assert "✓ models_at_risk" in capsys.readouterr().out
    for answer in ("", "n", "what?"):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert command_line.main(["progress", "--reset"]) == 0
        assert kept.exists()
    assert "Nothing was changed." in capsys.readouterr().out
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert command_line.main(["progress", "--reset"]) == 0
    assert not kept.exists()
    assert command_line.main(["progress", "--reset"]) == 0
    assert "nothing to forget" in capsys.readouterr().out


def test_the_command_without_anybody_to_ask(
    kept: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without a terminal, --reset changes nothing. If the file is damaged, or progress is switched
    off, a message says so.
    """
    kept.parent.mkdir()
    kept.write_text("{")

    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert command_line.main(["progress", "--reset"]) == 1
    assert "cannot be read" in capsys.readouterr().out
    assert kept.exists()
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    assert command_line.main(["progress"]) == 0
    assert "switched off" in capsys.readouterr().out
