"""The pytest plugin: notebooks run offline, and every recording of a lesson that passed was
used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from nbformat import v4
from nbval.kernel import RunningKernel

from coursekit import course
from coursekit.workshop import notebooks_in
from coursekit.workshop.authoring.refresh import refresh_notebook
from coursekit.workshop.testing.pytest_plugin import (
    UsedRecordings,
    WatchedKernel,
    pytest_ignore_collect,
)

ROOT = Path(__file__).parents[1]


def test_notebooks_are_compared_strictly_and_offline(
    write_notebook: Callable[..., Path],
) -> None:
    """Cells run in replay mode, without waiting, and see neither a key nor a proxy. An output that
    differs fails the run, which gives the cell's number in JupyterLab and says what to run.
    """
    path = write_notebook(
        "import os\nnames = 'OPENAI_API_KEY', 'HTTPS_PROXY', 'COURSEKIT_MODE', 'COURSEKIT_SPEED'\n"
        "print([os.environ.get(name) for name in names])",
        "import ipywidgets\nipywidgets.IntSlider(3)",
        v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        "print('stored')  # what else",
        name="notebooks/toy.ipynb",
    )
    refresh_notebook(path)
    text = path.read_text()
    assert "[None, None, 'replay', 'instant']" in text
    path.write_text(text.replace('"stored\\n"', '"something else\\n"'))
    folder = path.parents[1]
    shutil.copy(ROOT / "pyproject.toml", folder)
    command = [
        "-P",
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-pno:cacheprovider",
        "notebooks",
    ]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "COURSEKIT"))
    }
    environment |= {
        "OPENAI_API_KEY": "sk-secret",
        "HTTPS_PROXY": "http://proxy",
    }
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment | {"COURSEKIT_MODE": "live"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 3 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "FAILED notebooks/toy.ipynb::Cell 4" in ran.stdout
    assert "Cell 4: Cell outputs differ" in ran.stdout
    assert (
        "This is cell [4] of notebooks/toy.ipynb: print('stored')  # what else"
        in ran.stdout
    )
    assert ".venv/bin/coursekit test toy\n" in ran.stdout
    assert ".venv/bin/coursekit refresh toy\n" in ran.stdout


@pytest.mark.parametrize("alive", [False, True])
def test_a_dead_kernel_is_an_error_at_once(
    monkeypatch: pytest.MonkeyPatch, *, alive: bool
) -> None:
    """The plugin waits for a message as long as its kernel is alive. A dead kernel is an error long
    before the time is up.
    """

    def nothing(kernel: Any, stream: str, timeout: float) -> Any:
        raise Empty

    monkeypatch.setattr(RunningKernel, "get_message", nothing)
    kernel: Any = WatchedKernel.__new__(WatchedKernel)
    monkeypatch.setattr(kernel, "is_alive", lambda: alive, raising=False)
    if alive:
        with pytest.raises(Empty):
            kernel.get_message("iopub", timeout=0.01)
    else:
        with pytest.raises(
            RuntimeError, match="the cell has killed its kernel"
        ):
            kernel.get_message("shell", timeout=3600)


@pytest.fixture
def recorded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_notebook: Callable[..., Path],
) -> UsedRecordings:
    """A course whose lesson 01_basics has a notebook with two code cells, and the recordings a.json
    and b.json.
    """
    data = tmp_path / "coursekit" / "data"
    folder = data / "recordings" / "01_basics"
    folder.mkdir(parents=True)
    for name in ("a.json", "b.json"):
        (folder / name).write_text("{}")
    course.lessons()  # the real ones, remembered
    monkeypatch.setattr(course, "DATA", data)
    write_notebook("1", v4.new_markdown_cell("# x"), "2")
    (tmp_path / "used.txt").write_text(f"{folder / 'a.json'}\n")
    return UsedRecordings(tmp_path, tmp_path / "used.txt")


def finished(plugin: UsedRecordings, *outcomes: str) -> tuple[Any, list[str]]:
    """The session's exit status and the unused recordings, after cells of 01_basics with these
    outcomes.
    """
    for number, outcome in enumerate(outcomes):
        nodeid = f"notebooks/01_basics.ipynb::Cell {number}"
        report = SimpleNamespace(
            nodeid=nodeid, when="call", passed=outcome == "passed"
        )
        plugin.pytest_runtest_logreport(report)  # type: ignore[arg-type]
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    plugin.pytest_sessionfinish(session)  # type: ignore[arg-type]
    return session.exitstatus, [path.name for path in plugin.unused]


def test_an_unused_recording_fails_the_run(recorded: UsedRecordings) -> None:
    """If all cells of a lesson passed, a recording that replay never served is named, and the run
    fails.
    """
    assert finished(recorded, "passed", "passed") == (
        pytest.ExitCode.TESTS_FAILED,
        ["b.json"],
    )


@pytest.mark.parametrize("outcomes", [[], ["passed"], ["passed", "failed"]])
def test_nothing_is_said_of_a_lesson_that_did_not_run_whole(
    recorded: UsedRecordings, outcomes: list[str]
) -> None:
    """If some of a lesson's cells were not run, or failed, nothing is said about its recordings."""
    assert finished(recorded, *outcomes) == (pytest.ExitCode.OK, [])


def test_all_used_is_fine(recorded: UsedRecordings) -> None:
    """If every recording was served, the run passes."""
    with recorded.log.open("a") as log:
        log.write(str(course.recordings_of("01_basics") / "b.json") + "\n")
    assert finished(recorded, "passed", "passed") == (pytest.ExitCode.OK, [])


def test_a_notebook_to_try_things_in_is_no_part_of_the_course(
    tmp_path: Path,
) -> None:
    """The Untitled.ipynb that JupyterLab's + creates is neither tested nor listed, but a notebook
    with its own name is.
    """
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("Untitled.ipynb", "Untitled1.ipynb", "01_basics.ipynb"):
        (folder / name).touch()
    assert notebooks_in(folder) == [folder / "01_basics.ipynb"]
    assert [
        pytest_ignore_collect(path) for path in sorted(folder.iterdir())
    ] == [
        None,
        True,
        True,
    ]
