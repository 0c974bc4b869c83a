"""Answers to the exercises in chapter 06."""

from __future__ import annotations

import json
import math
import random
import time

import openai
from answer_table import right, wrong

from coursekit.retrying import classify as judge
from coursekit.retrying.classify import OUT_OF_MONEY as NO_MONEY


class BreakerOpen(Exception):
    pass


@right("out_of_money")
def with_hasattr(error):
    if not hasattr(error, "code"):
        return False
    return any(error.code == code for code in NO_MONEY)


@right("out_of_money")
def by_try(error):
    try:
        return error.code in set(NO_MONEY)
    except AttributeError:
        return False


@wrong("out_of_money", says="The class and the status are the same, but this")
def every_429(error):
    return getattr(error, "status_code", None) == 429


@wrong("out_of_money", "error", says="has no attribute 'code'")
def without_looking_for_a_code(error):
    return error.code in NO_MONEY


@wrong("out_of_money", says="The message may mention a quota, but only the")
def by_the_message(error):
    return (
        "quota" in str(error)
        or getattr(error, "code", None) == "insufficient_quota"
    )


@wrong("out_of_money", says="no status")
def rate_limit_errors_only(error):
    return isinstance(error, openai.RateLimitError) and error.code in NO_MONEY


@wrong("out_of_money", says="whatever the status")
def one_code_alone(error):
    return getattr(error, "code", None) == "insufficient_quota"


@wrong("out_of_money", says="None")
def nothing_for_no(error):
    if getattr(error, "code", None) in NO_MONEY:
        return True
    return None


@right("requests_sent")
def step_by_step(loops, max_retries, failures):
    total = 1 + max_retries
    for attempts in loops:
        total = total * attempts
    return total if failures >= total else failures + 1


@right("requests_sent")
def played_through(loops, max_retries, failures):
    sent = 0

    def call(layers):
        nonlocal sent
        if not layers:
            for _ in range(1 + max_retries):
                sent += 1
                if sent > failures:
                    return True
            return False
        return any(call(layers[1:]) for _ in range(layers[0]))

    call(tuple(loops))
    return sent


@wrong("requests_sent", says="max_retries=2 means")
def retries_as_attempts(loops, max_retries, failures):
    return min(math.prod(loops) * max(1, max_retries), failures + 1)


@wrong("requests_sent", says="expected  9")
def layers_added(loops, max_retries, failures):
    return min(sum(loops) + 1 + max_retries, failures + 1)


@wrong("requests_sent", says="The first request succeeds: no retry is sent.")
def always_all(loops, max_retries, failures):
    return math.prod(loops) * (1 + max_retries)


@wrong("requests_sent", says="The fifth request succeeds. Count it as well.")
def without_the_one_that_succeeds(loops, max_retries, failures):
    return min(math.prod(loops) * (1 + max_retries), max(1, failures))


@wrong("requests_sent", says="sends nothing")
def a_loop_runs_at_least_once(loops, max_retries, failures):
    return min(
        math.prod(max(1, attempts) for attempts in loops) * (1 + max_retries),
        failures + 1,
    )


@wrong("requests_sent", says="changed its arguments")
def uses_the_list_up(loops, max_retries, failures):
    total = 1 + max_retries
    while loops:
        total *= loops.pop()
    return min(total, failures + 1)


@wrong("requests_sent", says="case 10 of")
def hard_coded(loops, max_retries, failures):
    known = {3: 9, 33: 27, 30: 0}
    key = int("".join(map(str, loops)) or 0)
    return min(known.get(key, 1 + max_retries), failures + 1)


@right("classify")
def with_match(error):
    if getattr(error, "code", None) in NO_MONEY:
        return "stop"
    match getattr(error, "status_code", None):
        case 401 | 402 | 403:
            return "stop"
        case 408 | 409 | 429:
            return "retry"
        case int(status):
            return "fix" if status < 500 else "retry"
    return (
        "retry"
        if isinstance(error, (openai.APIError, json.JSONDecodeError))
        else "fix"
    )


