"""Requests that could not help: what a program should have known when it sent them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .hostile_api import ORGANIZATION, Asked

REFUSED = "refused by the account's own limit"
EARLY = "sent before Retry-After was over"
GONE = "to a model known to be gone"
EMPTY = "to an account known to be empty"
AGAIN = "about a ticket that had its answer"
WRONG = "a wrong request once more"
FINAL = (400, 401, 403, 404, 422)
TOLERANCE = 0.0015  # seconds; waits are told in whole milliseconds


def wasted(asked: Iterable[Asked]) -> dict[str, int]:
    """How many requests were wasted, by reason; each counts once, for the first of the reasons that
    fits.

    asked  all requests of a run, in the order in which they were sent

    A failure of the script is nobody's fault, and a request that was on its way already when the
    news came is none either.
    """
    known: dict[str, float] = {}  # by news: when it had come
    counts: Counter[str] = Counter()
    for one in asked:
        reason = _reason(one, known)
        if reason:
            counts[reason] += 1
        for news, at in _news(one):
            known[news] = (
                max(at, known.get(news, at))
                if news.startswith("wait")
                else min(at, known.get(news, at))
            )
    return dict(counts)


def _reason(one: Asked, known: dict[str, float]) -> str | None:
    at, attempt = one.at, one.attempt
    if "empty" in known and at >= known["empty"]:
        return EMPTY
    if attempt.status == 404 and known.get(f"gone {one.model}", at + 1) <= at:
        return GONE
    if attempt.status in FINAL and known.get(f"wrong {one.raw!r}", at + 1) <= at:
        return WRONG
    if one.ticket and known.get(f"whole {one.ticket}", at + 1) <= at:
        return AGAIN
    if at < known.get(f"wait {one.raw!r}", 0.0) - TOLERANCE:
        return EARLY
    if (
        attempt.code == "rate_limit_exceeded"
        and ORGANIZATION.encode() in attempt.answer.body
    ):
        return REFUSED
    return None


def _news(one: Asked) -> list[tuple[str, float]]:
    """What the answer to a request tells, and when it does."""
    attempt, came = one.attempt, one.at + one.attempt.answer.seconds
    news = []
    if attempt.code == "insufficient_quota":
        news.append(("empty", came))
    if attempt.status == 404:
        news.append((f"gone {one.model}", came))
    if attempt.status in FINAL:
        news.append((f"wrong {one.raw!r}", came))
    if one.whole and one.ticket:
        news.append((f"whole {one.ticket}", came))
    if attempt.retry_after:
        news.append((f"wait {one.raw!r}", came + attempt.retry_after))
    return news
