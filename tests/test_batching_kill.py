"""run_batch survives kill -9, four times in a run of 500 requests."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from support.batching_killed import PROMPTS, SLOTS
from support.offline_api import folder_with, params, whole
from support.served import Served, served
from support.waiting import until

KILLS, SEED = 4, 20261123


class Program:
    """The program that makes the runs."""

    def __init__(self, server: Served, file: Path) -> None:
        path = Path(__file__).with_name("support") / "batching_killed.py"
        command = [sys.executable, str(path), f"{server.url}/v1", str(file)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self) -> int:
        """Start a run. Returns its process ID."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return int(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextlib.contextmanager
def program(server: Served, file: Path) -> Iterator[Program]:
    running = Program(server, file)
    with running.process:
        yield running
        running.process.stdin.close()  # type: ignore[union-attr]


@pytest.mark.skipif(
    not hasattr(os, "fork"), reason="kill -9 is a matter of Unix"
)
@pytest.mark.slow
def test_a_run_that_is_killed_loses_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After being killed four times at random moments, a run ends with all 500 answers. The file is
    never damaged, and only requests that were in flight at a kill are sent twice.
    """
    # so that the ledger holds them all
    monkeypatch.setattr("coursekit.offline.server.learners.ATTEMPTS", 10_000)
    folder = folder_with(
        tmp_path / "r",
        *(
            (params(p), whole(p, 0.01, f"req_{i}"))
            for i, p in enumerate(PROMPTS)
        ),
    )
    file, rng, lost = tmp_path / "answers.db", random.Random(SEED), [0]
    with served(folder, speed=1.0) as server, program(server, file) as runs:
        for _ in range(KILLS):
            child = runs.start()
            wait_until(server, asked(server) + rng.randrange(1, 60))
            time.sleep(rng.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
            assert runs.line() == "killed"
            # it has noticed
            until(lambda: not server.server.server_state.connections)
            lost.append(asked(server) - kept(file))
        before = kept(file)
        runs.start()
        assert runs.line() == f"500 {before}"
        bodies = Counter(
            attempt.body
            for learner in server.room.learners
            for attempt in learner.ledger
        )
    under_way = [after - before for before, after in pairwise(lost)]
    print(
        f"\nunder way at the kills: {under_way}; asked twice: {bodies.total() - 500} of 500"
    )
    assert len(bodies) == kept(file) == 500
    assert all(0 <= count <= SLOTS for count in under_way)
    assert bodies.total() - 500 == sum(under_way)


def asked(server: Served) -> int:
    """How many requests the server has had so far."""
    return sum(len(learner.ledger) for learner in server.room.learners)


def wait_until(server: Served, count: int) -> None:
    until(lambda: asked(server) >= count)


def kept(file: Path) -> int:
    """How many answers are in the checkpoint, which must be undamaged."""
    connection = sqlite3.connect(file)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == (
            "ok",
        )
        return int(
            connection.execute("SELECT count(*) FROM answer").fetchone()[0]
        )
    finally:
        connection.close()
