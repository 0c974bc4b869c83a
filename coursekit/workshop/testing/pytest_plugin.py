"""For pytest: the offline environment, for tests and for the kernels of notebooks; and which
recordings were used.

A recording that no cell asks for is dead weight, and usually the trace of a changed prompt. So the
replay layer notes what it serves (COURSEKIT_USED_LOG, one path a line), and after a lesson's
notebooks have all passed, each recording of that lesson must have been served. Those of an
author's dialogues (``offline.recorded.written.dialogue``) are for learners' own cells: no cell of
the course has to ask for them.

Notebooks are collected here, so that a cell has the number that JupyterLab shows (nbval counts from
0), and its report says what to run.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from ...course import lessons, recordings_of, replies_of
from ...offline.recorded.written import Written
from ...offline.recordings import USED_LOG, Recordings, name_of
from .. import all_notebooks, unnamed
from ..commands.environment import offline_environment

SANITIZE = Path(__file__).with_name("sanitize.cfg")
LOOK = 0.5  # seconds between two looks at a kernel that says nothing
CELL = "Cell"  # and its number: the name of a test
FIRST_LINE = 60  # characters of a cell's first line that a report shows


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Once for a session: workers of pytest-xdist inherit the environment."""
    if hasattr(config, "workerinput"):
        return
    environment = offline_environment()
    os.environ.clear()
    os.environ.update(environment)
    handle, log = tempfile.mkstemp(prefix="coursekit-used-", suffix=".txt")
    os.close(handle)
    os.environ[USED_LOG] = log
    config.pluginmanager.register(UsedRecordings(config.rootpath, Path(log)))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A learner's scratch notebook is not a test."""
    return True if unnamed(collection_path) else None


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Notebook | None:
    """Every notebook is tested, whether or not nbval's own option is given."""
    if file_path.suffix != ".ipynb":
        return None
    return Notebook.from_parent(parent, path=file_path)  # type: ignore[no-any-return]


class Notebook(IPyNbFile):  # type: ignore[misc]  # nbval has no types
    """nbval's notebook, run by this environment's Python, with cells as JupyterLab numbers them."""

    def setup(self) -> None:
        self.kernel = WatchedKernel(
            CURRENT_ENV_KERNEL_NAME, cwd=str(self.path.parent)
        )
        self.setup_sanitize_files()

    def get_sanitize_files(self) -> list[Path]:
        return [SANITIZE]

    def collect(self) -> Iterator[IPyNbCell]:
        for number, item in enumerate(super().collect(), start=1):
            yield IPyNbCell.from_parent(
                self,
                name=f"{CELL} {number}",
                cell_num=number,
                cell=item.cell,
                options=item.options,
            )


class WatchedKernel(RunningKernel):  # type: ignore[misc]
    """nbval's kernel, whose death is an immediate error: nbval would wait for the timeout."""

    def get_message(self, stream: str, timeout: float | None = None) -> Any:
        end = (
            time.monotonic() + timeout if timeout is not None else float("inf")
        )
        while True:
            try:
                seconds = max(0.0, min(LOOK, end - time.monotonic()))
                return super().get_message(stream, timeout=seconds)
            except Empty:
                if not self.is_alive():
                    raise RuntimeError(
                        "the cell has killed its kernel"
                    ) from None
                if time.monotonic() >= end:
                    raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a cell that fails ends with what to run."""
    report = yield
    if report.failed and isinstance(item, IPyNbCell):
        stem, (first, *_) = (
            item.path.stem,
            item.cell.source.strip().splitlines() or [""],
        )
        advice = (
            f"This is cell [{item.cell_num}] of {item.nodeid.partition('::')[0]}: "
            f"{first[:FIRST_LINE]}\n"
            f"To run its lesson again: .venv/bin/coursekit test {stem}\n"
            "If the new output is right, store it and read the diff: .venv/bin/coursekit refresh "
            f"{stem}\n"
        )
        report.sections.append(("what to do", advice))
    return report


class UsedRecordings:
    """Compares the recordings on disk with those served; ``root`` is the repository, ``log`` the
    file that replay wrote.
    """

    def __init__(self, root: Path, log: Path) -> None:
        self.root, self.log = root, log
        self.passed: Counter[str] = Counter()
        self.unused: list[Path] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        path, _, name = report.nodeid.partition("::")
        if report.when == "call" and report.passed and name.startswith(CELL):
            self.passed[path] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        served = {
            Path(line)
            for line in self.log.read_text(encoding="utf-8").splitlines()
        }
        for lesson in lessons():
            if self._whole(lesson.stem):
                recorded, replies = (
                    recordings_of(lesson.stem),
                    replies_of(lesson.stem),
                )
                written = (
                    Written(replies, Recordings([recorded])).requests
                    if replies.is_file()
                    else []
                )
                served |= {
                    recorded / f"{name_of(request)}.json" for request in written
                }
                self.unused += [
                    path
                    for path in sorted(recorded.glob("*.json"))
                    if path not in served
                ]
        if self.unused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> None:
        if self.unused:
            terminalreporter.section(
                "recordings that no notebook used", red=True
            )
            for path in self.unused:
                terminalreporter.line(f"{path.parent.name}/{path.name}")
            terminalreporter.line(
                "Delete them, or record the lesson again (coursekit record LESSON)."
            )

    def pytest_unconfigure(self) -> None:
        self.log.unlink(missing_ok=True)

    def _whole(self, stem: str) -> bool:
        """Whether every code cell of every notebook of the lesson ran and passed."""
        paths = [path for path in all_notebooks(self.root) if path.stem == stem]
        return bool(paths) and all(
            self.passed[path.relative_to(self.root).as_posix()]
            == _code_cells(path)
            for path in paths
        )


def _code_cells(path: Path) -> int:
    return sum(
        cell["cell_type"] == "code"
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
    )
