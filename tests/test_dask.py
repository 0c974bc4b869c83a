"""run_batch in several processes under Dask, which share one account with `coursekit serve`'s
limits.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import openai
import pytest

from coursekit import run_batch
from support.offline_api import folder_with, params, whole
from support.served import served

pytestmark = pytest.mark.dask
WORKERS, REQUESTS, RPM = 3, 340, 300


def work(part: list[dict[str, Any]], url: str) -> dict[str, Any]:
    """What a worker does, with its own client and event loop, and without knowing about the
    others.
    """

    async def ask() -> dict[str, Any]:
        async with openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="shared"
        ) as client:
            results = await run_batch(client, part, max_concurrency=10)
            return {
                "texts": results.texts(missing=None),
                "refused": results.refused,
                "attempts": results.attempts,
            }

    return asyncio.run(ask())


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Dask sets variables for its workers and does not remove them; the kernels in later tests do
    not get them.
    """
    with mock.patch.dict(os.environ):
        yield


def test_three_workers_keep_one_limit(tmp_path: Path) -> None:
    """Three processes that do not communicate send 340 requests at 300 RPM. All are answered on
    time, and few are refused.
    """
    distributed = pytest.importorskip(
        "distributed", reason="the extra dask is not installed"
    )
    folder = folder_with(
        tmp_path / "recordings",
        (params("Is it raining?"), whole("No.", after=0.1)),
    )
    requests = [
        {**params("Is it raining?"), "custom_id": f"q{number}"}
        for number in range(REQUESTS)
    ]
    with (
        served(
            folder, rate_limit={"rpm": RPM, "tpm": 10_000_000}, speed=1.0
        ) as server,
        distributed.LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster) as dask,
    ):
        start = time.monotonic()
        parts = [requests[worker::WORKERS] for worker in range(WORKERS)]
        told = dask.gather(dask.map(work, parts, url=server.url))
        seconds = time.monotonic() - start
        (learner,) = server.room.learners
        statuses = dict(learner.tally.statuses)
    texts = [text for one in told for text in one["texts"]]
    least = (REQUESTS - RPM) * 60 / RPM
    print(
        f"\n{WORKERS} workers: {statuses} in {seconds:.1f} s; the limit allows it in {least:.1f} s"
    )
    assert texts == ["No."] * REQUESTS
    assert statuses[200] == REQUESTS and sum(
        one["attempts"] for one in told
    ) == sum(statuses.values())
    assert (
        statuses.get(429, 0)
        == sum(one["refused"] for one in told)
        <= REQUESTS * 0.05
    )
    assert seconds >= least - 0.5  # nobody got more than the account has
