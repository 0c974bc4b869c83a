"""What the platform supports: threads, processes, sockets, and file locks. A browser has none of
them.

In the browser edition (deploy/browser), Python runs inside the page, compiled to WebAssembly. The
differences are handled here: other modules call these functions or read ``IN_BROWSER``.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Any

IN_BROWSER = sys.platform == "emscripten"
# in JupyterLite: the folder for files that the browser stores
STORAGE = Path("/drive")
INSTALL = "install the course on your own computer (its README says how)"
# attempts to stop work that ignores the limit; seconds between two attempts
TRIES, PAUSE = 10, 0.1
BUSY = 3  # real seconds for each second of the limit, on a machine that is also doing other work
# Calls and loop iterations in a second of computing, at the pace of a slow tablet. A browser does
# not have a clock for computing time.
TURNS = 200_000


class RunEnd(Enum):
    """How work with a time limit ended; ``LEFT``: the work could not be stopped and is still
    running.
    """

    DONE = auto()
    STOPPED = auto()
    LEFT = auto()


def refusing_a_running_loop(run: Callable[..., Any]) -> Callable[..., Any]:
    """Run a coroutine as asyncio.run() does in CPython. Pyodide's version would start it in the
    running loop instead.
    """

    @functools.wraps(run)
    def checked(main: Any, **options: Any) -> Any:
        if asyncio._get_running_loop() is not None:
            raise RuntimeError(
                "asyncio.run() cannot be called from a running event loop"
            )
        return run(main, **options)

    return checked


if sys.platform == "emscripten":
    # For every plain OpenAI(), httpx2 warns that a page has no connection pool. A page does not
    # need one.
    warnings.filterwarnings(
        "ignore", message="The following transport option", module="httpx2"
    )

    class EventLoop(asyncio.SelectorEventLoop):
        """An event loop without the pipe that threads use to wake it, because there are no
        threads.
        """

        def _make_self_pipe(self) -> None: ...
        def _close_self_pipe(self) -> None: ...
        def _write_to_self(self) -> None: ...

        def run_in_executor(
            self, executor: Any, func: Callable[..., Any], *args: Any
        ) -> asyncio.Future[Any]:
            """Call the function right here, and return a future that is done."""
            future = self.create_future()
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001  it is raised where the future is awaited
                future.set_exception(error)
            return future

    def _load_on_import() -> asyncio.Future[None]:
        """Let ``WheelFinder`` load what Pyodide has not loaded, and fetch the wheels in advance.

        A page therefore does not need the network once the first cell has run.
        """
        from site import getsitepackages

        import pyodide_js
        from js import XMLHttpRequest
        from pyodide.ffi import JsException
        from pyodide.http import pyfetch

        from .wheels import Wheel, WheelFinder

        place = pyodide_js.lockfileBaseUrl
        loaded = pyodide_js.loadedPackages
        wheels = [
            Wheel(
                package["name"],
                package["version"],
                package["file_name"],
                package["imports"],
            )
            for package in pyodide_js.lockfile.packages.to_py().values()
            if not hasattr(loaded, package["name"])
        ]
        for wheel in wheels:
            # Pyodide does not reload what is loaded, so each wheel is loaded in only one way.
            setattr(loaded, wheel.name, "on import")

        fetched: dict[str, bytes] = {}

        async def fetch_all() -> None:
            with contextlib.suppress(OSError, JsException):
                for wheel in wheels:
                    answer = await pyfetch(place + wheel.file)
                    fetched[wheel.file] = await answer.bytes()

        def fetch(file: str) -> bytes:
            if file in fetched:
                return fetched.pop(file)
            request = XMLHttpRequest.new()
            request.open("GET", place + file, False)  # a worker may wait for it
            request.responseType = "arraybuffer"
            try:
                request.send()
            except JsException as error:
                raise OSError(f"{place}{file} cannot be reached") from error
            if request.status != 200:
                raise OSError(f"{place}{file} returned status {request.status}")
            content: bytes = request.response.to_bytes()
            return content

        site_packages = Path(getsitepackages()[0])
        sys.meta_path.append(WheelFinder(wheels, fetch, site_packages))
        return asyncio.ensure_future(fetch_all())

    FETCHING = _load_on_import()
    asyncio.run = refusing_a_running_loop(asyncio.run)

else:
    EventLoop = asyncio.SelectorEventLoop


class NotInBrowser(RuntimeError):
    """This part of the course needs the learner's own computer; nothing was sent."""


class Locked(OSError):
    """Another process held the lock for longer than the caller was willing to wait."""


