"""A client belongs to one event loop: what chapter 05 says about asyncio.run, with real
connections.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from pathlib import Path
from typing import Any

import openai
import pytest

from support.offline_api import folder_with, params, whole
from support.served import Served, served


@pytest.fixture
def server(tmp_path: Path) -> Any:
    with served(
        folder_with(tmp_path / "recordings", (params(), whole("Paris.")))
    ) as running:
        yield running


def outcomes(server: Served, *, inside: bool) -> list[str]:
    """The results of three calls to asyncio.run in a thread without a loop, as in a script."""
    told: list[str] = []
    shared = server.async_client()

    async def ask() -> None:
        if not inside:
            await shared.chat.completions.create(**params())
            return
        async with server.async_client() as client:
            await client.chat.completions.create(**params())

    def script() -> None:
        for _ in range(3):
            try:
                asyncio.run(ask())
                told.append("answered")
            except (RuntimeError, openai.OpenAIError) as error:
                told.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=script)
    thread.start()
    thread.join(30)
    return told


def test_a_client_of_another_loop_fails_the_second_time(server: Served) -> None:
    """With a client at module level, the first asyncio.run works, the second raises a bare
    RuntimeError, and the third works.
    """
    with warnings.catch_warnings():
        # of the connections that the first loop left behind
        warnings.simplefilter("ignore", ResourceWarning)
        assert outcomes(server, inside=False) == [
            "answered",
            "RuntimeError: Event loop is closed",
            "answered",
        ]
        gc.collect()


def test_a_client_made_inside_works_each_time(server: Served) -> None:
    """With async with openai.AsyncOpenAI() inside the coroutine, each loop has its own client."""
    assert outcomes(server, inside=True) == ["answered"] * 3


async def test_asyncio_run_fails_where_a_loop_runs() -> None:
    """As in a notebook's cell, the coroutine has not started and can still be awaited."""

    async def one() -> int:
        return 1

    call = one()
    with pytest.raises(
        RuntimeError, match="cannot be called from a running event loop"
    ):
        asyncio.run(call)
    assert await call == 1
