"""The learner's working copy: it gives nothing away, and nobody's work is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from coursekit.course import UnknownLesson
from coursekit.settings import settings
from coursekit.workshop import CommandError, all_notebooks, notebooks_in
from coursekit.workshop.commands import command_line, working_copy
from coursekit.workshop.commands.working_copy import (
    FIRST,
    GIVEN,
    learners_copy,
    update_copy,
)

ROOT = Path(__file__).parents[1]
BASICS = "notebooks/01_basics.ipynb"


def notebook(source: str = "1 + 1", output: str = "2") -> str:
    """A notebook with one cell, which was run."""
    shown = {"output_type": "stream", "name": "stdout", "text": output}
    cell = {
        "cell_type": "code",
        "id": "one",
        "metadata": {},
        "execution_count": 3,
        "source": source,
        "outputs": [shown],
    }
    return json.dumps(
        {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with two notebooks and a glossary."""
    folder = tmp_path / "course"
    for name in (FIRST.as_posix(), BASICS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(notebook(), encoding="utf-8")
    (folder / "notebooks" / "glossary.md").write_text("# Glossary\n")
    return folder


def cell(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))["cells"][0])


def test_outputs_are_cleared(course: Path, tmp_path: Path) -> None:
    """The copy's cells have their source but no output, and other files are unchanged."""
    update = update_copy(course, tmp_path / "mine")
    assert update.added == [FIRST.as_posix(), BASICS, "notebooks/glossary.md"]
    copied = cell(tmp_path / "mine" / BASICS)
    assert (copied["source"], copied["outputs"], copied["execution_count"]) == (
        "1 + 1",
        [],
        None,
    )
    assert (
        tmp_path / "mine/notebooks/glossary.md"
    ).read_text() == "# Glossary\n"


def test_no_committed_notebook_loses_a_cell(tmp_path: Path) -> None:
    """A copy of the real course has every cell with its source and without output."""
    update = update_copy(ROOT, tmp_path)
    assert not update.failed
    for path in [*all_notebooks(ROOT), *notebooks_in(ROOT / "exercises")]:
        original = json.loads(path.read_text(encoding="utf-8"))["cells"]
        copied = json.loads(
            (tmp_path / path.relative_to(ROOT)).read_text("utf-8")
        )["cells"]
        assert [c["source"] for c in copied] == [c["source"] for c in original]
        assert not any(c.get("outputs") for c in copied)


def test_a_new_version_replaces_what_nobody_changed(
    course: Path, tmp_path: Path
) -> None:
    """If `git pull` adds a new cell, an untouched copy gets it at the next start, and a message
    says so.
    """
    mine = tmp_path / "mine"
    update_copy(course, mine)
    (course / BASICS).write_text(notebook("2 + 2"))
    update = update_copy(course, mine)
    assert (update.added, update.replaced, update.newer) == ([], [BASICS], [])
    assert cell(mine / BASICS)["source"] == "2 + 2"
    assert list(update.lines(mine)) == [f"New versions of: {BASICS}."]


def test_new_outputs_alone_are_no_new_version(
    course: Path, tmp_path: Path
) -> None:
    """Recording a chapter again, with the same cells, changes nothing for a learner."""
    mine = tmp_path / "mine"
    update_copy(course, mine)
    (course / BASICS).write_text(notebook(output="4"))
    assert not list(update_copy(course, mine).lines(mine))


@pytest.mark.parametrize("work", ["source", "output", "prediction"])
def test_a_learners_work_stays(course: Path, tmp_path: Path, work: str) -> None:
    """After a learner changes a source, makes an output (which may have cost money), or writes a
    prediction, the file is theirs, whatever the course does, and a message says that a newer
    version exists.
    """
    mine = tmp_path / "mine"
    update_copy(course, mine)
    changed = json.loads((mine / BASICS).read_text())
    changed["cells"][0] |= {
        "source": {"source": "my work"},
        "output": {
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": "mine"}
            ]
        },
        "prediction": {"metadata": {"coursekit": {"prediction": "Paris"}}},
    }[work]
    (mine / BASICS).write_text(json.dumps(changed))
    assert not list(update_copy(course, mine).lines(mine))
    (course / BASICS).write_text(notebook("2 + 2"))
    for _ in range(2):
        update = update_copy(course, mine)
        assert (update.replaced, update.newer) == ([], [BASICS])
        assert "coursekit lab --fresh LESSON" in "".join(update.lines(mine))
    assert json.loads((mine / BASICS).read_text()) == changed


def test_a_deleted_file_returns(course: Path, tmp_path: Path) -> None:
    """A missing file is copied again."""
    update_copy(course, tmp_path / "mine")
    (tmp_path / "mine" / BASICS).unlink()
    assert update_copy(course, tmp_path / "mine").added == [BASICS]


