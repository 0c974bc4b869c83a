"""What is built for `pip install`: the wheel, and the source distribution from which it is made."""

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

from coursekit.workshop.commands.working_copy import FIRST
from support.repository_files import repository_files

ROOT = Path(__file__).parents[1]
COURSE = "coursekit/data/course/"


def known(*folders: str) -> set[str]:
    """A file that was just written is not a surprise, but one that git ignores is."""
    return set(repository_files(*folders, new=True))


@pytest.fixture(scope="module")
def wheel(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[zipfile.ZipFile]:
    [path] = WheelBuilder(str(ROOT)).build(
        directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"]
    )
    with zipfile.ZipFile(path) as made:
        yield made


def test_the_wheel_holds_the_package_and_the_course(
    wheel: zipfile.ZipFile,
) -> None:
    """The wheel contains every file in coursekit/, the notebooks, the exercises, and the solutions,
    and nothing else.
    """
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    course = known("notebooks", "exercises", "solutions", ".env.example")
    assert held == known("coursekit") | {COURSE + name for name in course}
    assert wheel.read(COURSE + FIRST.as_posix()) == (ROOT / FIRST).read_bytes()


def test_the_wheel_is_for_every_machine(wheel: zipfile.ZipFile) -> None:
    """The wheel is pure Python for 3.11 and newer, has less than 3 MB, and contains the licenses'
    text and the README as its description.
    """
    path = Path(wheel.filename or "")
    [info] = [
        name
        for name in wheel.namelist()
        if name.endswith(".dist-info/METADATA")
    ]
    said = message_from_bytes(wheel.read(info))
    assert path.name == f"coursekit-{said['Version']}-py3-none-any.whl"
    assert path.name in (ROOT / "README.md").read_text(encoding="utf-8"), (
        "the README says what to install"
    )
    assert path.stat().st_size < 3_000_000
    assert said["Requires-Python"] == ">=3.11"
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())
    assert str(said.get_payload()).startswith(
        "# The Chat Completions API: A Hands-On Course"
    )


def test_an_editable_install_copies_nothing() -> None:
    """The package that `make` installed here points to the repository, whose own notebooks are
    opened.
    """
    installed = [file.as_posix() for file in metadata.files("coursekit") or []]
    assert any(name.endswith(".pth") for name in installed)
    assert not [name for name in installed if name.startswith("coursekit/")]


@pytest.mark.slow
def test_the_source_distribution_is_the_repository(tmp_path: Path) -> None:
    """The source distribution contains every committed file, so that the wheel can be built and
    tested from it.
    """
    [path] = SdistBuilder(str(ROOT)).build(
        directory=str(tmp_path), versions=["standard"]
    )
    with tarfile.open(path) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert known() <= held
    assert held - known() == {"PKG-INFO"}
