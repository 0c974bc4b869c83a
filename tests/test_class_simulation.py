"""A short class (bench_class has a long one): learners, a teacher at the console, and a server that
is killed.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.class_simulation import Lesson


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.slow
async def test_a_lesson(tmp_path: Path) -> None:
    """Calls fail only if something was done to the class, and look like it. A server that was
    killed restarts with its meters, learners with enough retries notice nothing, and the class file
    is complete in the end.
    """
    lesson = Lesson(
        tmp_path / "class.json",
        learners=12,
        seconds=0,
        speed=20,
        pause=0.1,
        rest=0,
    )
    await lesson.run()
    assert lesson.unexplained == []
    met = Counter(call.how for call in lesson.calls)
    assert met["ok"] > 100
    assert met["cut"] > 0, met
    statuses = Counter(
        status for meter in lesson.final for status in meter["statuses"]
    )
    # of before the kill; calls may have been saved by the SDK's retries
    assert statuses["429"] and statuses["500"]
    kill = lesson.troubles[-1]
    patient = [
        call
        for call in lesson.calls
        if call.learner % 2 == 0 and call.retries and kill.start <= call.end
    ]
    assert patient and {call.how for call in patient} <= {"ok"}
    assert [meter["name"] for meter in lesson.after] == [
        meter["name"] for meter in lesson.before
    ]
    assert all(
        a["requests"] >= b["requests"] > 0
        for a, b in zip(lesson.after, lesson.before, strict=True)
    )
    kept = json.loads(lesson.file.read_text(encoding="utf-8"))["learners"]
    assert [one["meter"]["requests"] for one in kept] == [
        meter["requests"] for meter in lesson.final
    ]