def test_fresh_begins_anew_and_keeps_what_was_there(
    course: Path, tmp_path: Path
) -> None:
    """The lesson is reset to the course's version, and each earlier version is saved under its own
    name.
    """
    mine = tmp_path / "mine"
    update_copy(course, mine)
    for number, aside in enumerate(("01_basics-yours", "01_basics-yours-2")):
        (mine / BASICS).write_text(f"work {number}")
        update = update_copy(course, mine, fresh="01_basics")
        assert update.set_aside == {BASICS: f"notebooks/{aside}.ipynb"}
        assert (
            mine / f"notebooks/{aside}.ipynb"
        ).read_text() == f"work {number}"
        assert cell(mine / BASICS)["source"] == "1 + 1"
    assert not update_copy(course, mine).added


def test_a_copy_without_its_record_is_taken_for_the_learners(
    course: Path, tmp_path: Path
) -> None:
    """A learner who deletes the record, or whose copy is older than the record, does not lose
    anything.
    """
    mine = tmp_path / "mine"
    update_copy(course, mine)
    (mine / GIVEN).unlink()
    (course / BASICS).write_text(notebook("2 + 2"))
    assert update_copy(course, mine).newer == [BASICS]
    assert cell(mine / BASICS)["source"] == "1 + 1"


def test_a_copy_that_a_browser_saved_has_no_news(
    course: Path, tmp_path: Path
) -> None:
    """The browser edition saves the same cells as different JSON and has no record, but an
    unchanged file is not reported as changed.
    """
    copy = tmp_path / "copy"
    update_copy(course, copy)
    (copy / GIVEN).unlink()
    saved = json.loads((copy / BASICS).read_text(encoding="utf-8"))
    saved["cells"][0]["source"] = [saved["cells"][0]["source"]]
    saved["metadata"] = {"kernelspec": {"name": "python"}}
    (copy / BASICS).write_text(json.dumps(saved), encoding="utf-8")
    (copy / FIRST).write_text(notebook("mine"), encoding="utf-8")
    assert update_copy(course, copy).newer == [FIRST.as_posix()]


def test_a_full_disk_is_told_and_leaves_no_half(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file that cannot be written is named with the reason, and no file is incomplete."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("coursekit.foundation.files.os.replace", full)
    update = update_copy(course, tmp_path / "mine")
    assert (
        f"{BASICS} could not be copied: No space left on device."
        in update.lines(tmp_path)
    )
    assert not [
        path for path in (tmp_path / "mine").rglob("*") if path.is_file()
    ]


def test_where_the_copy_is(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a clone, the copy is coursekit-course next to the notebooks, wherever the command runs.
    From a wheel, it is in the current folder, and anywhere within the copy, the same copy is used.
    """
    monkeypatch.setattr(working_copy, "repository", lambda: course)
    assert learners_copy(tmp_path) == course / "coursekit-course"
    monkeypatch.setattr(working_copy, "repository", lambda: None)
    monkeypatch.setattr(working_copy, "IN_WHEEL", course)
    (course / ".env.example").write_text("COURSEKIT_MODE=replay\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = learners_copy(elsewhere)
    assert root == elsewhere / "coursekit-course"
    assert (root / ".env.example").is_file()
    assert learners_copy(root) == learners_copy(root / "notebooks") == root


def test_git_ignores_the_copy() -> None:
    """In a clone, the learner's copy is never part of a commit, and no pull touches it."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is not a clone")
    command = [
        "git",
        "-C",
        str(ROOT),
        "check-ignore",
        "-q",
        f"coursekit-course/{BASICS}",
    ]
    assert subprocess.run(command, check=False).returncode == 0


def test_where_the_course_cannot_be_copied(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the package contains no course, or a folder cannot be made, one message says what to
    do.
    """
    monkeypatch.setattr(working_copy, "repository", lambda: None)
    with pytest.raises(CommandError, match="without the course's notebooks"):
        learners_copy(tmp_path)
    assert command_line.main(["lab"]) == 1
    monkeypatch.setattr(working_copy, "IN_WHEEL", course)
    (course / ".env.example").write_text("")
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CommandError,
        match="cannot be copied to .* in a folder that you can write",
    ):
        learners_copy(tmp_path / "file")
    with pytest.raises(UnknownLesson):
        learners_copy(tmp_path, fresh="99")


def test_the_copy_in_a_clone_uses_the_clones_env_file(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env is next to the README. A file further up belongs to something else."""
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    monkeypatch.delenv("COURSEKIT_SPEED", raising=False)
    update_copy(course, course / "coursekit-course")
    monkeypatch.chdir(course / "coursekit-course" / "notebooks")
    (tmp_path / ".env").write_text("COURSEKIT_SPEED=7\n")
    assert settings().get("COURSEKIT_SPEED") is None
    (course / ".env").write_text("COURSEKIT_SPEED=5\n")
    assert settings()["COURSEKIT_SPEED"] == "5"
