"""Live mode after the course's models are shut down: every chapter still runs, with their
successors.
"""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from coursekit import models
from coursekit.course import lessons
from support.live_stand_in import failures, live_api, live_environment

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
# o3 is gone; gpt-4o and gpt-4o-mini are gone as well
DAYS = [
    datetime.date(2026, 12, 12),
    datetime.date(2027, 2, 1),
]


@pytest.mark.successors
@pytest.mark.timeout(900)
@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("stem", [lesson.stem for lesson in lessons()])
def test_a_chapter_runs_live_on_the_successors(
    stem: str, day: datetime.date, tmp_path: Path
) -> None:
    """Only cells that are meant to fail do, although models that were shut down answer 404 and the
    others refuse invalid requests.
    """
    with live_api(stem, day, tmp_path) as (server, api):
        notebook = NOTEBOOKS / f"{stem}.ipynb"
        assert failures(notebook, live_environment(server.url, day)) == []
    # it has its own API
    asks = "checks.capstone" not in notebook.read_text(encoding="utf-8")
    assert (200 in {status for _, status in api.asked}) == asks
    dead = [
        name
        for name, status in api.asked
        if status == 200 and models.get(name).is_shut_down(day)
    ]
    assert dead == []