@right("classify")
def by_class(error):
    if isinstance(error, openai.APIError) and error.code in NO_MONEY:
        return "stop"
    if isinstance(error, openai.APIStatusError):
        if error.status_code in {401, 402, 403}:
            return "stop"
        return (
            "retry"
            if error.status_code in {408, 409, 429} or error.status_code > 499
            else "fix"
        )
    if (
        isinstance(error, openai.APIConnectionError)
        or type(error) is openai.APIError
    ):
        return "retry"
    return "retry" if isinstance(error, json.JSONDecodeError) else "fix"


@right("classify")
def as_the_course_does(error):
    return judge(error).action


@wrong("classify", says="Check for stop first: an empty account is a 429")
def status_first(error):
    status = getattr(error, "status_code", None)
    if status in (408, 409, 429) or (status or 0) >= 500:
        return "retry"
    return with_match(error)


@wrong("classify", "error", says="has no attribute 'status_code'")
def every_error_has_a_status(error):
    if error.code in NO_MONEY or error.status_code in (401, 402, 403):
        return "stop"
    return (
        "retry"
        if error.status_code in (408, 409, 429) or error.status_code >= 500
        else "fix"
    )


@wrong("classify", says="An error mid-stream")
def connections_only(error):
    if getattr(error, "status_code", None) is None and not isinstance(
        error, openai.APIConnectionError
    ):
        return "fix"
    return with_match(error)


@wrong("classify", says="A JSONDecodeError is a ValueError, but not the")
def every_value_error(error):
    return "retry" if isinstance(error, ValueError) else with_match(error)


@wrong("classify", says="This is an OpenAIError, but not an APIError:")
def every_error_of_the_sdk(error):
    if isinstance(error, openai.OpenAIError) and not hasattr(
        error, "status_code"
    ):
        return "stop" if getattr(error, "code", None) in NO_MONEY else "retry"
    return with_match(error)


@wrong("classify", says="Python's own TimeoutError is not one of the")
def pythons_timeout_too(error):
    return "retry" if isinstance(error, TimeoutError) else with_match(error)


@wrong("classify", says="ConflictError")
def without_conflicts(error):
    return (
        "fix"
        if getattr(error, "status_code", None) == 409
        else with_match(error)
    )


@wrong("classify", says="whatever the status")
def money_is_a_429(error):
    if getattr(error, "status_code", None) == 400:
        return "fix"
    return with_match(error)


@right("Breaker")
class WithAState:
    def __init__(self, limit, pause, clock):
        self.limit, self.pause, self.clock = limit, pause, clock
        self.state, self.count, self.opened = "closed", 0, None

    def call(self, fn):
        if self.state == "open":
            if self.clock.now() - self.opened < self.pause:
                raise BreakerOpen
            self.state = "half-open"
        try:
            answer = fn()
        except Exception as error:
            if judge(error).action == "retry":
                self.count += 1
                if self.state == "half-open" or self.count == self.limit:
                    self.state, self.opened = "open", self.clock.now()
            raise
        self.state, self.count = "closed", 0
        return answer


@right("Breaker")
class WithAListOfFailures:
    def __init__(self, limit, pause, clock):
        self.times, self.limit, self.pause, self.clock = [], limit, pause, clock

    def call(self, fn):
        if (
            len(self.times) >= self.limit
            and self.clock.now() < self.times[-1] + self.pause
        ):
            raise BreakerOpen("wait")
        try:
            answer = fn()
        except BaseException as error:
            if judge(error).action == "retry":
                self.times.append(self.clock.now())
            raise
        else:
            self.times.clear()
            return answer


