"""An exercise: its cases and hints, and the check that a learner calls."""

from __future__ import annotations

import functools
import inspect
import os
import tomllib
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

from ... import progress
from ...course import lesson
from .answers import error_kind
from .case import Case, Function, Misuse, Raises, fits
from .describe import describe
from .learner import line_of, line_waiting, newer_with_syntax_error
from .result import CheckResult, Hint, NotPassed, Status
from .running import SECONDS, NotAwaitable, Ran, run
from .virtual_loop import Deadlock

FIRST = "Hint 1: "
ENDLESS = "It contains a loop that never ends, or it waits for something that never happens."
LEFT = " It could not be stopped: restart the kernel (Kernel > Restart)."
AWAIT = (
    "Calling an async function only creates a coroutine: write await {name}(…)."
)
TEXTS = "exercises.toml"
NONE = "None"  # stands for None in a row, because TOML does not have null


class Chapter:
    """The exercises in one chapter. Their texts and plain cases are in exercises.toml, in the
    folder with the chapter's checks.

    file  the module's ``__file__``; its folder is named after the chapter's stem without the
          number: "basics" for 01_basics
    """

    def __init__(self, file: str) -> None:
        folder = Path(file).parent
        self.stem = lesson(folder.name).stem
        self._exercises = tomllib.loads(
            (folder / TEXTS).read_text(encoding="utf-8")
        )

    def exercise(self, case: Callable[..., Case]) -> Exercise:
        """Turn a function into an exercise. The function makes a case from a row's values and has
        the same name as the learner's function.
        """
        texts = dict(self._exercises[getattr(case, "__name__", "")])
        rows = texts.pop("cases")

        @functools.wraps(case)
        def cases() -> Iterator[Case]:
            return (case(**row_values(row)) for row in rows)

        return Exercise(
            cases, chapter=self.stem, together=self._exercises, **texts
        )


