"""What a browser does not have: messages about it, locks, and a time limit without threads."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from coursekit import connect, join, settings
from coursekit.foundation import platform
from coursekit.foundation.platform import (
    Locked,
    NotInBrowser,
    RunEnd,
    file_lock,
)
from coursekit.foundation.wheels import Wheel, WheelFinder
from coursekit.tokenizer import ENCODINGS, InBrowser, encode

HARD = [
    "",
    " ",
    "a\n\n b",
    "don't DON'T I'LL",
    "Straße 東京 🦥👩‍🚀",
    "1234567 x=+-*/",
    "\t\r\n \u00a0x",
    "e\u0301é",
]


@pytest.fixture
def in_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "IN_BROWSER", True)


def endless() -> None:
    while True:
        pass


def endless_recursion() -> None:
    def again() -> None:
        again()

    while True:
        with contextlib.suppress(RecursionError):
            again()


def endless_iterator() -> None:
    for _ in iter(int, 1):
        pass


def endless_in_a_loop() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    asyncio.run(spin())


def storing(
    work: Callable[[], Any], errors: list[BaseException]
) -> Callable[[], None]:
    def stored() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    return stored


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12"
)
@pytest.mark.parametrize(
    "work", [endless, endless_recursion, endless_iterator, endless_in_a_loop]
)
@pytest.mark.usefixtures("in_browser")
async def test_an_endless_loop_ends_without_threads(
    work: Callable[[], None],
) -> None:
    """Even without threads, endless work is stopped, and the event loop around it keeps running."""
    errors: list[BaseException] = []
    task = asyncio.current_task()
    assert platform.run_apart(storing(work, errors), 0.1) is RunEnd.STOPPED
    assert isinstance(errors[0], platform.Stop)
    assert asyncio.current_task() is task
    await asyncio.sleep(0)


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12"
)
@pytest.mark.parametrize(
    ("calls", "end"), [(10, RunEnd.DONE), (20, RunEnd.STOPPED)]
)
@pytest.mark.usefixtures("in_browser")
def test_a_busy_machine_is_waited_for_without_threads(
    calls: int, end: RunEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without threads, work that hardly gets any CPU time gets three times its limit, as it does
    with threads.
    """
    seconds = itertools.count()  # each look at the clock is a second later
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr(platform, "time", clock)

    def work() -> None:
        for _ in range(calls // 2):  # one call and one turn of the loop each
            int_of(0)

    assert platform.run_apart(work, 5) is end


def int_of(number: int) -> int:
    return number


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring came with Python 3.12"
)
@pytest.mark.usefixtures("in_browser")
async def test_work_within_the_limit_runs_as_ever() -> None:
    """Without threads, work runs in its own event loop, next to the one that is running."""
    done: list[int] = []
    assert (
        platform.run_apart(lambda: done.append(asyncio.run(_one())), 5)
        is RunEnd.DONE
    )
    assert done == [1]


async def _one() -> int:
    await asyncio.sleep(0)
    return 1


def test_a_lock_is_held_and_waited_for(tmp_path: Path) -> None:
    """A second holder waits for the lock, and gives up with a message that names the file."""
    path = tmp_path / "a.lock"
    with (
        file_lock(path, 1),
        pytest.raises(Locked, match=r"has locked .*a\.lock for more than 0 s"),
        file_lock(path, 0),
    ):
        pass


@pytest.mark.usefixtures("in_browser")
def test_a_browser_needs_no_lock(tmp_path: Path) -> None:
    """In a browser, there is only one process, so a lock is not a file, and nothing waits for
    it.
    """
    path = tmp_path / "a.lock"
    with file_lock(path, 1), file_lock(path, 0):
        assert not path.exists()


@pytest.mark.usefixtures("in_browser")
@pytest.mark.parametrize(
    ("call", "begins"),
    [
        (
            lambda: connect("live", api_key="k"),
            "Live and record mode are not available",
        ),
        (
            lambda: connect("record", api_key="k"),
            "Live and record mode are not available",
        ),
        (
            lambda: connect(fallback="http://127.0.0.1:1/v1"),
            "Local models and fallback servers are not",
        ),
        (
            lambda: connect(local_model=True),
            "Local models and fallback servers are not",
        ),
        (
            lambda: join("Ada", "http://127.0.0.1:1"),
            "Class servers are not available",
        ),
    ],
)
def test_what_a_page_cannot_do_says_so(
    call: Callable[[], Any], begins: str
) -> None:
    """Live mode, fallbacks, and classes say why a browser does not have them and what to do, and
    nothing is sent.
    """
    with pytest.raises(NotInBrowser) as caught:
        call()
    assert str(caught.value).startswith(begins)
    assert "Nothing was sent.\n" in str(caught.value)
    assert str(caught.value).endswith(
        "install the course on your own computer (its README says how)."
    )


