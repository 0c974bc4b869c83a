"""The model's own thread: it loads the model at the first request, and does one request after the other.

llama.cpp answers one at a time. In a thread of its own it blocks neither the event loop nor Ctrl+C: who asks waits for
items that the thread hands on, and may leave at any time; the thread then stops at the next token.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from .llama import load

SLICE = 0.2  # seconds; Windows tells the main thread of Ctrl+C only between two waits
GOODBYE = 5.0  # seconds for the thread to stop when the program ends
END = object()  # the last item of a job


class Job:
    """One piece of work, and the items that it hands on. One caller waits for them, in a thread or on an event loop.

    work  called in the model's thread with the loaded model and this job, whose ``put`` it uses
    """

    def __init__(self, work: Work) -> None:
        self.work = work
        self.left = False
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._wake: Callable[[], object] = lambda: None

    def put(self, item: Any) -> None:
        """For the model's thread."""
        self._items.put(item)
        with contextlib.suppress(RuntimeError):  # its event loop was closed
            self._wake()

    def leave(self) -> None:
        """For the caller: no more is wanted."""
        self.left = True

    def get(self, seconds: float) -> Any:
        """The next item, END after the last. Raises TimeoutError, or what went wrong in the work."""
        until = time.monotonic() + seconds
        while True:
            wait = min(SLICE, until - time.monotonic())
            try:
                return _item(self._items.get(timeout=max(0.0, wait)))
            except queue.Empty:
                if wait < SLICE:
                    raise TimeoutError from None

    async def get_async(self, seconds: float) -> Any:
        """As ``get``, without blocking the event loop."""
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(arrived.set)
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(queue.Empty):
                    return _item(self._items.get_nowait())
                await arrived.wait()
                arrived.clear()


class Engine:
    """A model and its thread. ``load`` gives the model; it is called in the thread, at the first job."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._model: Any = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._current: Job | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._lock = threading.Lock()

    def submit(self, work: Work) -> Job:
        """Put work at the end of the queue."""
        job = Job(work)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="local-model", daemon=True)
                self._thread.start()
                atexit.register(self.close)
        self._jobs.put(job)
        return job

    def close(self) -> None:
        """Stop the thread: at the next token, where it is at work."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing = True
        self._jobs.put(None)
        if (current := self._current) is not None:
            current.leave()
        thread.join(GOODBYE)
        self._closing = False
        atexit.unregister(self.close)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._current = job
            if not (job.left or self._closing):
                self._do(job)
            self._current = None

    def _do(self, job: Job) -> None:
        try:
            if self._model is None:
                self._model = self._load()
            job.work(self._model, job)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            job.put(_Failure(error))
        else:
            job.put(END)


Work = Callable[[Any, Job], None]


class _Failure:
    def __init__(self, error: Exception) -> None:
        self.error = error


def _item(item: Any) -> Any:
    if isinstance(item, _Failure):
        raise item.error
    return item


@cache
def engine_for(path: Path) -> Engine:
    """The engine of a model's file: one for all clients of this process."""
    return Engine(lambda: load(path))


if hasattr(os, "register_at_fork"):  # a forked process has no thread but its own
    os.register_at_fork(after_in_child=engine_for.cache_clear)
