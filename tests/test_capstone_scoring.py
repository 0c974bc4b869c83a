"""The rubric's arithmetic, and what counts as a wasted request."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.checks.capstone import AXES, RUBRIC, Facts, ScoredRun, points
from coursekit.checks.capstone.hostile_api import ORGANIZATION, SentRequest
from coursekit.checks.capstone.waste import (
    AGAIN,
    EARLY,
    EMPTY,
    GONE,
    REFUSED,
    WRONG,
    wasted,
)
from coursekit.offline.exchange import ApiAnswer, error_answer, json_answer
from coursekit.offline.limits.errors import (
    failure,
    insufficient_quota,
    rate_limited,
)
from coursekit.offline.rules.refusals import refuse
from coursekit.offline.watched.ledger import LoggedAttempt

GONE_MODEL = refuse("shut_down", model="gpt-4o")
PERFECT = Facts(
    tickets=200,
    answered=200,
    truncated=0,
    spent=Decimal("0"),
    reported=Decimal("0"),
    budget=Decimal("0.50"),
    seconds=10.0,
    requests=224,
)
FACTS = st.builds(
    Facts,
    tickets=st.just(200),
    answered=st.integers(0, 200),
    truncated=st.integers(0, 200),
    spent=st.decimals(0, 2, places=4),
    reported=st.decimals(0, 2, places=4),
    budget=st.just(Decimal("0.50")),
    seconds=st.floats(0, 1e6),
    requests=st.integers(0, 2000),
    wasted=st.builds(dict, st.just({GONE: 3})),
)


def test_a_perfect_run_has_a_hundred_points() -> None:
    """A run that answers everything immediately, at no cost, gets 20 points on each of the five
    axes.
    """
    assert points(PERFECT) == dict.fromkeys(AXES, 20.0)
    assert [axis for axis, _ in RUBRIC] == list(AXES)


@given(FACTS)
def test_points_stay_within_their_axes(facts: Facts) -> None:
    """Whatever happens, each axis has 0 to 20 points, and no more than the share of answered
    tickets allows.
    """
    assert all(
        0 <= value <= 20 * facts.answered / 200 + 1e-9
        for value in points(facts).values()
    )


@given(FACTS, st.integers(1, 50))
def test_worse_is_never_better(facts: Facts, more: int) -> None:
    """More seconds, more waste, more incomplete texts, or fewer answers never raise a score."""
    before = sum(points(facts).values())
    worse = [
        replace(facts, seconds=facts.seconds + more),
        replace(facts, wasted={**facts.wasted, EARLY: more}),
        replace(facts, truncated=facts.truncated + more),
        replace(facts, answered=max(0, facts.answered - more)),
    ]
    assert all(sum(points(each).values()) <= before + 1e-9 for each in worse)


@pytest.mark.parametrize(
    ("axis", "change", "expected"),
    [
        (
            "spend",
            {"spent": Decimal("0.10"), "reported": Decimal("0.109")},
            16.0,
        ),
        ("spend", {"spent": Decimal("0.10"), "reported": Decimal("0.12")}, 8.0),
        ("spend", {"spent": Decimal("0.62"), "reported": Decimal("0.62")}, 0.0),
        ("time", {"seconds": 15.0}, 20.0),
        ("time", {"seconds": 97.5}, 10.0),
        ("time", {"seconds": 180.0}, 0.0),
        ("wasted retries", {"wasted": {GONE: 7, REFUSED: 8}}, 17.0),
        ("wasted retries", {"wasted": {EMPTY: 500}}, 0.0),
        ("silent truncation", {"truncated": 3}, 14.0),
        ("silent truncation", {"truncated": 11}, 0.0),
        ("answered", {"answered": 50}, 5.0),
    ],
)
def test_the_rubric_in_numbers(
    axis: str, change: dict[str, object], expected: float
) -> None:
    """Each sentence in the rubric is true for these numbers."""
    assert points(replace(PERFECT, **change))[axis] == pytest.approx(expected)  # type: ignore[arg-type]


def test_a_score_shows_its_points_and_their_reasons() -> None:
    """Text and HTML contain the total, the seed, and each axis with its reason. The HTML says that
    the run is simulated.
    """
    score = ScoredRun(
        replace(PERFECT, seconds=97.5, truncated=1, wasted={GONE: 5}), seed=7
    )
    text, html = repr(score), score._repr_mimebundle_()["text/html"]
    for shown in (
        "87.0",
        "seed 7",
        "98 s",
        "5 to a model known to be gone",
        "1 incomplete text delivered",
        *AXES,
    ):
        assert shown in text
        assert shown in html
    assert "simulated" in html


def asked(
    at: float,
    answer: ApiAnswer,
    *,
    ticket: str = "T-001",
    model: str = "gpt-4o",
    raw: bytes = b"{}",
) -> SentRequest:
    attempt = LoggedAttempt(
        at=at,
        body=0,
        model=model,
        retry=0,
        answer=answer,
        ended_at=at + answer.after,
    )
    return SentRequest(
        ticket, model, raw, at, attempt, whole=answer.status == 200
    )


LATE = 0.5  # seconds of an answer
WHOLE = json_answer(200, {"choices": []}, after=LATE)
TOLD = rate_limited(
    "gpt-4o", "org-offline", "tokens", 30_000, 30_000, 500, 4.0, {}
)
OWN = rate_limited("gpt-4o", ORGANIZATION, "requests", 500, 500, 1, 0.12, {})
WRONG_VALUE = error_answer(400, "no", after=LATE)


@pytest.mark.parametrize(
    ("reason", "first", "again", "too_early_to_know"),
    [
        (GONE, GONE_MODEL, GONE_MODEL, None),
        (EMPTY, insufficient_quota(), WHOLE, None),
        (AGAIN, WHOLE, WHOLE, 0.4),
        (WRONG, WRONG_VALUE, WRONG_VALUE, 0.4),
        (EARLY, TOLD, TOLD, None),
    ],
    ids=["gone", "empty", "again", "wrong", "early"],
)
def test_who_knew_better_wasted_a_request(
    reason: str,
    first: ApiAnswer,
    again: ApiAnswer,
    too_early_to_know: float | None,
) -> None:
    """A request is wasted if the answer that made it useless had arrived before it was sent. A
    request that was already in flight is not.
    """
    assert wasted([asked(0.0, first), asked(1.0, again)]) == {reason: 1}
    if too_early_to_know is not None:
        assert (
            wasted([asked(0.0, first), asked(too_early_to_know, again)]) == {}
        )


def test_what_the_script_does_is_nobody_s_fault() -> None:
    """Failures that go away are not wasted if they are retried in time. Exceeding your own
    limit is.
    """
    failing = [
        asked(0.0, failure("server_error", "req_1")),
        asked(1.0, TOLD),
        asked(5.0, WHOLE),
    ]
    assert wasted(failing) == {}
    assert wasted([asked(0.0, OWN), asked(0.2, WHOLE)]) == {REFUSED: 1}
    assert wasted([asked(0.0, TOLD), asked(3.9, WHOLE)]) == {EARLY: 1}
    other = asked(1.0, WHOLE, ticket="T-002", raw=b'{"other": 1}')
    assert wasted([asked(0.0, TOLD), other]) == {}


def test_another_model_or_ticket_is_no_waste() -> None:
    """One model's 404 says nothing about another model, and one ticket's answer says nothing about
    the next ticket.
    """
    dead = asked(0.0, GONE_MODEL)
    assert (
        wasted([dead, asked(1.0, WHOLE, model="gpt-4o-mini", raw=b"[]")]) == {}
    )
    assert wasted([asked(0.0, WHOLE), asked(1.0, WHOLE, ticket="T-002")]) == {}