class _Breaker:
    """A right one, to be broken."""

    in_a_row = counts_all = forgets = from_the_start = False

    def __init__(self, limit, pause, clock):
        self.limit, self.pause, self.clock = limit, pause, clock
        self.failures, self.until = 0, 0.0

    def open(self):
        return self.failures >= self.limit and self.clock.now() < self.until

    def call(self, fn):
        if self.open():
            raise BreakerOpen
        if self.forgets and self.failures >= self.limit:
            self.failures = 0
        start = self.clock.now()
        try:
            answer = fn()
        except Exception as error:
            if judge(error).action == "retry" or self.counts_all:
                self.failures += 1
                self.until = (
                    start if self.from_the_start else self.clock.now()
                ) + self.pause
            raise
        if not self.in_a_row:
            self.failures = 0
        return answer


@wrong("Breaker", says="Count failures in a row: an answer resets the")
class NeverSetBack(_Breaker):
    in_a_row = True


@wrong("Breaker", says="is not counted")
class CountsBadRequests(_Breaker):
    counts_all = True


@wrong("Breaker", says="opens it again immediately")
class ForgetsAfterThePause(_Breaker):
    forgets = True


@wrong("Breaker", says="When the pause has passed, call fn again, even")
class FromTheBeginningOfTheCall(_Breaker):
    from_the_start = True


@wrong("Breaker", says="When the pause has passed, call fn again, even")
class AMomentTooLong(_Breaker):
    def open(self):
        return self.failures >= self.limit and self.clock.now() <= self.until


@wrong("Breaker", says="Each breaker keeps its own count.")
class OneTooMany(_Breaker):
    def open(self):
        return self.failures > self.limit and self.clock.now() < self.until


@wrong("Breaker", says="Each breaker keeps its own count.")
class TriesAgainItself(_Breaker):
    def call(self, fn):
        try:
            return super().call(fn)
        except openai.APIConnectionError:
            return super().call(fn)


@wrong("Breaker", says="returned None")
class SwallowsTheError(_Breaker):
    def call(self, fn):
        try:
            return super().call(fn)
        except openai.APIError:
            return None


@wrong("Breaker", says="A 400 leaves the count unchanged: it does not")
class ABadRequestIsAnAnswer(_Breaker):
    def call(self, fn):
        try:
            return super().call(fn)
        except openai.BadRequestError:
            self.failures = 0
            raise


@wrong("Breaker", says="Each breaker keeps its own count")
class OneForAll(WithAListOfFailures):
    times: list[float] = []  # noqa: RUF012

    def __init__(self, limit, pause, clock):
        self.limit, self.pause, self.clock = limit, pause, clock