class Stop(SystemExit):
    """Raised inside work that has reached its limit. Because it is a SystemExit, `except Exception`
    and asyncio let it pass.
    """


def refuse_in_browser(what: str, why: str, instead: str) -> None:
    """Raise NotInBrowser in the browser edition; do nothing elsewhere.

    what     a plural that begins the message: "Class servers"
    why      a clause that completes "… because"
    instead  an alternative in the browser, as an imperative
    """
    if IN_BROWSER:
        raise NotInBrowser(
            f"{what} are not available in the browser edition, because {why}. Nothing was sent.\n"
            f"{instead[:1].upper()}{instead[1:]}, or {INSTALL}."
        )


@contextlib.contextmanager
def file_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock that other processes on this machine respect. A browser does not have or need
    one.

    path     the lock file's path, in a folder that exists
    seconds  how long to wait for another holder before raising Locked
    """
    if IN_BROWSER:
        yield
        return
    from filelock import FileLock, Timeout

    try:
        with FileLock(path, timeout=seconds):
            yield
    except Timeout as error:
        raise Locked(
            f"another program has locked {path} for more than {seconds:g} s"
        ) from error


def run_apart(work: Callable[[], None], seconds: float) -> RunEnd:
    """Run ``work`` apart from the caller's event loop, with a time limit: ``seconds`` of computing
    in this process, and ``BUSY`` times as many real seconds.

    If there are threads, the work has its own thread, which works on every system, lets the caller
    give up (signals would need Unix and the main thread), and does not have an event loop yet.
    Without threads, the work runs here, the running event loop is set aside, and Python's own
    monitoring checks the time at each call and each loop iteration. In this case, a second of
    computing is a second that has passed and in which ``TURNS`` calls and iterations were possible.

    Work that blocks outside Python, or catches everything, is abandoned in its thread. Without
    threads, it cannot be abandoned, and ``run_apart`` does not return. An exception in ``work`` is
    lost, so ``work`` has to catch it.
    """
    run = _run_here if IN_BROWSER else _run_in_thread
    return run(work, seconds)


def _run_in_thread(work: Callable[[], None], seconds: float) -> RunEnd:
    thread = threading.Thread(
        target=work, name="a learner's function", daemon=True
    )
    thread.start()
    computed, started = time.process_time(), time.monotonic()
    left = seconds
    try:
        while left > 0 and thread.is_alive():
            thread.join(max(left, 0.01))
            left = min(
                computed + seconds - time.process_time(),
                started + BUSY * seconds - time.monotonic(),
            )
    except KeyboardInterrupt:
        _stop(thread)
        raise
    if not thread.is_alive():
        return RunEnd.DONE
    return RunEnd.STOPPED if _stop(thread) else RunEnd.LEFT


def _stop(thread: threading.Thread) -> bool:
    """Raise ``Stop`` in the thread until it ends. Returns whether it has ended."""
    for _ in range(TRIES):
        if thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(Stop)
            )
        thread.join(PAUSE)
        if not thread.is_alive():
            return True
    return False


def _run_here(work: Callable[[], None], seconds: float) -> RunEnd:
    monitoring: Any = vars(sys)["monitoring"]  # since Python 3.12
    tool = next(
        number for number in range(6) if monitoring.get_tool(number) is None
    )
    started, turns, pause, stopped = time.monotonic(), 0, 0.0, False

    def look(*_: object) -> None:
        nonlocal turns, pause, stopped
        turns += 1
        passed = time.monotonic() - started - pause
        busy = passed < BUSY * seconds and turns < TURNS * seconds
        if passed > seconds and not busy:
            # code that catches Stop is stopped again a little later
            pause, stopped = pause + PAUSE, True
            raise Stop

    events = monitoring.events.JUMP | monitoring.events.PY_START
    monitoring.use_tool_id(tool, "coursekit time limit")
    monitoring.register_callback(tool, monitoring.events.JUMP, look)
    monitoring.register_callback(tool, monitoring.events.PY_START, look)
    try:
        with _no_running_loop():
            monitoring.set_events(tool, events)
            try:
                work()
            finally:
                monitoring.set_events(tool, 0)
    except Stop:
        stopped = True
    finally:
        monitoring.free_tool_id(tool)
    return RunEnd.STOPPED if stopped else RunEnd.DONE


@contextlib.contextmanager
def _no_running_loop() -> Iterator[None]:
    """Set the running event loop and its current task aside, so that another loop can run here."""
    loop = asyncio._get_running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    if loop is not None and task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if loop is not None and task is not None:
            asyncio.tasks._enter_task(loop, task)
