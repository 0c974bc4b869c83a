"""Checks of chapter 06: errors told apart, requests counted, a breaker, and a retry with everything
that it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from ..retrying import Policy
from ..retrying.classify import OUT_OF_MONEY, RETRIED
from . import error_cases as made
from .answers import api_error, connection_error
from .case import Case, call
from .error_cases import asked_to_wait, broken, retried
from .exercise import exercise
from .untouched import untouched

FOUR = Policy(4)


@exercise(
    stars=1,
    hints=(
        "Neither class nor status tells. The code does, and not every exception has one.",
        "getattr(error, 'code', None) is the code, or None for an exception without one.",
        "return getattr(error, 'code', None) in NO_MONEY",
    ),
)
def out_of_money(rng: Random) -> Iterator[Case]:
    """Whether an error says that the account is empty."""

    def case(error: Exception, expected: bool, why: str = "") -> Case:
        return call(error, expects=expected, why=why, shown=made.error_text(error))

    yield case(
        api_error(429, "You exceeded your current quota.", code="insufficient_quota"),
        True,
    )
    why = "The same class and the same status, and yet it passes by itself: look at the code."
    yield case(
        api_error(429, "Rate limit reached.", code="rate_limit_exceeded"), False, why
    )
    yield case(
        connection_error(), False, "An APIError without an answer: its code is None."
    )
    yield case(made.broken_json(), False, "Not every exception has a code.")
    yield case(
        made.in_stream("insufficient_quota"),
        True,
        "An error in mid-stream has a code, and no status.",
    )
    why = "The message may speak of a quota; the code is what counts."
    yield case(
        api_error(
            429, "Over your quota of requests per minute.", code="rate_limit_exceeded"
        ),
        False,
        why,
    )
    yield case(api_error(429, "Slow down."), False, "A code may be None.")
    for code in ("insufficient_permissions", "quota", "INSUFFICIENT_QUOTA"):
        yield case(
            api_error(429, code=code),
            False,
            "Is the code one of NO_MONEY, letter for letter?",
        )
    for code in rng.sample(OUT_OF_MONEY, len(OUT_OF_MONEY)):
        yield case(
            api_error(rng.choice([400, 402, 403, 429]), code=code),
            True,
            "Whatever the status.",
        )
    yield case(api_error(429, code="tokens_exceeded"), False)
    yield case(
        made.ProxyError(OUT_OF_MONEY[0]),
        True,
        "Whatever the class: another library's error may have a code.",
    )
    yield case(
        api_error(402, code="card_expired"),
        False,
        "The status does not tell, not even a 402.",
    )


@exercise(
    stars=2,
    hints=(
        "Retries in layers multiply. And max_retries counts what comes after the first request.",
        (
            "At the most math.prod(loops) * (1 + max_retries) leave. How many does it take "
            "until one "
            "succeeds?"
        ),
        "return min(math.prod(loops) * (1 + max_retries), failures + 1)",
    ),
)
def requests_sent(rng: Random) -> Iterator[Case]:
    """The HTTP requests of nested retries."""

    def case(
        loops: list[int], max_retries: int, failures: float, why: str = ""
    ) -> Case:
        expected = min(math.prod(loops) * (1 + max_retries), failures + 1)
        return untouched(loops, max_retries, failures, expects=expected, why=why)

    yield case(
        [3],
        2,
        math.inf,
        "max_retries=2 means up to 3 requests for each call; loops count attempts.",
    )
    yield case([3], 2, 0, "The first request succeeds: nobody asks again.")
    yield case([3], 2, 4, "The fifth request succeeds. It is sent, too.")
    yield case([], 2, math.inf, "Without loops there is one call.")
    yield case([], 0, math.inf)
    yield case(
        [3, 3], 2, math.inf, "Each attempt of the outer loop is three of the inner one."
    )
    yield case([3], 2, 9, "There are no more than 9 attempts.")
    yield case([3], 2, 8, "The last attempt of all succeeds.")
    yield case(
        [3, 0],
        2,
        math.inf,
        "A loop of 0 attempts sends nothing, whatever is around it.",
    )
    yield case([2, 1, 3, 2], 1, math.inf, "There may be any number of loops.")
    for _ in range(5):
        loops, retries = (
            [rng.randint(1, 5) for _ in range(rng.randint(1, 3))],
            rng.randint(0, 4),
        )
        yield case(
            loops,
            retries,
            rng.choice([math.inf, rng.randint(0, 60), rng.randint(0, 5)]),
        )


@exercise(
    stars=2,
    hints=(
        (
            "Stop goes before retry: an empty account is a 429, too. And an error in "
            "mid-stream has "
            "no status at all."
        ),
        (
            "Ask in this order: is the code in NO_MONEY, or the status 401, 402, 403? Is there a "
            "status, and is it one "
            "that passes? Is there none, and is it an openai.APIError or a json.JSONDecodeError?"
        ),
        (
            "status = getattr(error, 'status_code', None). When it is None: 'retry' for "
            "isinstance(error, "
            "(openai.APIError, json.JSONDecodeError)), else 'fix'. An APIConnectionError is an "
            "APIError."
        ),
    ),
)
def classify(rng: Random) -> Iterator[Case]:
    """Retry, fix or stop?"""

    def case(error: Exception, expected: str, why: str = "") -> Case:
        return call(error, expects=expected, why=why, shown=made.error_text(error))

    yield case(api_error(500), "retry")
    yield case(api_error(400, code="unsupported_value"), "fix")
    yield case(api_error(401, code="invalid_api_key"), "stop")
    yield case(api_error(429, code="rate_limit_exceeded"), "retry")
    yield case(
        api_error(429, code="insufficient_quota"),
        "stop",
        "Stop goes first: an empty account is a 429, too.",
    )
    yield case(connection_error(), "retry", "No answer, so no status_code.")
    yield case(connection_error(timeout=True), "retry")
    yield case(
        made.in_stream(),
        "retry",
        "An error in mid-stream is a plain APIError: no status, and it may pass.",
    )
    yield case(made.in_stream("insufficient_quota"), "stop", "No status, but a code.")
    yield case(
        made.broken_json(),
        "retry",
        "An answer that is no JSON comes as a json.JSONDecodeError.",
    )
    yield case(
        ValueError("temperature"),
        "fix",
        "A JSONDecodeError is a ValueError, but not the other way round.",
    )
    yield case(
        made.cut_reply(),
        "fix",
        "An OpenAIError, but no APIError: the reply was cut. It would be again.",
    )
    yield case(
        TimeoutError("asyncio.timeout()"),
        "fix",
        "Python's own TimeoutError is none of the SDK's.",
    )
    yield case(
        AttributeError("completion"),
        "fix",
        "A typo in your program passes by no waiting.",
    )
    others = [
        402,
        403,
        404,
        408,
        409,
        413,
        422,
        425,
        502,
        503,
        504,
        529,
        rng.randint(505, 528),
        rng.randint(414, 421),
    ]
    for status in rng.sample(others, len(others)):
        passes = status in RETRIED or status >= 500
        yield case(
            api_error(status),
            "stop" if status in (402, 403) else "retry" if passes else "fix",
        )
    yield case(
        api_error(400, code=OUT_OF_MONEY[1]),
        "stop",
        "A code of NO_MONEY stops, whatever the status.",
    )


@exercise(
    stars=3,
    hints=(
        "Two things are to be remembered: how many failures in a row, and when the last one was.",
        (
            "Open means: limit failures or more, and less than pause seconds since the last one. "
            "Do not set the count "
            "back when the pause is over: then one more failure opens it again by itself."
        ),
        (
            "In call: if self.failures >= self.limit and self.clock.now() < self.until: raise "
            "BreakerOpen. Then try "
            "fn(); on an error with action 'retry' add 1 to failures, set until = now + pause, "
            "and raise; "
            "afterwards failures = 0."
        ),
    ),
)
def Breaker(rng: Random) -> Iterator[Case]:
    """A circuit breaker: it keeps calls away from a server that does not answer."""
    down, wrong, fine = connection_error(), api_error(400), "Paris."
    answered, failed, kept = (
        "returned 'Paris.'",
        "raised APIConnectionError",
        "raised BreakerOpen, fn not called",
    )
    mistaken = "raised BadRequestError"

    yield broken(2, 60, [(0, fine), (0, None)], [answered, "returned None"])
    yield broken(
        2, 60, [(0, down), (0, fine)], [failed, answered], "One failure is not yet two."
    )
    why = "After two failures in a row fn is not called any more."
    yield broken(2, 60, [(0, down), (0, down), (0, fine)], [failed, failed, kept], why)
    yield Case(
        "two breakers, Breaker(1, 60, clock) each: the first one's fn fails, then both are called",
        made.two_breakers,
        [failed, kept, answered],
        "Each breaker counts for itself.",
    )
    why = "In a row: an answer sets the count to 0."
    yield broken(
        2,
        60,
        [(0, down), (0, fine), (0, down), (0, fine)],
        [failed, answered, failed, answered],
        why,
    )
    empty: tuple[Any, ...] = ("", 0, False, [])
    why = "What fn returns is returned, as it is."
    yield broken(
        1,
        60,
        [(0, each) for each in empty],
        [f"returned {each!r}" for each in empty],
        why,
    )
    why = "An answer sets the count to 0, even an empty one."
    steps = [(0, down), (0, ""), (0, down), (0, fine)]
    yield broken(2, 60, steps, [failed, "returned ''", failed, answered], why)
    why = "A 400 is no failure of the server: it comes through, and is not counted."
    yield broken(
        2, 60, [(0, wrong), (0, wrong), (0, fine)], [mistaken, mistaken, answered], why
    )
    why = "A 400 leaves the count as it is: it does not set it to 0 either."
    yield broken(
        2,
        60,
        [(0, down), (0, wrong), (0, down), (0, fine)],
        [failed, mistaken, failed, kept],
        why,
    )
    why = (
        "When the pause has passed, fn is called again: exactly then, too. It counts from the "
        "end of the last failure."
    )
    steps = [(0, down), (59, fine), (1, fine), (0, fine)]
    yield broken(1, 60, steps, [failed, kept, answered, answered], why)
    why = "A failure after the pause opens it again at once, for another pause."
    steps = [(0, down), (0, down), (60, down), (59, fine), (1, fine)]
    yield broken(2, 60, steps, [failed, failed, failed, kept, answered], why)
    why = "The answer after the pause sets the count to 0: it takes two failures to open it anew."
    steps = [(0, down), (0, down), (60, fine), (0, down), (0, fine)]
    yield broken(2, 60, steps, [failed, failed, answered, failed, answered], why)
    why = (
        "A 400 after the pause changes nothing: the next call is tried as well, and one "
        "failure opens it."
    )
    steps = [(0, down), (0, down), (60, wrong), (0, down), (0, fine)]
    yield broken(2, 60, steps, [failed, failed, mistaken, failed, kept], why)
    for _ in range(4):
        limit, pause = rng.randint(1, 4), float(rng.randint(5, 90))
        rows, opened = (
            [(float(rng.randint(0, 2)), down) for _ in range(limit)],
            pause - rng.randint(1, 4),
        )
        ends = [kept, answered] if rng.random() < 0.5 else [kept, failed]
        last = fine if ends[1] == answered else down
        yield broken(
            limit,
            pause,
            [*rows, (opened, fine), (pause - opened, last)],
            [failed] * limit + ends,
        )


@exercise(
    stars=4,
    hints=(
        (
            "Before each wait three things can end it: the error itself, the number of calls, "
            "and the "
            "deadline."
        ),
        (
            "Note clock.now() at the beginning. After a failed call: raise when "
            "judge(error).action is not 'retry' or "
            "it was the last attempt; then ask policy.wait once, and raise when that would end "
            "after the deadline."
        ),
        (
            "for n in range(1, policy.max_attempts + 1): try: return fn(); except Exception as "
            "error: if not to be "
            "repeated: raise; until = clock.now() + policy.wait(n, error, rng); if until is too "
            "late: raise. "
            "Then clock.wait(until)."
        ),
    ),
)
def retry(rng: Random) -> Iterator[Case]:
    """Ask again while it can help: with a limit of attempts, with waits, and with a deadline."""
    oops, slow, flat = (
        api_error(500),
        asked_to_wait(7),
        Policy(10, base=2, jitter=0, factor=1, deadline=9),
    )

    def case(
        *answers: Any, why: str = "", took: float = 0.0, policy: Policy = FOUR
    ) -> Case:
        return retried(answers, policy, rng.randrange(1000), took, why)

    yield case("Paris.", why="It succeeds at once: one call, no wait.")
    yield case(
        oops,
        api_error(503),
        "Paris.",
        why="Ask policy.wait(n, error, rng) once after attempt n; clock.wait().",
    )
    yield case(
        None, why="None is a result like any other. Only an exception is a failure."
    )
    yield case(
        api_error(400), why="Asking again does not help with a 400: raise it at once."
    )
    yield case(
        api_error(429, code="insufficient_quota"),
        why="A 429, but no wait brings money: ask judge.",
    )
    yield case(ValueError("a bug"), why="A bug comes through at once.")
    errors = [api_error(500), api_error(502), connection_error()]
    why = (
        "max_attempts counts calls. The last error is raised, as it is, and nobody waits after "
        "the last call."
    )
    yield case(*errors, why=why, policy=Policy(3))
    yield case(oops, why="One attempt is no retry.", policy=Policy(1))
    yield case(oops, api_error(404), why="Judge each error anew.")
    yield case(
        slow,
        "Paris.",
        why="policy.wait looks for Retry-After in the error: hand over the one that came.",
    )
    why = "This wait would end after the deadline: give up now, not then."
    yield case(asked_to_wait(90), "Paris.", why=why)
    yield case(
        oops,
        why=(
            "The time that fn takes counts, too. A wait that ends exactly at the deadline is "
            "allowed."
        ),
        took=1.0,
        policy=flat,
    )
    why = "A deadline of None is none."
    yield case(
        *[asked_to_wait(90)] * 3, "Paris.", why=why, policy=Policy(5, deadline=None)
    )
    why = "KeyboardInterrupt is no Exception: whoever presses Stop wants to stop."
    yield case(KeyboardInterrupt(), "Paris.", why=why)
    for _ in range(4):
        policy = Policy(
            rng.randint(2, 6),
            base=rng.uniform(0.2, 2),
            cap=rng.uniform(2, 9),
            deadline=rng.uniform(5, 30),
        )
        kinds = [oops, slow, connection_error(), made.in_stream(), made.broken_json()]
        tail = rng.choice(["Paris.", api_error(400), api_error(503)])
        yield case(
            *rng.choices(kinds, k=rng.randint(1, 5)),
            tail,
            policy=policy,
            took=rng.choice([0.0, 0.5, 2.0]),
        )
