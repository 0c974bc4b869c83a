"""coursekit.batching.progress: a bar if somebody is watching, and nothing otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from coursekit import run_batch
from coursekit.batching import progress as module
from coursekit.batching.progress import ProgressBar
from coursekit.checks.engine.virtual_loop import LoopClock
from coursekit.offline.clock import ScaledClock, VirtualClock
from coursekit.retrying import RealClock
from support.batching_stand_in import client_of, client_with
from support.offline_api import error_answer, whole


async def test_nothing_is_shown_in_virtual_time(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """In virtual time, nothing waits, so stored outputs have no bar."""
    await run_batch(client_with(tmp_path, ["Hi"]), ["Hi"], model="gpt-4o")
    assert capfd.readouterr() == ("", "")


async def test_the_bar_tells_requests_cost_and_failures(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A bar that was requested counts requests, including resumed ones, and shows what they cost
    and how many failed.
    """
    client, _ = client_of(
        lambda prompt, _: (
            error_answer(400, "No.") if prompt == "bad" else whole()
        )
    )
    file = tmp_path / "answers.db"
    await run_batch(client, ["a"], model="gpt-4o", checkpoint=file)
    await run_batch(
        client,
        ["a", "b", "bad"],
        model="gpt-4o",
        checkpoint=file,
        progress=True,
    )
    shown = capfd.readouterr().err
    assert (
        "3/3" in shown
        and "requests/s" in shown
        and "$0.000055, 1 failed" in shown
    )
    assert "0/3" not in shown  # it begins with the one that was resumed


def test_where_time_passes_a_terminal_or_a_notebook_is_watched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bar appears automatically if time is real and somebody can see it, but not in tests and
    stored outputs.
    """
    monkeypatch.setattr(
        module.sys.stderr, "isatty", lambda: True, raising=False
    )
    monkeypatch.delenv("COURSEKIT_SPEED", raising=False)
    assert module._is_watched(ScaledClock()) and module._is_watched(RealClock())
    assert not module._is_watched(VirtualClock()) and not module._is_watched(
        LoopClock()
    )
    monkeypatch.setenv("COURSEKIT_SPEED", "instant")
    assert not module._is_watched(ScaledClock())
    monkeypatch.delenv("COURSEKIT_SPEED")
    monkeypatch.setattr(
        module.sys.stderr, "isatty", lambda: False, raising=False
    )
    assert not module._is_watched(ScaledClock())


def test_an_unwatched_bar_needs_no_tqdm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If no bar is shown, tqdm is not even imported."""
    monkeypatch.setitem(module.sys.modules, "tqdm.auto", None)
    bar = ProgressBar(10, 0, None, VirtualClock())
    bar.over(True, module.Decimal(1))
    bar.close()
    with pytest.raises(ImportError):
        ProgressBar(10, 0, True, VirtualClock())