@right("retry")
def with_for(fn, policy, clock, rng):
    start = clock.now()
    for attempt in range(1, policy.max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if attempt == policy.max_attempts or judge(error).action != "retry":
                raise
            seconds = policy.wait(attempt, error, rng)
            elapsed = clock.now() - start
            if (
                policy.deadline is not None
                and elapsed + seconds > policy.deadline
            ):
                raise
        clock.wait(clock.now() + seconds)
    raise AssertionError("not reached")


@right("retry")
def with_policy_next(fn, policy, clock, rng):
    start, number = clock.now(), 0
    while True:
        number += 1
        try:
            result = fn()
        except Exception as error:
            seconds, why = policy.next(number, clock.now() - start, error, rng)
            if seconds is None:
                error.add_note(why)
                raise
            clock.wait(clock.now() + seconds)
        else:
            return result


@right("retry")
def as_recursion(fn, policy, clock, rng):
    start = clock.now()

    def attempt(number):
        try:
            return fn()
        except Exception as caught:  # noqa: BLE001
            error = caught
        wait = policy.wait(number, error, rng)
        end = math.inf if policy.deadline is None else start + policy.deadline
        if (
            judge(error).action == "retry"
            and number < policy.max_attempts
            and clock.now() + wait <= end
        ):
            clock.wait(clock.now() + wait)
            return attempt(number + 1)
        raise error

    return attempt(1)


def _retry(
    fn,
    policy,
    clock,
    rng,
    *,
    first=1,
    limit=0,
    judged=True,
    catch=Exception,
    from_=None,
    deadline=True,
):
    """A right one, to be broken."""
    start, attempt = clock.now() if from_ is None else from_, 1
    while True:
        try:
            return fn()
        except catch as error:
            if attempt >= policy.max_attempts + limit or (
                judged and judge(error).action != "retry"
            ):
                raise
            until = clock.now() + policy.wait(attempt - 1 + first, error, rng)
            if (
                deadline
                and policy.deadline is not None
                and until - start > policy.deadline
            ):
                raise
        clock.wait(until)
        attempt += 1


@wrong("retry", says="not the SDK's")
def only_errors_of_the_sdk(fn, policy, clock, rng):
    start, n = clock.now(), 0
    while True:
        n += 1
        try:
            return fn()
        except openai.APIError as error:
            if judge(error).action != "retry" or n >= policy.max_attempts:
                raise
            until = clock.now() + policy.wait(n, error, rng)
            if policy.deadline is not None and until > start + policy.deadline:
                raise
            clock.wait(until)


@wrong("retry", says="Ask policy.wait(n, error, rng)")
def counts_from_zero(fn, policy, clock, rng):
    return _retry(fn, policy, clock, rng, first=0)


@wrong("retry", says="max_attempts counts calls")
def retries_instead_of_attempts(fn, policy, clock, rng):
    return _retry(fn, policy, clock, rng, limit=1)


@wrong("retry", says="does not help with a 400")
def retries_everything(fn, policy, clock, rng):
    return _retry(fn, policy, clock, rng, judged=False)


@wrong("retry", says="KeyboardInterrupt is not an Exception: if you press Stop")
def bare_except(fn, policy, clock, rng):
    def kept():
        try:
            return fn()
        except KeyboardInterrupt as error:
            raise openai.APIError("interrupted", None, body=None) from error

    return _retry(kept, policy, clock, rng)


@wrong("retry", says="This wait would end after the deadline: give up")
def without_a_deadline(fn, policy, clock, rng):
    return _retry(fn, policy, clock, rng, deadline=False)


@wrong("retry", says="Ask policy.wait(n, error, rng)")
def deadline_by_the_wall(fn, policy, clock, rng):
    return _retry(fn, policy, clock, rng, from_=0.0)


@wrong("retry", says="Ask policy.wait(n, error, rng)")
def lots_of_its_own(fn, policy, clock, rng):
    return _retry(fn, policy, clock, random.Random(0))


@wrong("retry", says="Ask policy.wait(n, error, rng)")
def sleeps_for_real(fn, policy, clock, rng):
    for _ in range(policy.max_attempts - 1):
        try:
            return fn()
        except Exception as error:
            if judge(error).action != "retry":
                raise
            time.sleep(0.001)
    return fn()


@wrong("retry", says="max_attempts counts calls. Raise the last error")
def waits_after_the_last(fn, policy, clock, rng):
    start = clock.now()
    for attempt in range(1, policy.max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            last, until = error, clock.now() + policy.wait(attempt, error, rng)
            late = (
                policy.deadline is not None and until - start > policy.deadline
            )
            if judge(error).action != "retry" or late:
                raise
        clock.wait(until)
    raise last


@wrong("retry", says="None is a result")
def until_something_comes(fn, policy, clock, rng):
    for _ in range(policy.max_attempts):
        if (result := _retry(fn, policy, clock, rng)) is not None:
            return result
    return None


@wrong("retry", says="looks for Retry-After")
def the_first_error_always(fn, policy, clock, rng):
    class First:
        max_attempts, deadline = policy.max_attempts, policy.deadline

        def wait(self, number, error, rng):
            return policy.wait(number, None, rng)

    return _retry(fn, First(), clock, rng)


@wrong("retry", "error", says="RuntimeError: gave up")
def hides_the_error(fn, policy, clock, rng):
    try:
        return _retry(fn, policy, clock, rng)
    except Exception as error:
        raise RuntimeError("gave up") from error


@wrong("retry", "error", says="NoneType")
def always_a_deadline(fn, policy, clock, rng):
    end = clock.now() + policy.deadline
    return _retry(fn, policy, clock, rng) if end else None


@wrong("retry", says="Ask policy.wait(n, error, rng)")
def asks_for_the_wait_twice(fn, policy, clock, rng):
    class Twice:
        max_attempts, deadline = policy.max_attempts, policy.deadline

        def wait(self, *given):
            policy.wait(*given)
            return policy.wait(*given)

    return _retry(fn, Twice(), clock, rng)


@wrong("out_of_money", says="another library's error")
def of_an_api_error_only(error):
    return isinstance(error, openai.APIError) and error.code in NO_MONEY


@wrong("out_of_money", says="another library's error")
def in_the_body_only(error):
    body = getattr(error, "body", None)
    return isinstance(body, dict) and body.get("code") in NO_MONEY


@wrong("out_of_money", says="in NO_MONEY exactly")
def that_begins_alike(error):
    return (getattr(error, "code", None) or "").startswith(
        ("insufficient", "billing", "credit")
    )


@wrong("out_of_money", says="in NO_MONEY exactly")
def a_part_of_one(error):
    code = getattr(error, "code", None)
    return bool(code) and any(code in each for each in NO_MONEY)


@wrong("out_of_money", says="in NO_MONEY exactly")
def in_any_case(error):
    return str(getattr(error, "code", None)).lower() in NO_MONEY


@wrong("out_of_money", says="not even a 402")
def every_402_too(error):
    return (
        getattr(error, "status_code", None) == 402
        or getattr(error, "code", None) in NO_MONEY
    )


@wrong("requests_sent", says="any number of loops")
def of_three_loops(loops, max_retries, failures):
    return min(math.prod(loops[:3]) * (1 + max_retries), failures + 1)


@wrong("Breaker", says="Return what fn returns, unchanged.")
class NothingForEmptyAnswers:
    def __init__(self, limit, pause, clock):
        self.limit, self.pause, self.clock, self.failures, self.last = (
            limit,
            pause,
            clock,
            0,
            0,
        )

    def answered(self, answer):
        self.failures = 0
        return answer or None

    def call(self, fn):
        if (
            self.failures >= self.limit
            and self.clock.now() < self.last + self.pause
        ):
            raise BreakerOpen
        try:
            answer = fn()
        except Exception as error:
            if judge(error).action == "retry":
                self.failures, self.last = self.failures + 1, self.clock.now()
            raise
        return self.answered(answer)


@wrong("Breaker", says="even an empty one")
class CountsOnAfterEmptyAnswers(NothingForEmptyAnswers):
    def answered(self, answer):
        self.failures = 0 if answer else self.failures
        return answer


@right("Breaker")
class ForgetsWhenAnswered(NothingForEmptyAnswers):
    def answered(self, answer):
        self.failures = 0
        return answer


# Answers that two readers' checks misjudged, 2026-11-29


@wrong("out_of_money", says="in NO_MONEY exactly")
def a_part_of_the_code(error):
    return any(code in str(getattr(error, "code", "")) for code in NO_MONEY)


@wrong("out_of_money", says="Only the code counts, not the type.")
def the_type_as_well(error):
    return (
        getattr(error, "type", None) in NO_MONEY
        or getattr(error, "code", None) in NO_MONEY
    )


@wrong("retry", says="not from the first failure")
def deadline_from_the_first_failure(fn, policy, clock, rng):
    end = None
    for attempt in range(1, policy.max_attempts + 1):
        try:
            return fn()
        except Exception as error:
            if policy.deadline is not None and end is None:
                end = clock.now() + policy.deadline
            if judge(error).action != "retry" or attempt == policy.max_attempts:
                raise
            until = clock.now() + policy.wait(attempt, error, rng)
            if end is not None and until > end:
                raise
        clock.wait(until)
    return None
