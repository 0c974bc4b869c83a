"""Requests that could not help, because of what the program should have known when it sent them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .hostile_api import ORGANIZATION, SentRequest

REFUSED = "refused by the account's own limit"
EARLY = "sent before Retry-After was over"
GONE = "to a model known to be gone"
EMPTY = "to an account known to be empty"
AGAIN = "about a ticket that had its answer"
WRONG = "an invalid request, sent again"
FINAL = (400, 401, 403, 404, 422)
TOLERANCE = 0.0015  # seconds; waits are given in whole milliseconds


def wasted(requests: Iterable[SentRequest]) -> dict[str, int]:
    """Return how many requests were wasted, by reason; each counts once, for the first reason that
    fits.

    requests  all requests in a run, in the order in which they were sent

    A failure in the script does not count, nor does a request that was already in flight when the
    news arrived.
    """
    learned: dict[str, float] = {}  # news -> when it had arrived
    counts: Counter[str] = Counter()
    for one in requests:
        reason = _reason(one, learned)
        if reason:
            counts[reason] += 1
        for news, at in _news(one):
            learned[news] = (
                max(at, learned.get(news, at))
                if news.startswith("wait")
                else min(at, learned.get(news, at))
            )
    return dict(counts)


def _reason(one: SentRequest, learned: dict[str, float]) -> str | None:
    at, attempt = one.at, one.attempt
    if "empty" in learned and at >= learned["empty"]:
        return EMPTY
    if attempt.status == 404 and learned.get(f"gone {one.model}", at + 1) <= at:
        return GONE
    if (
        attempt.status in FINAL
        and learned.get(f"wrong {one.raw!r}", at + 1) <= at
    ):
        return WRONG
    if one.ticket and learned.get(f"whole {one.ticket}", at + 1) <= at:
        return AGAIN
    if at < learned.get(f"wait {one.raw!r}", 0.0) - TOLERANCE:
        return EARLY
    if (
        attempt.code == "rate_limit_exceeded"
        and ORGANIZATION.encode() in attempt.answer.body
    ):
        return REFUSED
    return None


def _news(one: SentRequest) -> list[tuple[str, float]]:
    """Return what the answer to a request says, and when it arrives."""
    attempt = one.attempt
    at = one.at + attempt.answer.seconds
    news = []
    if attempt.code == "insufficient_quota":
        news.append(("empty", at))
    if attempt.status == 404:
        news.append((f"gone {one.model}", at))
    if attempt.status in FINAL:
        news.append((f"wrong {one.raw!r}", at))
    if one.whole and one.ticket:
        news.append((f"whole {one.ticket}", at))
    if attempt.retry_after:
        news.append((f"wait {one.raw!r}", at + attempt.retry_after))
    return news