def test_the_browser_edition_has_no_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings are read only from the environment, because a page has no place for a key."""
    monkeypatch.delenv("PYTHON_DOTENV_DISABLED", raising=False)
    (tmp_path / ".env").write_text("SOME_SETTING=here\n")
    monkeypatch.chdir(tmp_path)
    assert settings.settings()["SOME_SETTING"] == "here"
    monkeypatch.setattr(settings, "IN_BROWSER", True)
    assert "SOME_SETTING" not in settings.settings()


def test_asyncio_run_refuses_a_running_loop() -> None:
    """On a page, as in any notebook, asyncio.run() raises, and the coroutine can still be
    awaited.
    """
    pyodides = platform.refusing_a_running_loop(lambda main: "started")
    assert pyodides(None) == "started"

    async def cell() -> int:
        async def one() -> int:
            return 1

        call = one()
        with pytest.raises(RuntimeError, match="from a running event loop"):
            pyodides(call)
        return await call

    assert asyncio.run(cell()) == 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_browser_finds_the_same_tokens(encoding: str) -> None:
    """The browser edition's encoder gives the same tokens as tiktoken, and the same bytes."""
    pure = InBrowser(encoding)
    for text in HARD:
        ids = encode(text, encoding)
        assert pure.encode_ordinary(text) == ids, text
        assert b"".join(pure.decode_tokens_bytes(ids)) == text.encode()


@pytest.fixture
def site_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty folder to install in. Modules imported from it are removed afterward."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_wheel_is_loaded_when_it_is_imported(site_packages: Path) -> None:
    """A wheel is downloaded once, at the first import of one of its modules. Its version is known
    before that.
    """
    fetched = []

    def fetch(file: str) -> bytes:
        fetched.append(file)
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as wheel:
            wheel.writestr("ck_first/__init__.py", "")
            wheel.writestr("ck_first/inner.py", "VALUE = 1")
            wheel.writestr("ck_second.py", "VALUE = 2")
        return content.getvalue()

    wheels = [
        Wheel("Ck-One", "1.2", "a.whl", ["ck_first", "ck_second"]),
        Wheel("ck-two", "3", "b.whl", ["ck_third"]),
    ]
    sys.meta_path.append(WheelFinder(wheels, fetch, site_packages))
    assert metadata.version("ck_one") == "1.2"
    assert fetched == []
    assert import_module("ck_first.inner").VALUE == 1
    assert import_module("ck_second").VALUE == 2
    with pytest.raises(ModuleNotFoundError):
        import_module("ck_fourth")
    assert fetched == ["a.whl"]


def test_a_wheel_that_cannot_be_had_says_so(site_packages: Path) -> None:
    """Without a network, an import fails with the reason and what to do, and the next import tries
    again.
    """

    def fetch(file: str) -> bytes:
        raise OSError(f"{file} cannot be reached")

    wheel = Wheel("ck-x", "1", "x.whl", ["ck_x"])
    sys.meta_path.append(WheelFinder([wheel], fetch, site_packages))
    for _ in range(2):
        with pytest.raises(
            ImportError, match=r"ck-x could not .* x\.whl cannot be reached\."
        ) as caught:
            import_module("ck_x")
        assert "run the cell again" in str(caught.value)


def test_the_limit_is_one_of_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work ends when its own CPU time has reached the limit. If other processes use the machine, it
    gets more real time, but not indefinitely.
    """
    work = storing(endless, [])
    counted = itertools.count()
    monkeypatch.setattr(platform.time, "process_time", lambda: next(counted))
    assert platform.run_apart(work, 1) is RunEnd.STOPPED
    monkeypatch.setattr(platform.time, "process_time", lambda: 0.0)
    assert platform.run_apart(work, 0.1) is RunEnd.STOPPED
