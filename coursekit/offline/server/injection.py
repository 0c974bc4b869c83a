"""Faults injected into a running server: for one learner or for all, for a limited time."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, field, replace

from ..clock import Clock
from ..exchange import ApiAnswer, ApiRequest, Layer
from ..faults import Fault, Faults
from ..standard_headers import StandardHeaders

MOST = 100  # injections at a time


@dataclass(frozen=True, slots=True)
class Injection:
    """``fault`` strikes ``learner`` (None: all of them, each counted separately) until ``until`` on
    the server's clock.
    """

    number: int
    fault: Fault
    learner: str | None
    until: float


class Injections:
    """The faults that are injected now, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._numbers = itertools.count(1)
        self._all: tuple[Injection, ...] = ()

    def add(
        self, fault: Fault, learner: str | None, seconds: float
    ) -> Injection:
        """Raises ValueError if there are too many already."""
        at_work = self.now()
        if len(at_work) >= MOST:
            raise ValueError(
                f"There are {MOST} faults already. Stop some of them first."
            )
        until = self.clock.now() + seconds
        injection = Injection(next(self._numbers), fault, learner, until)
        self._all = (*at_work, injection)
        return injection

    def lift(self, number: int | None = None) -> list[Injection]:
        """End one of them, or all; returns those that were still at work."""
        at_work = self.now()
        lifted = [each for each in at_work if number in (None, each.number)]
        self._all = tuple(each for each in at_work if each not in lifted)
        return lifted

    def rename(self, old: str, new: str) -> None:
        """Give the faults meant for a learner their new name."""
        self._all = tuple(
            replace(each, learner=new) if each.learner == old else each
            for each in self._all
        )

    def now(self, learner: str | None = None) -> tuple[Injection, ...]:
        """Those that are at work: all, or those that strike a learner."""
        if not self._all:
            return ()
        now = self.clock.now()
        return tuple(
            each
            for each in self._all
            if each.until > now
            and (learner is None or each.learner in (None, learner))
        )


@dataclass(eq=False)
class Injected:
    """A learner's offline API, behind the faults that are injected for them.

    rng  decides where a fault has a probability, and makes the request ids of its answers
    """

    inner: Layer
    injections: Injections
    learner: str
    rng: random.Random
    _layers: dict[Injection, Faults] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        at_work = self.injections.now(self.learner)
        layer = self._behind(at_work) if at_work else self.inner
        return layer.answer(request)

    def _behind(self, at_work: tuple[Injection, ...]) -> Layer:
        """The layers of these faults, the oldest outermost. Each keeps its count as long as it is
        at work.
        """
        with self._lock:
            earlier, layer = self._layers, self.inner
            self._layers = {}
            for each in reversed(at_work):
                faults = earlier.get(each) or Faults(
                    layer, [each.fault], self.rng
                )
                self._layers[each], faults.inner, layer = faults, layer, faults
            return StandardHeaders(layer, self.rng)
