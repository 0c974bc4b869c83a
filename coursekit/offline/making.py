"""An answer that is still being made, in another thread: how the layers pass it on, and how a door waits for it.

A layer that answers slowly gives an ``ApiAnswer`` with ``making`` instead of waiting. The layers outside add headers to
it and put changes off until it is there (``ApiAnswer.then``), so that none of them ever waits. The door does, in its
own way. Seconds are real ones: nothing makes a model faster than it is.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from ..local_model import Engine, Job
from ..local_model.engine import END
from .exchange import ApiAnswer, Event


class Outlet(Protocol):
    """Where what is made goes to."""

    @property
    def left(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def put(self, item: Any) -> object: ...


Passed = Callable[[], float]  # the seconds since the door has begun to wait
Change = Callable[[ApiAnswer], ApiAnswer]
# Makes an answer with the loaded model: hands on an ApiAnswer, whole, or the head of a stream (its events are ()) and
# then each Event.
Write = Callable[[Any, Outlet, Passed], None]


class Making:
    """One answer in the making. It begins when somebody waits for it, and belongs to whoever does.

    engine   whose model writes it
    write    writes it, in the engine's thread
    changes  made to the whole answer; with any, nothing is handed on before all of it is there
    """

    def __init__(self, engine: Engine, write: Write, changes: tuple[Change, ...] = ()) -> None:
        self.engine, self.write, self.changes = engine, write, changes
        self._job: Job | None = None

    def then(self, change: Change) -> Making:
        """The same answer, with a further change."""
        return Making(self.engine, self.write, (*self.changes, change))

    def head(self, pending: ApiAnswer, seconds: float) -> ApiAnswer:
        """The answer; of a stream its head, whose ``making`` gives the events. Raises TimeoutError.

        pending  the answer as the layers have passed it on: its headers are added
        """
        with self._or_leave():
            return self._headed(pending, self._begun().get(seconds))

    async def head_async(self, pending: ApiAnswer, seconds: float) -> ApiAnswer:
        """As ``head``, without blocking the event loop."""
        with self._or_leave():
            return self._headed(pending, await self._begun().get_async(seconds))

    def events(self, seconds: float) -> Iterator[Event]:
        """The events of a stream after its head, ``seconds`` apart at most. Raises TimeoutError."""
        with self._or_leave():
            while (item := self._begun().get(seconds)) is not END:
                yield item

    async def events_async(self, seconds: float) -> AsyncIterator[Event]:
        """As ``events``, without blocking the event loop."""
        with self._or_leave():
            while (item := await self._begun().get_async(seconds)) is not END:
                yield item

    def settled(self, pending: ApiAnswer, seconds: float) -> ApiAnswer:
        """All of the answer. Raises TimeoutError."""
        head = self.head(pending, seconds)
        return head if head.making is None else replace(head, events=tuple(self.events(seconds)), making=None)

    def leave(self) -> None:
        """Nobody waits any more: the model stops at the next token."""
        if self._job is not None:
            self._job.leave()

    def _begun(self) -> Job:
        if self._job is None:
            start = time.perf_counter()

            def passed() -> float:
                return time.perf_counter() - start

            self._job = self.engine.submit(lambda model, job: self._make(model, job, passed))
        return self._job

    def _make(self, model: Any, job: Job, passed: Passed) -> None:
        """In the engine's thread."""
        if not self.changes:
            self.write(model, job, passed)
            return
        kept = _Kept(job)
        self.write(model, kept, passed)
        head, *events = kept.items
        answer: ApiAnswer = head if head.events is None else replace(head, events=tuple(events))
        for change in self.changes:
            answer = change(answer)
        job.put(answer)

    def _headed(self, pending: ApiAnswer, head: ApiAnswer) -> ApiAnswer:
        making = self if head.events == () else None
        return replace(head, headers={**pending.headers, **head.headers}, making=making)

    @contextlib.contextmanager
    def _or_leave(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # a timeout, a cancelled task, Ctrl+C, a closed iterator
            self.leave()
            raise


class _Kept:
    """An outlet that keeps what it gets."""

    def __init__(self, job: Job) -> None:
        self.job, self.items = job, list[Any]()

    @property
    def left(self) -> bool:
        return self.job.left

    def put(self, item: Any) -> None:
        self.items.append(item)
