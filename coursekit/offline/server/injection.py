"""Faults put into a running server from outside: for one learner or for all, for a time."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, replace

from ..clock import Clock
from ..exchange import ApiAnswer, ApiRequest, Layer
from ..faults import Fault, Faults
from ..standard_headers import StandardHeaders

MOST = 100  # injections at a time


@dataclass(frozen=True, slots=True)
class Injection:
    """``fault`` strikes ``learner`` (None: all of them, each counted alone) until ``until`` on the
    server's clock.
    """

    number: int
    fault: Fault
    learner: str | None
    until: float


class Injections:
    """What is injected at the moment, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._numbers = itertools.count(1)
        self._all: tuple[Injection, ...] = ()

    def add(
        self, fault: Fault, learner: str | None, seconds: float
    ) -> Injection:
        """Raises ValueError if there are too many already."""
        if len(self.now()) >= MOST:
            raise ValueError(
                f"There are {MOST} faults already. Stop some of them first."
            )
        injection = Injection(
            next(self._numbers), fault, learner, self.clock.now() + seconds
        )
        self._all = (*self._all, injection)
        return injection

    def lift(self, number: int | None = None) -> list[Injection]:
        """End one of them, or all; returns those that were still at work."""
        lifted = [
            injection
            for injection in self.now()
            if number in (None, injection.number)
        ]
        self._all = tuple(
            injection for injection in self._all if injection not in lifted
        )
        return lifted

    def rename(self, old: str, new: str) -> None:
        """A learner has another name: their faults stay theirs."""
        self._all = tuple(
            replace(each, learner=new) if each.learner == old else each
            for each in self._all
        )

    def now(self, learner: str | None = None) -> tuple[Injection, ...]:
        """Those that are at work: all, or those that strike a learner."""
        if self._all and any(
            injection.until <= self.clock.now() for injection in self._all
        ):
            self._all = tuple(
                injection
                for injection in self._all
                if injection.until > self.clock.now()
            )
        if learner is None or not self._all:
            return self._all
        return tuple(
            injection
            for injection in self._all
            if injection.learner in (None, learner)
        )


class Injected:
    """A learner's offline API, behind the faults that are injected for them.

    rng  decides where a fault has a probability, and makes the request ids of its answers
    """

    def __init__(
        self,
        inner: Layer,
        injections: Injections,
        learner: str,
        rng: random.Random,
    ) -> None:
        self.inner, self.injections, self.learner, self.rng = (
            inner,
            injections,
            learner,
            rng,
        )
        self._layers: dict[Injection, Faults] = {}
        self._lock = threading.Lock()

    def answer(self, request: ApiRequest) -> ApiAnswer:
        at_work = self.injections.now(self.learner)
        return (
            self._behind(at_work).answer(request)
            if at_work
            else self.inner.answer(request)
        )

    def _behind(self, at_work: tuple[Injection, ...]) -> Layer:
        """The layers of the faults at work, the oldest outermost. Each keeps its count as long as
        it is at work.
        """
        with self._lock:
            earlier, layer = self._layers, self.inner
            self._layers = {
                i: earlier.get(i) or Faults(self.inner, [i.fault], self.rng)
                for i in at_work
            }
            for injection in reversed(at_work):
                self._layers[injection].inner, layer = (
                    layer,
                    self._layers[injection],
                )
            return StandardHeaders(layer, self.rng)
