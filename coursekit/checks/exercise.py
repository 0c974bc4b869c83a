"""An exercise: its cases and hints, and the check that a learner calls."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..course import lesson
from . import progress
from .case import Case, Function, Raises, expectation, fits
from .describe import describe
from .learner import line_of, newer_with_syntax_error
from .result import NotPassed, Outcome, Verdict
from .running import SECONDS, NotAwaitable, Ran, run
from .shows import Hint

FIRST = "Hint 1: "

Cases = Callable[[random.Random], Iterable[Case]]


class Exercise:
    """Call it with the learner's function; see ``exercise`` for what it is made of."""

    def __init__(
        self,
        cases: Cases,
        *,
        stars: int,
        hints: tuple[str, str, str],
        awaits: bool,
        seconds: float,
    ) -> None:
        self.name = getattr(cases, "__name__", "")
        self.__doc__ = cases.__doc__
        self.chapter = lesson(cases.__module__.rpartition(".")[2]).stem
        self.stars, self.hints, self.awaits, self.seconds = (
            stars,
            hints,
            awaits,
            seconds,
        )
        self._cases = cases

    def __call__(self, function: Function) -> Verdict:
        """Check the function, show the verdict, and note a pass. Under nbgrader what is not passed
        raises NotPassed.
        """
        verdict = self.verdict(function)
        if os.environ.get(
            "NBGRADER_EXECUTION"
        ):  # set by nbgrader: "autograde" or "validate"
            if not verdict.passed:
                raise NotPassed(repr(verdict))
            return verdict
        if verdict.passed:
            return self._noted(verdict)
        if verdict.outcome != "not yet":
            progress.note_failed(self.chapter, self.name)
        return verdict

    def __repr__(self) -> str:
        return (
            f"check.{self.name}: write your function, then check.{self.name}({self.name}). "
            f"{self._hints()}"
        )

    def hint(self, number: int = 1) -> Hint:
        """The first, second or third hint, each telling more. Raises ValueError for another
        number.
        """
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(self._hints())
        return Hint(self.name, number, len(self.hints), self.hints[number - 1])

    def _hints(self) -> str:
        return f"There are the hints 1 to {len(self.hints)}: check.{self.name}.hint(1)."

    def cases(self) -> list[Case]:
        """All cases, the same each time: random ones are drawn from the exercise's own seed."""
        return list(self._cases(random.Random(f"{self.chapter}/{self.name}")))

    def verdict(self, function: Function) -> Verdict:
        """Try the cases in order, up to the first that is not passed."""
        if not callable(function):
            came = f"You gave the check {describe(function, 80)}, a {type(function).__name__}."
            return self._told(
                "not a function",
                why=f"{came} Give it the function itself: check.{self.name}(NAME).",
            )
        if error := newer_with_syntax_error(self.name):
            why = (
                f"{error}. So Python still has the older version. Mend the cell, run it, then "
                "check again."
            )
            return self._told("old", why=why)
        cases = self.cases()
        for right, case in enumerate(cases):
            verdict = self._tried(function, case, right, len(cases))
            if verdict is not None:
                return verdict
        return self._told("passed", cases=len(cases), right=len(cases))

    def _tried(
        self, function: Function, case: Case, right: int, cases: int
    ) -> Verdict | None:
        """None when the case is passed."""
        ran = run(lambda: case.run(function), awaits=self.awaits, seconds=self.seconds)
        if isinstance(ran.error, NotImplementedError):
            return self._told(
                "not yet",
                why="Write the function, run its cell, then run this one again.",
            )
        if (
            ran.error is None
            and not ran.endless
            and not ran.unawaited
            and not isinstance(case.expected, Raises)
        ):
            if fits(ran.value, case.expected):
                return None
        elif (
            isinstance(case.expected, Raises)
            and ran.error is not None
            and case.expected.fits(ran.error)
        ):
            return None
        outcome, came, why = self._explained(ran, case, function)
        return self._told(
            outcome,
            cases=cases,
            right=right,
            given=self.name + case.given if case.given.startswith("(") else case.given,
            expected=expectation(case.expected),
            came=came,
            where=line_of(ran.error, function) if ran.error is not None else "",
            why=why,
            advice=f"More: check.{self.name}.hint({2 if why.startswith(FIRST) else 1})",
        )

    def _explained(
        self, ran: Ran, case: Case, function: Function
    ) -> tuple[Outcome, str, str]:
        """The outcome, what came, and what to think about."""
        why = case.why or FIRST + self.hints[0]
        if ran.endless:
            left = (
                " It could not be stopped: restart the kernel (Kernel > Restart)."
                if ran.left
                else ""
            )
            loop = (
                "A loop in it never ends, or it waits for something that never comes."
            )
            return "endless", f"nothing within {self.seconds:g} seconds", loop + left
        if isinstance(ran.error, NotAwaitable):
            return (
                "not awaited",
                "a function without async",
                f"Begin it with: async def {self.name}(…)",
            )
        if ran.unawaited:
            call = (
                "Calling an async function only makes a coroutine: write await "
                f"{ran.unawaited}(…)."
            )
            if inspect.iscoroutinefunction(function) and not self.awaits:
                call = (
                    f"{self.name} is asked for as a plain function: def, not async def."
                )
            return (
                "not awaited",
                f"a coroutine ({ran.unawaited}) that nobody awaits",
                call,
            )
        if ran.error is not None:
            outcome: Outcome = "wrong" if isinstance(case.expected, Raises) else "error"
            return (
                outcome,
                f"{type(ran.error).__name__}: {describe_error(ran.error)}",
                why,
            )
        if ran.value is None and case.expected is not None and not case.why:
            why += " (Nothing came back: does every path end in return? print() only shows.)"
        if inspect.isgenerator(ran.value):
            why = "With yield in it, a call only makes a generator. Use return."
        return "wrong", describe(ran.value), why

    def _told(self, outcome: Outcome, **more: object) -> Verdict:
        return Verdict(self.name, outcome, **more)  # type: ignore[arg-type]

    def _noted(self, verdict: Verdict) -> Verdict:
        """The same verdict, with what the learner should know of the progress just kept."""
        notes = progress.note(self.chapter, self.name)
        if not notes and progress.place() is not None:
            notes = [self._progress()]
        return replace(verdict, notes=tuple(notes))

    def _progress(self) -> str:
        from .course_map import exercises_of

        names, done = (
            [each.name for each in exercises_of(self.chapter)],
            progress.passed().get(self.chapter, []),
        )
        left = [name for name in names if name not in done]
        if not left:
            return f"All {len(names)} exercises of this chapter are done."
        return (
            f"{len(names) - len(left)} of {len(names)} exercises of this chapter are done. "
            f"Open: {', '.join(left)}."
        )


def exercise(
    *,
    stars: int,
    hints: tuple[str, str, str],
    awaits: bool = False,
    seconds: float = SECONDS,
) -> Callable[[Cases], Exercise]:
    """Make an exercise of a function that yields its cases; the function's name is that of the
    learner's function.

    stars    1 (easy) to 4 (hard); also its points under nbgrader
    hints    three, each telling more than the one before; the first is shown with a case that has
             no ``why``
    awaits   the learner writes an ``async def``
    seconds  the time limit of one case, in real seconds

    The decorated function gets a ``random.Random`` with a fixed seed; its docstring says in one
    line what is asked for.
    """
    return lambda cases: Exercise(
        cases, stars=stars, hints=hints, awaits=awaits, seconds=seconds
    )


def describe_error(error: BaseException) -> str:
    """An error's message, shortened. Never raises."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  a learner's __str__ can do anything
        return "?"
    return text if len(text) <= 300 else f"{text[:300]} …"
