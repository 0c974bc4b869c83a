"""The model's thread: one job after the other, items handed on as they come, and an end for whoever leaves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from coursekit.local_model.engine import END, Engine, Job
from support.waiting import HANG

SOON = HANG


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(lambda: "the model")
    yield made
    made.close()


def says(*items: Any) -> Any:
    def work(model: Any, job: Job) -> None:
        for item in items:
            job.put(item)

    return work


def endless(model: Any, job: Job) -> None:
    while not job.left:
        job.put("word")
        time.sleep(0.001)


def all_of(job: Job) -> list[Any]:
    items = []
    while (item := job.get(SOON)) is not END:
        items.append(item)
    return items


def test_jobs_are_done_in_their_order(engine: Engine) -> None:
    """Each gets the loaded model, and its own items."""
    done: list[int] = []
    jobs = [engine.submit(lambda model, job, n=n: (done.append(n), job.put((model, n)))) for n in range(20)]  # type: ignore[misc]
    assert [all_of(job) for job in jobs] == [[("the model", n)] for n in range(20)]
    assert done == list(range(20))


def test_items_come_before_the_job_is_over(engine: Engine) -> None:
    """The first can be taken while the work goes on; who leaves ends it, and the next job begins."""
    job = engine.submit(endless)
    assert job.get(SOON) == "word"
    job.leave()
    assert all_of(engine.submit(says(1, 2))) == [1, 2]


def test_a_job_that_was_left_before_its_turn_is_not_begun(engine: Engine) -> None:
    """Nobody waits for it."""
    first = engine.submit(endless)
    begun = threading.Event()
    second = engine.submit(lambda model, job: begun.set())
    second.leave()
    first.leave()
    all_of(engine.submit(says()))
    assert not begun.is_set()


def test_what_goes_wrong_is_the_caller_s(engine: Engine) -> None:
    """An error in the work, or in loading, is raised where the items are taken; the thread lives on, and loads anew."""
    with pytest.raises(KeyError, match="x"):
        engine.submit(lambda model, job: {}["x"]).get(SOON)
    tries = iter([OSError("no memory"), "now"])

    def load() -> Any:
        found = next(tries)
        if isinstance(found, Exception):
            raise found
        return found

    late = Engine(load)
    with pytest.raises(OSError, match="no memory"):
        late.submit(says()).get(SOON)
    assert all_of(late.submit(lambda model, job: job.put(model))) == ["now"]
    late.close()


async def test_waiting_has_an_end(engine: Engine) -> None:
    """TimeoutError, in a thread and on an event loop."""
    over = threading.Event()
    job = engine.submit(lambda model, job: over.wait(SOON))
    with pytest.raises(TimeoutError):
        job.get(0.02)
    with pytest.raises(TimeoutError):
        await job.get_async(0.02)
    over.set()
    assert await job.get_async(SOON) is END


def test_closing_stops_the_work_and_the_queue() -> None:
    """At the program's end nobody waits for a long reply, nor for those behind it; a later job starts a new thread."""
    engine = Engine(lambda: "the model")
    job, behind = engine.submit(endless), engine.submit(endless)
    job.get(SOON)
    engine.close()
    with pytest.raises(TimeoutError):
        behind.get(0.01)
    assert all_of(engine.submit(says("again"))) == ["again"]
    engine.close()
    engine.close()
