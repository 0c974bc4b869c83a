"""The Makefile's setup, with a fake Python that records its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    not shutil.which("make") or os.name != "posix", reason="needs make"
)

# `python -m venv .venv` copies the script itself. OLD, NO_VENV, NO_UV, and FAIL say what does not
# work.
PYTHON = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
    --version) echo Python 3.99.0 ;;
    "-c import sys"*) exit ${OLD:-0} ;;
    "-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit ${NO_VENV:-0} ;;
    "-c import uv") exit ${NO_UV:-0} ;;
    *--editable*) exit ${FAIL:-0} ;;
esac
"""


class Course:
    """A folder with the project's Makefile, pyproject.toml, and requirements.lock, and with the
    stand-in as python3.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "a course", folder / "log"
        self.folder.mkdir()
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            shutil.copy(ROOT / name, self.folder)
        (folder / "bin").mkdir()
        python = folder / "bin" / "python3"
        python.write_text(PYTHON)
        python.chmod(0o755)
        for tool in (
            "make",
            "sh",
            "awk",
            "cat",
            "cksum",
            "tr",
            "rm",
            "mkdir",
            "cp",
            "touch",
            "head",
            "pwd",
        ):
            os.symlink(shutil.which(tool) or "", folder / "bin" / tool)

    def make(
        self, *arguments: str, **switches: str
    ) -> tuple[int, str, list[str]]:
        """The exit code, the output, and what Python was called with (except for tests of Python
        itself).
        """
        self.log.write_text("")
        environment = {
            "PATH": str(self.log.parent / "bin"),
            "HOME": str(self.log.parent),
            "LOG": str(self.log),
        }
        ran = subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=environment | switches,
            capture_output=True,
            text=True,
            check=False,
        )
        asked = [
            line
            for line in self.log.read_text().splitlines()
            if not line.startswith(("-c", "--version"))
        ]
        return ran.returncode, ran.stdout + ran.stderr, asked


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


def steps(asked: list[str]) -> list[str]:
    """The steps of a setup, abbreviated."""
    known = {
        "-m venv": "venv",
        "-m pip": "pip",
        "-m uv": "uv",
        "-m coursekit": "coursekit",
        "-m pytest": "pytest",
    }
    known |= {"-m ruff": "ruff", "-m mypy": "mypy", ".ci/wording.py": "wording"}
    return [known[" ".join(line.split()[:2])] for line in asked]


def test_the_lanes(course: Course) -> None:
    """`make check` runs the tools and the quick tests, and `make test` runs the tools and all
    tests. With arguments, only pytest runs.
    """
    course.make("test")
    *tools, last = course.make("check")[2]
    assert len(tools) == 5 and "--quick" in last and last.endswith(" tests")
    assert len(course.make("test")[2]) == 6
    assert course.make("test", "ARGS=-k basics")[2] == [
        "-m pytest -n auto -k basics"
    ]


def test_set_up_once_then_nothing_to_do(course: Course) -> None:
    """The first `make lab` makes .venv and installs. The second starts immediately, even though the
    path has a space.
    """
    code, _, asked = course.make("lab", "ARGS=--port 1")
    assert code == 0
    assert steps(asked) == ["venv", "pip", "uv", "coursekit"]
    assert "--constraints requirements.lock" in asked[2]
    assert asked[2].endswith("--editable .")
    assert asked[3] == "-m coursekit lab --port 1"
    assert steps(course.make("lab")[2]) == ["coursekit"]


def test_the_tests_need_more_and_that_is_enough_for_the_lab(
    course: Course,
) -> None:
    """After `make lab`, `make test` adds the extra `test`. After `make test`, `make lab` has
    nothing to install.
    """
    course.make("lab")
    asked = course.make("test")[2]
    assert (steps(asked)[0], steps(asked)[-1]) == ("uv", "pytest")
    assert sorted(steps(asked)[1:-1]) == [
        "mypy",
        "mypy",
        "ruff",
        "ruff",
        "wording",
    ]
    assert asked[0].endswith("--editable .[test]")
    assert steps(course.make("lab")[2]) == ["coursekit"]


def test_only_the_locked_uv_is_fetched_by_pip(course: Course) -> None:
    """pip installs only uv, and checks the hashes in requirements.lock."""
    asked = course.make("lab")[2]
    assert "--require-hashes --requirement .venv/uv.txt" in asked[1]
    wanted = (course.folder / ".venv" / "uv.txt").read_text()
    assert wanted.startswith("uv==")
    assert wanted.count("==") == 1
    assert "--hash=sha256:" in wanted


def test_without_uv_pip_installs_the_same_lock(course: Course) -> None:
    """If uv is not available, pip installs what is locked, checks the hashes, and then installs the
    course without dependencies. The program for the local model is left to `coursekit local
    install`.
    """
    code, _, asked = course.make("lab", NO_UV="1")
    assert code == 0
    assert steps(asked) == ["venv", "pip", "pip", "pip", "coursekit"]
    assert "--require-hashes --requirement .venv/locked.txt" in asked[2]
    installed, locked = (
        (course.folder / name).read_text()
        for name in (".venv/locked.txt", "requirements.lock")
    )
    assert (
        installed.count("==") == locked.count("==") - 1
        and "xllamacpp" not in installed
    )
    assert "--no-deps --editable ." in asked[3]


def test_an_interrupted_set_up_is_taken_up_again(course: Course) -> None:
    """If installing fails, nothing is started, and the next call installs again."""
    code, _, asked = course.make("lab", FAIL="1")
    assert code != 0
    assert steps(asked)[-1] == "uv"
    assert steps(course.make("lab")[2]) == ["uv", "coursekit"]


def test_a_new_list_is_installed_and_a_moved_folder_made_anew(
    course: Course,
) -> None:
    """After the lock file changes, everything is installed again. If the folder was moved or its
    Python is gone, .venv is rebuilt.
    """
    course.make("lab")
    with (course.folder / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert steps(course.make("lab")[2]) == ["uv", "coursekit"]
    course.folder = course.folder.rename(course.folder.with_name("moved"))
    assert steps(course.make("lab")[2]) == ["venv", "pip", "uv", "coursekit"]
    (course.folder / ".venv" / "bin" / "python").unlink()
    assert steps(course.make("lab")[2]) == ["venv", "pip", "uv", "coursekit"]


def test_a_python_that_is_too_old(course: Course) -> None:
    """With a Python before 3.11, the message says what is needed, what is there, and what to do,
    and nothing is made.
    """
    code, said, asked = course.make("lab", OLD="1")
    assert code != 0
    assert asked == []
    assert "needs Python 3.11 or newer. python3 here is: Python 3.99.0" in said
    assert "make lab PYTHON=" in said
    assert not (course.folder / ".venv").exists()


def test_a_python_without_venv(course: Course) -> None:
    """With a Python that cannot make virtual environments (Debian), the message names the package
    to install, and nothing is left behind.
    """
    code, said, _ = course.make("lab", NO_VENV="1")
    assert code != 0
    assert "apt install python3-venv" in said
    assert not (course.folder / ".venv").exists()