def row_values(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row's values. If the row expects an error, the error becomes ``expects``."""
    values: dict[str, Any] = _with_none(row)
    if "raises" in values:
        kind = error_kind(values.pop("raises"))
        values["expects"] = Raises(kind, tuple(values.pop("says", ())))
    return values


def _with_none(value: Any) -> Any:
    """Return the value with each NONE replaced by None."""
    if isinstance(value, dict):
        return {name: _with_none(item) for name, item in value.items()}
    if isinstance(value, list):
        return list(map(_with_none, value))
    return None if value == NONE else value


@dataclass(repr=False, eq=False)
class Exercise:
    """An exercise's check, to be called with the learner's function.

    make_cases  yields the cases, which are the same each time
    chapter  the chapter's stem; ``together``: the names of all exercises in the chapter
    stars    1 (easy) to 4 (hard); also the exercise's points in nbgrader
    hints    three hints, each giving away more; the first is shown with a case that does not have
             its own remark
    remarks  what to think about, by the observation that did not fit in a case
    awaits   the learner writes an ``async def``, which runs in an event loop with virtual time
    seconds  the time limit of one case: seconds of computing
    """

    make_cases: Callable[[], Iterable[Case]]
    _: KW_ONLY
    chapter: str
    stars: int
    hints: Sequence[str]
    together: Collection[str] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    awaits: bool = False
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        self.name = getattr(self.make_cases, "__name__", "")
        self.__doc__ = self.make_cases.__doc__

    def __call__(self, function: Function) -> CheckResult:
        """Check the function and record a pass. In nbgrader, a function that does not pass raises
        NotPassed.
        """
        result = self.result(function)
        # set by nbgrader: "autograde" or "validate"
        if os.environ.get("NBGRADER_EXECUTION"):
            if not result.passed:
                raise NotPassed(repr(result))
            return result
        if result.passed:
            return replace(
                result,
                notes=tuple(
                    progress.passed_now(self.chapter, self.name) or self._open()
                ),
            )
        if result.status != "not yet":
            progress.failed_now(self.chapter, self.name)
        return result

    def __repr__(self) -> str:
        return (
            f"check.{self.name}: write your function, then run"
            f" check.{self.name}({self.name}). {self._hints()}"
        )

    def hint(self, number: int = 1) -> Hint:
        """Return the first, second, or third hint, each giving away more. Raises ValueError for any
        other number.
        """
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(self._hints())
        return Hint(self.name, number, len(self.hints), self.hints[number - 1])

    def _hints(self) -> str:
        return f"The hints are numbered 1 to {len(self.hints)}: check.{self.name}.hint(1)."

    def cases(self) -> list[Case]:
        """Return all cases, which are the same each time."""
        return list(self.make_cases())

    def result(self, function: Function) -> CheckResult:
        """Try the cases in order, up to the first one that fails."""
        if not callable(function):
            given = (
                f"The check was given {describe(function, 80)}, of type"
                f" {type(function).__name__}."
            )
            return self._without_case(
                "not a function",
                f"{given} Pass the function itself: check.{self.name}(NAME).",
            )
        if error := newer_with_syntax_error(self.name):
            why = (
                f"{error}, so Python still has the older version. Fix the cell, run it,"
                " then check again."
            )
            return self._without_case("old", why)
        cases = self.cases()
        for right, case in enumerate(cases):
            work = functools.partial(case.run, function)
            ran = run(work, awaits=self.awaits, seconds=self.seconds)
            if isinstance(ran.error, NotImplementedError):
                return self._without_case(
                    "not yet",
                    "Write the function, run its cell, and then run this cell again.",
                )
            if not _passes(ran, case):
                failed = self._failed(ran, case, function)
                return replace(failed, cases=len(cases), right=right)
        return CheckResult(
            self.name, "passed", cases=len(cases), right=len(cases)
        )

    def _without_case(self, status: Status, why: str) -> CheckResult:
        return CheckResult(self.name, status, why=why)

    def _failed(self, ran: Ran, case: Case, function: Function) -> CheckResult:
        status, got, why = self._explained(ran, case, function)
        line = line_of(ran.error, function) if ran.error is not None else ""
        if isinstance(ran.error, Deadlock):
            line = line_waiting(ran.error.waiting, function)
        return CheckResult(
            self.name,
            status,
            call=self.name + case.text
            if case.text.startswith("(")
            else case.text,
            expected=(
                describe(case.expected)
                if isinstance(case.expected, Raises)
                else case.show(case.expected)
            ),
            got=got,
            line=line,
            why=why,
            advice=f"More: check.{self.name}.hint({2 if why.startswith(FIRST) else 1})",
        )

    def _explained(
        self, ran: Ran, case: Case, function: Function
    ) -> tuple[Status, str, str]:
        """Return the status, what the case got, and what to think about."""
        why = case.remark(ran.value, self.remarks) or FIRST + self.hints[0]
        if ran.endless:
            got = f"nothing within {self.seconds:g} seconds"
            return "endless", got, ENDLESS + (LEFT if ran.left else "")
        if isinstance(ran.error, Deadlock):
            return (
                "endless",
                "nothing: every task is waiting",
                "What it waits for never happens.",
            )
        if isinstance(ran.error, NotAwaitable):
            return (
                "not awaited",
                "a function without async",
                f"Begin it with: async def {self.name}(…)",
            )
        if ran.unawaited:
            got = f"a coroutine ({ran.unawaited}) that was never awaited"
            fix = AWAIT.format(name=ran.unawaited)
            if inspect.iscoroutinefunction(function) and not self.awaits:
                fix = (
                    f"{self.name} must be a plain function: def, not async def."
                )
            return "not awaited", got, fix
        if isinstance(ran.error, Misuse):
            return "wrong", ran.error.text, ran.error.why
        if ran.error is not None:
            got = f"{type(ran.error).__name__}: {error_text(ran.error)}"
            raises = isinstance(case.expected, Raises)
            return "wrong" if raises else "error", got, why
        if inspect.isgenerator(ran.value):
            return (
                "wrong",
                describe(ran.value),
                "A function with yield only creates a generator. Use return.",
            )
        if ran.value is None and case.expected is not None and not case.why:
            why += (
                " (Nothing was returned: does every path end in return? print()"
                " does not return anything.)"
            )
        return "wrong", case.show(ran.value), why

    def _open(self) -> list[str]:
        """Return how many exercises in the chapter are done, and which are not; nothing if progress
        is not saved.
        """
        if progress.place() is None:
            return []
        passed, names = (
            progress.read()["passed"].get(self.chapter, []),
            self.together,
        )
        left = [name for name in names if name not in passed]
        if not left:
            return [f"All {len(names)} exercises in this chapter are done."]
        done = (
            f"{len(names) - len(left)} of {len(names)} exercises in this chapter are"
            " done."
        )
        return [f"{done} Open: {', '.join(left)}."]


def _passes(ran: Ran, case: Case) -> bool:
    if ran.endless or ran.unawaited:
        return False
    if isinstance(case.expected, Raises):
        return ran.error is not None and case.expected.fits(ran.error)
    return ran.error is None and fits(ran.value, case.expected)


def error_text(error: BaseException) -> str:
    """Return an error's message, shortened. Never raises."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  a learner's __str__ can raise anything
        return "?"
    return text if len(text) <= 300 else f"{text[:300]} …"
