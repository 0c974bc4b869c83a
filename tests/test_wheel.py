"""What is built for `pip install`: the wheel, the source it is made from, and the learner's own
copy of the course.
"""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from coursekit.workshop import CommandError
from coursekit.workshop.commands import command_line
from coursekit.workshop.commands.own_copy import FIRST, own_copy
from support.repository_files import repository_files

ROOT = Path(__file__).parents[1]
COURSE = "coursekit/data/course/"


def known(*folders: str) -> set[str]:
    """A file that was just written is no surprise; one that git ignores is."""
    return set(repository_files(*folders, new=True))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    [path] = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]
    )
    with zipfile.ZipFile(path) as made:
        yield made


def test_the_wheel_holds_the_package_and_the_course(wheel: zipfile.ZipFile) -> None:
    """Every file of coursekit/ is in it, and the notebooks, exercises and solutions; nothing else
    is.
    """
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    course = known("notebooks", "exercises", "solutions", ".env.example")
    assert held == known("coursekit") | {COURSE + name for name in course}
    assert wheel.read(COURSE + FIRST.as_posix()) == (ROOT / FIRST).read_bytes()


def test_the_wheel_is_for_every_machine(wheel: zipfile.ZipFile) -> None:
    """Pure Python for 3.11 and newer, less than 3 MB, with the licenses' text, and the README as
    its description.
    """
    path = Path(wheel.filename or "")
    [info] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    said = message_from_bytes(wheel.read(info))
    assert path.name == f"coursekit-{said['Version']}-py3-none-any.whl"
    assert path.name in (ROOT / "README.md").read_text(encoding="utf-8"), (
        "the README says what to install"
    )
    assert path.stat().st_size < 3_000_000
    assert said["Requires-Python"] == ">=3.11"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    assert str(said.get_payload()).startswith("# The Chat Completions API, hands on")


def test_an_editable_install_copies_nothing() -> None:
    """What `make` installed here points to the repository, whose own notebooks are opened."""
    installed = [file.as_posix() for file in metadata.files("coursekit") or []]
    assert any(name.endswith(".pth") for name in installed)
    assert not [name for name in installed if name.startswith("coursekit/")]


def test_the_source_distribution_is_the_repository(tmp_path: Path) -> None:
    """All that is committed is in it, so that the wheel can be built and tested from it."""
    [path] = SdistBuilder(str(ROOT)).build(
        directory=str(tmp_path), versions=["standard"]
    )
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert known() <= held
    assert held - known() == {"PKG-INFO"}


def course_in(folder: Path) -> Path:
    """A course of two notebooks."""
    for name in (FIRST.as_posix(), "exercises/01_basics.ipynb"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("as shipped", encoding="utf-8")
    return folder


def test_a_learner_s_own_copy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first start copies the course into a folder of its own; later ones add what is missing
    and touch nothing.
    """
    course, here = course_in(tmp_path / "course"), tmp_path / "here"
    root = own_copy(here, course)
    assert root == here / "coursekit-course"
    assert (root / FIRST).read_text() == "as shipped"
    assert f"2 files of the course were copied to {root}" in capsys.readouterr().out
    (root / FIRST).write_text("my work")
    (root / "exercises" / "01_basics.ipynb").unlink()
    assert own_copy(here, course) == own_copy(root, course) == root
    assert (root / FIRST).read_text() == "my work"
    assert (root / "exercises" / "01_basics.ipynb").read_text() == "as shipped"
    assert capsys.readouterr().out.count("copied") == 1


def test_where_the_course_cannot_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No course in the package, or a folder that cannot be made: one message that says what to
    do.
    """
    with pytest.raises(CommandError, match="without the course's notebooks"):
        own_copy(tmp_path, tmp_path / "nothing")
    course = course_in(tmp_path / "course")
    (tmp_path / "file").write_text("")
    with pytest.raises(
        CommandError,
        match="cannot be copied to .*Run coursekit lab in a folder of yours",
    ):
        own_copy(tmp_path / "file", course)
    monkeypatch.setattr("coursekit.workshop.commands.lab.repository", lambda: None)
    assert command_line.main(["lab"]) == 1, (
        "this repository's package has no copy of the course"
    )
