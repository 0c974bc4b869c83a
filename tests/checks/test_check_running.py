"""Running a learner's code: a time limit on every platform, virtual time, and coroutines that are
never awaited.
"""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from coursekit.checks.engine import running, virtual_loop
from coursekit.checks.engine.running import run
from coursekit.checks.engine.virtual_loop import Deadlock
from coursekit.foundation import platform


async def one() -> int:
    return 1


def test_a_value_and_an_error_come_back() -> None:
    """What the work returns or raises is reported, and nothing is raised. Not even SystemExit ends
    the kernel.
    """
    assert run(lambda: 7).value == 7
    assert isinstance(run(lambda: 1 / 0).error, ZeroDivisionError)
    assert isinstance(run(exit_now).error, SystemExit)


def exit_now() -> None:
    raise SystemExit(3)


def endless_loop() -> None:
    while True:
        pass


def loop_that_catches() -> None:
    while True:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001  as a learner might
            pass


async def loop_that_yields() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    await asyncio.gather(spin(), spin())


async def nothing_ever_comes() -> None:
    await asyncio.get_running_loop().create_future()


async def two_for_each_other() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def wait_then_set(waited: asyncio.Event, then: asyncio.Event) -> None:
        await waited.wait()
        then.set()

    await asyncio.gather(
        wait_then_set(first, second), wait_then_set(second, first)
    )


@pytest.mark.parametrize(
    ("work", "awaits"),
    [
        (endless_loop, False),
        (loop_that_catches, False),
        (loop_that_yields, True),
    ],
)
def test_an_endless_run_is_ended(work: Any, awaits: bool) -> None:
    """Endless loops, even those that catch exceptions, and endless waits end after the limit and
    leave no thread behind.
    """
    ran = run(work, awaits=awaits, seconds=0.2)
    assert (ran.endless, ran.left) == (True, False)


@pytest.mark.parametrize("waiting", [nothing_ever_comes, two_for_each_other])
def test_a_deadlock_is_found_at_once(waiting: Any) -> None:
    """When every task waits for something that never happens, the run ends long before its limit,
    and the tasks' stacks show where they wait.
    """
    ran = run(waiting, awaits=True, seconds=60)
    assert isinstance(ran.error, Deadlock)
    places = [
        frame.f_code.co_name for stack in ran.error.waiting for frame in stack
    ]
    assert waiting.__name__ in places


def test_a_slow_end_of_threads_is_no_deadlock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine, the loop's threads take a while to end, which is not an error."""
    end = ThreadPoolExecutor.shutdown

    def slow(pool: ThreadPoolExecutor, wait: bool = True) -> None:
        time.sleep(5 * virtual_loop.REAL)
        end(pool, wait=wait)

    async def work() -> int:
        return await asyncio.to_thread(lambda: 1)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", slow)
    monkeypatch.setattr(virtual_loop, "IDLE", 1)
    ran = run(work, awaits=True)
    assert (ran.value, ran.error) == (1, None)


def test_what_cannot_be_ended_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code that blocks outside of Python is abandoned, and a message says so."""
    monkeypatch.setattr(platform, "TRIES", 2)
    free = threading.Event()
    ran = run(free.wait, seconds=0.1)
    free.set()
    assert (ran.endless, ran.left) == (True, True)


def test_sleeping_takes_no_time_and_measures_exactly() -> None:
    """Async code runs in virtual time: sleeps add up as they should, in parallel and in turn, and
    take no real time.
    """

    async def work() -> float:
        await asyncio.gather(*(asyncio.sleep(60 * n) for n in range(5)))
        await asyncio.sleep(0.25)
        return asyncio.get_running_loop().time()

    assert run(work, awaits=True).value == pytest.approx(240.25)


def test_the_smallest_sleep_moves_the_time() -> None:
    """Every timer is a microsecond late, like a real one. So a sleep that floating point would lose
    moves the time, a loop around it ends, and a wait never turns out too short.
    """

    async def work() -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(7)
        while loop.time() < 7.001:
            await asyncio.sleep(1e-16)
        return loop.time()

    assert run(work, awaits=True, seconds=10).value == pytest.approx(
        7.001, abs=1e-5
    )


def test_work_in_a_thread_is_waited_for() -> None:
    """Virtual time does not advance while another thread is working."""

    async def work() -> str:
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(
                lambda: (time.sleep(0.05), "done")[1]
            )

    assert run(work, awaits=True).value == "done"


def test_a_timeout_comes_at_its_virtual_time() -> None:
    """asyncio.timeout works in virtual time."""

    async def work() -> None:
        async with asyncio.timeout(30):
            await asyncio.sleep(31)

    assert isinstance(run(work, awaits=True).error, TimeoutError)


@pytest.mark.parametrize(
    "value", [one, lambda: [1, one(), one()], lambda: {"a": one()}]
)
def test_a_coroutine_that_comes_back_is_noticed(value: Any) -> None:
    """A coroutine that is returned, alone or inside a value, is named, and Python does not warn
    about it later.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(value).unawaited == "one"


def test_a_call_without_await_is_noticed() -> None:
    """A coroutine that was created but never awaited is named even if the result is right."""

    def work() -> int:
        one()
        return 1

    async def work_async() -> int:
        one()
        return 1

    assert run(work).unawaited == "one"
    assert run(work_async, awaits=True).unawaited == "one"


def test_a_plain_function_where_an_async_one_is_asked_for() -> None:
    """An object that cannot be awaited is reported with a specific error."""
    assert isinstance(run(lambda: 1, awaits=True).error, running.NotAwaitable)


def test_prints_come_through_up_to_a_limit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a learner prints is shown. A flood of output is cut, and a message says so."""
    run(lambda: print("here"))
    assert capsys.readouterr().out == "here\n"
    run(lambda: [print("x" * 99) for _ in range(1000)])
    shown = capsys.readouterr().out
    assert len(shown) < running.PRINTED + 100
    assert shown.endswith("… the rest of the output is not shown.\n")


def test_an_interrupt_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupting the kernel during a check ends the learner's code, and the interrupt
    propagates.
    """
    seen: list[Any] = []
    join = platform.threading.Thread.join

    def interrupted(thread: Any, timeout: float | None = None) -> None:
        if not seen:
            seen.append(thread)
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(platform.threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(endless_loop, seconds=60)
    assert not seen[0].is_alive()
