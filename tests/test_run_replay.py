"""The replay of a run: at each moment, it shows what had been sent by then."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from coursekit.checks.capstone import attempt, messages
from coursekit.throughput import RunSpan
from coursekit.widgets.run_replay import MARKS, RunReplay, view

RUN = (
    RunSpan(0, 2, 200, "gpt-4o-mini", "answered", 29_500),
    RunSpan(1, 1.1, 500, "gpt-4o-mini", "struck"),
    RunSpan(3, 3.1, 429, "gpt-4o-mini", "refused", 100),
    RunSpan(5, 5.1, 404, "gpt-4o-mini", "gone"),
    RunSpan(6, 10, 200, "gpt-4o", "answered", 29_000),
)


class Scored(NamedTuple):
    requests: tuple[RunSpan, ...]
    total: float = 0.0


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (0, "At 0 s of 10 s: 1 requests sent, 1 answered"),
        (4, "At 4 s of 10 s: 3 requests sent, 1 answered, 1 struck, 1 refused"),
        (
            99,
            "At 10 s of 10 s: 5 requests sent, 2 answered, 1 struck, 1 refused, 1 gone",
        ),
    ],
)
def test_a_moment_shows_what_was_sent_until_then(at: float, says: str) -> None:
    """The picture shows the counts, a mark for each request that had failed by then, and the
    model's shutdown after it was noticed.
    """
    html = view(RUN, at)
    assert says in html
    marks = sum(html.count(shape) for _, shape in MARKS.values())
    assert marks == sum(
        span.outcome != "answered" for span in RUN if span.start <= at
    )
    assert ("† shut down, noticed at 5 s" in html) == (at >= 5)
    assert "gpt-4o: " in html


def test_the_bucket_falls_with_a_request_and_fills_with_time() -> None:
    """A bucket goes down from full to what the answer reports as remaining, rises by 500 tokens per
    second, and never exceeds full.
    """
    first, _ = re.findall(r'polygon points="([^"]*)"', view(RUN, 10))
    levels = [float(point.split(",")[1]) for point in first.split()]
    floor = max(levels)
    left = [(floor - level) / 44 * 30_000 for level in levels]
    assert left[1:7] == pytest.approx(
        [30_000, 30_000, 29_500, 30_000, 100, 3_600], abs=80
    )


def test_the_slider_moves_the_moment() -> None:
    """The replay starts at its end, which shows the complete run. The stored notebook has that
    picture.
    """
    lab = RunReplay(Scored(RUN))
    assert (
        lab.shown.value == view(RUN, 10) == lab._repr_mimebundle_()["text/html"]
    )
    lab.position.value = 80
    assert lab.shown.value == view(RUN, 4)
    assert lab.position.description
    assert lab.play.tooltip


def test_a_score_without_requests_is_refused() -> None:
    """There is nothing to replay for a score that was not run here."""
    with pytest.raises(ValueError, match="attempt"):
        RunReplay(Scored(()))


def test_a_real_run_can_be_played() -> None:
    """attempt() records every request in a run with its outcome, in order."""

    async def three(client, tickets, budget):  # type: ignore[no-untyped-def]
        answers = {}
        for ticket in tickets[:3]:
            reply = await client.chat.completions.create(
                model="gpt-4o-mini",
                messages=messages(ticket),
                max_completion_tokens=300,
            )
            answers[ticket.id] = reply.choices[0].message.content
        return answers, 0

    score = attempt(three)
    assert len(score.requests) == score.facts.requests
    assert [span.outcome for span in score.requests].count("answered") == 3
    assert all(
        span.start <= span.end <= score.facts.seconds for span in score.requests
    )
    assert "gpt-4o-mini: " in view(score.requests, 999)
