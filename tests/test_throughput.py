"""The simulation in chapter 05: its strategies, its limits, and that real runs give the same
results.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit import connect, connect_async
from coursekit.offline.limits.estimate import estimated_tokens
from coursekit.throughput import (
    STRATEGIES,
    Load,
    Outcome,
    Span,
    least_seconds,
    outcome_of,
    rates_of,
    simulate,
    spans_of,
)
from support.offline_api import folder_with, params, whole

LOADS = st.builds(
    Load,
    requests=st.integers(1, 80),
    concurrency=st.integers(1, 80),
    latency=st.floats(0.01, 20),
    rpm=st.integers(1, 200),
    tpm=st.integers(1_000, 100_000),
    tokens=st.integers(1, 1_000),
)


def test_the_numbers_of_the_chapter() -> None:
    """With 60 requests of 1.5 s at 30 RPM, pacing gets all answers in 61.5 s, five slots get 34,
    and sending all together gets 30.
    """
    came = {
        strategy: outcome_of(simulate(strategy, Load()))
        for strategy in STRATEGIES
    }
    assert {
        name: (one.answered, one.refused, round(one.seconds, 1))
        for name, one in came.items()
    } == {
        "sequential": (60, 0, 90.0),
        "unbounded": (30, 30, 1.5),
        "semaphore": (34, 26, 10.8),
        "paced": (60, 0, 61.5),
    }


def test_littles_law_gives_the_rate() -> None:
    """5 slots at 0.3 s are 1,000 requests per minute, and 30,000 tokens per minute at 600 each are
    50. The lowest limit binds.
    """
    rates = rates_of(
        Load(concurrency=5, latency=0.3, rpm=500, tpm=30_000, tokens=600)
    )
    assert (rates.concurrency, rates.rpm, rates.tpm, rates.binding) == (
        1000,
        500,
        50,
        "tpm",
    )
    assert (
        rates_of(Load(concurrency=1, latency=30, rpm=500)).binding
        == "concurrency"
    )
    assert rates_of(Load(rpm=5)).binding == "rpm"


@given(LOADS)
def test_pacing_is_never_refused_and_never_late(load: Load) -> None:
    """Under any load, a paced run gets every answer, and if one limit binds, it takes the
    shortest possible time.
    """
    came = outcome_of(simulate("paced", load))
    assert (came.answered, came.refused) == (load.requests, 0)
    assert came.seconds >= least_seconds(load) - 1e-6
    # as many slots as requests
    free = Load(
        load.requests,
        load.requests,
        load.latency,
        load.rpm,
        load.tpm,
        load.tokens,
    )
    assert outcome_of(simulate("paced", free)).seconds == pytest.approx(
        least_seconds(free)
    )


@given(LOADS, st.sampled_from(STRATEGIES))
def test_every_request_is_sent_once_and_in_order(
    load: Load, strategy: str
) -> None:
    """Requests are sent in order, each ends after it begins, and no more are in flight than
    allowed.
    """
    spans = simulate(strategy, load)
    starts = [span.start for span in spans]
    assert len(spans) == load.requests and starts == sorted(starts)
    assert all(
        span.end > span.start and span.status in (200, 429) for span in spans
    )
    slots = {"sequential": 1, "unbounded": load.requests}.get(
        strategy, load.concurrency
    )
    for span in spans:
        assert (
            sum(other.start <= span.start < other.end for other in spans)
            <= slots
        )


def test_a_request_above_the_limit_is_always_refused() -> None:
    """If a request needs more tokens than a minute has, no pace can help, and pacing does not wait
    forever.
    """
    came = outcome_of(simulate("paced", Load(requests=3, tpm=500, tokens=600)))
    assert (came.answered, came.refused) == (0, 3)


def test_an_empty_run_comes_to_nothing() -> None:
    """Zero requests take zero seconds, without a division by zero."""
    assert outcome_of([]) == Outcome(0, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"requests": 0},
        {"concurrency": 0},
        {"latency": 0},
        {"rpm": 0},
        {"tokens": -1},
    ],
)
def test_a_load_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """The error names the argument."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Load(**wrong)


def test_another_strategy_is_refused() -> None:
    """The error lists the strategies that exist."""
    with pytest.raises(ValueError, match="sequential, unbounded"):
        simulate("fast", Load())


@pytest.mark.parametrize("strategy", ["sequential", "unbounded", "semaphore"])
async def test_a_real_run_comes_to_the_same(
    strategy: str, tmp_path: Path
) -> None:
    """The SDK with the offline API on the virtual clock gives the same starts, ends, and 429s as
    the simulation.

    (The offline API's refusals take no time, and a paced run is ``run_batch``, which has its own
    tests.)
    """
    body = params("Is it raining?")
    folder = folder_with(tmp_path / "recordings", (body, whole(after=1.5)))
    load = Load(
        requests=40,
        concurrency=5,
        latency=1.5,
        rpm=20,
        tokens=estimated_tokens(body),
    )
    slots = asyncio.Semaphore(
        {"sequential": 1, "unbounded": 40}.get(strategy, 5)
    )
    limits = {"rpm": load.rpm, "tpm": load.tpm}
    client = connect_async(
        "replay",
        recordings=folder,
        rate_limit=limits,
        speed="instant",
        max_retries=0,
    )

    async def ask() -> None:
        async with slots:
            await client.chat.completions.create(**body)

    async with client:
        await asyncio.gather(
            *(ask() for _ in range(load.requests)), return_exceptions=True
        )
    real, simulated = (
        spans_of(client),
        simulate(strategy, load, refused_after=0),
    )
    assert [span.status for span in real] == [span.status for span in simulated]
    assert [span.start for span in real] == pytest.approx(
        [span.start for span in simulated]
    )
    assert [span.end for span in real] == pytest.approx(
        [span.end for span in simulated]
    )


async def test_requests_made_at_once_start_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However slow the machine is, virtual time does not pass before all of a gather's requests are
    sent.
    """

    def slow() -> str:
        time.sleep(0.002 * next(count))  # some much later than others
        return "Linux"

    count = itertools.count()
    monkeypatch.setattr("openai._base_client.get_platform", slow)
    body = params("Is it raining?")
    folder = folder_with(tmp_path / "recordings", (body, whole(after=1.5)))
    async with connect_async(
        "replay", recordings=folder, speed="instant"
    ) as client:
        await asyncio.gather(
            *(client.chat.completions.create(**body) for _ in range(20))
        )
    assert {span.start for span in spans_of(client)} == {0}


def test_the_spans_of_a_client_begin_at_zero(tmp_path: Path) -> None:
    """Each attempt's start, end, and status are read from the ledger, with the first attempt at
    0.
    """
    body = params("Is it raining?")
    folder = folder_with(tmp_path / "recordings", (body, whole(after=1.5)))
    with connect(
        "replay",
        recordings=folder,
        speed="instant",
        max_retries=0,
        rate_limit={"rpm": 2},
    ) as client:
        for _ in range(2):
            client.chat.completions.create(**body)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**body)
        assert spans_of(client) == [Span(0, 1.5), Span(1.5, 3), Span(3, 3, 429)]


def test_a_live_client_has_no_spans() -> None:
    """Only the offline API has a ledger; the error says which client to use."""
    with (
        openai.OpenAI(api_key="none") as client,
        pytest.raises(ValueError, match='mode="replay"'),
    ):
        spans_of(client)
