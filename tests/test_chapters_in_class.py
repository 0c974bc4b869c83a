"""Every chapter runs in a class as it does in replay mode, and the class server answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursekit.course import lessons, recordings_of
from coursekit.offline.server.roll import SavedClass
from coursekit.workshop.commands.environment import offline_environment
from support.live_stand_in import failures
from support.served import served

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.in_class
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stem", [lesson.stem for lesson in lessons()])
def test_a_chapter_runs_in_a_class(stem: str) -> None:
    """Only cells that are meant to fail do, and every request is one that the class server can
    answer.
    """
    notebook = NOTEBOOKS / f"{stem}.ipynb"
    with served(recordings_of(stem), saved=SavedClass()) as server:
        key = server.admin("POST", "/admin/learners", {"name": "Ada"}).json()[
            "key"
        ]
        joined = {
            "COURSEKIT_BASE_URL": f"{server.url}/v1",
            "COURSEKIT_CLASS_KEY": key,
            "NO_PROXY": "*",
        }
        assert failures(notebook, offline_environment() | joined) == []
        assert server.room.roll is not None
        ada = server.room.roll.named("Ada")
        assert ada is not None
        met = {(attempt.status, attempt.code) for attempt in ada.ledger}
    # other chapters are answered in process
    asks = "connect()" in notebook.read_text(encoding="utf-8")
    assert ((200, None) in met) == asks
    assert "recording_not_found" not in {code for _, code in met}
