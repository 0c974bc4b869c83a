"""coursekit doctor: what it finds, and that it never shows a secret."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from coursekit import course
from coursekit.workshop.commands import doctor

FINE = [
    "Python",
    "packages",
    "kernel",
    "recordings",
    "mode",
    "speed",
    "key",
    "models",
    "proxies",
    "folder",
    "browser for tests",
]


def check(name: str) -> doctor.Check:
    return next(check for check in doctor.checks() if check.name == name)


def test_every_line_is_ok_or_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line starts with OK, or it starts with FIX and ends with what to do."""
    monkeypatch.setenv("COURSEKIT_MODE", "repaly")
    lines = [str(check) for check in doctor.checks()]
    assert all(
        re.fullmatch(r"OK   [^:]+: .+|FIX  [^:]+: .+ -> .+", line)
        for line in lines
    )
    assert [line for line in lines if line.startswith("FIX  mode: ")]


@pytest.mark.parametrize("name", FINE)
def test_this_machine_is_well(name: str) -> None:
    """The tests' own machine has everything that the course needs, without a network or a key."""
    assert check(name).ok, str(check(name))


def test_a_key_is_told_but_never_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A key, from the environment or from .env, and a proxy's password appear nowhere in what is
    printed.
    """
    monkeypatch.chdir(tmp_path)
    # which keeps the machine's own .env out of the tests
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED")
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-not-a-real-key-at-all\n")
    monkeypatch.setenv("HTTPS_PROXY", "http://someone:password@proxy.example")
    doctor.doctor()
    printed = capsys.readouterr().out
    assert "key: there is one (not shown)" in printed
    assert "proxies: HTTPS_PROXY" in printed
    assert "sk-not" not in printed
    assert "password" not in printed


def test_a_mode_that_costs_money_needs_a_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Live mode without a key is something to fix; replay without one is not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    assert not check("key").ok
    assert check("mode").found == "live (costs money)"
    monkeypatch.setenv("COURSEKIT_MODE", "replay")
    assert check("key").ok


def test_a_speed_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An impossible speed is named."""
    monkeypatch.setenv("COURSEKIT_SPEED", "-1")
    assert "COURSEKIT_SPEED=-1" in check("speed").found


def test_a_damaged_recording_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A recording that cannot be parsed is named, with a way to restore it."""
    monkeypatch.setattr(course, "DATA", tmp_path)
    monkeypatch.setattr(
        doctor, "recording_folders", lambda: [tmp_path / "01_basics"]
    )
    (tmp_path / "01_basics").mkdir()
    (tmp_path / "01_basics" / "gpt-4o-hello.json").write_text("{")
    found = check("recordings")
    assert "01_basics/gpt-4o-hello.json" in found.found
    assert found.cure.startswith("git checkout")


def test_a_missing_and_a_damaged_notebook_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each lesson's notebook must exist and be readable. Without a repository, there is nothing to
    check.
    """
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setattr(doctor, "repository", lambda: tmp_path)
    assert "00_start_here.ipynb is missing" in check("notebooks").found
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("<<<<<<< HEAD")
    assert "00_start_here.ipynb cannot be read" in check("notebooks").found
    for lesson in course.lessons():
        (tmp_path / "notebooks" / f"{lesson.stem}.ipynb").write_text(
            json.dumps({"cells": []})
        )
    assert check("notebooks").ok
    monkeypatch.setattr(doctor, "repository", lambda: None)
    assert check("notebooks").ok


def test_packages_out_of_range_or_missing() -> None:
    """A package that is missing or outside pyproject.toml's range is named; packages for extras are
    not required.
    """
    course = SimpleNamespace(
        requires=[
            "openai>=99",
            "no-such-package>=1",
            "pytest",
            'other-package; extra == "test"',
        ]
    )
    openai, missing = doctor._wrong_packages(course)  # type: ignore[arg-type]
    assert re.fullmatch(r"openai is [\d.]+, but >=99 is needed", openai)
    assert missing == "no-such-package is missing"


def test_a_kernel_of_another_python(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The doctor detects a python3 kernel that overrides this Python's own."""
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    other = (
        "/somewhere/else/bin/python"
        if os.name == "posix"
        else r"C:\else\python.exe"
    )
    (spec / "kernel.json").write_text(
        json.dumps({"argv": [other], "display_name": "x", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    found = check("kernel")
    assert other in found.found
    assert sys.executable in found.cure


def test_a_folder_that_cannot_be_written_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If notebooks cannot be saved, the fix is to use a folder of your own."""
    monkeypatch.setattr(doctor, "repository", lambda: tmp_path / "gone")
    assert "copy the course" in check("folder").cure


def test_the_summary_is_the_same_on_every_machine() -> None:
    """If all is well, the summary is one line of names, without versions, paths, or settings."""
    well = [
        doctor.Check("Python", "3.99.1"),
        doctor.Check("folder", "/home/me"),
    ]
    assert doctor.summary(well) == "OK   Python, folder"
    ill = doctor.Check("speed", "none", "set it")
    assert (
        doctor.summary([*well, ill])
        == "OK   Python, folder\nFIX  speed: none -> set it"
    )
