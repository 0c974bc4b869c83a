"""COURSEKIT_TRACE=1 says on stderr which layer answered each request."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import openai
import pytest

from coursekit import RecordingNotFound, connect
from coursekit.offline import Fault
from support.offline_api import folder_with, params, whole


def traced(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    body: Any = None,
    **more: Any,
) -> str:
    """Return what is printed for one request."""
    recordings = folder_with(tmp_path, (params(), whole(after=0.5)))
    client = connect(
        "replay", recordings=recordings, speed="instant", max_retries=0, **more
    )
    with contextlib.suppress(openai.OpenAIError, RecordingNotFound):
        client.chat.completions.create(**{**params(), **(body or {})})
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "more", "ending"),
    [
        ({}, {}, "gpt-4o -> Replay: 200 written after 0.50 s\n"),
        ({"n": 0}, {}, "gpt-4o -> Validation: 400 out_of_range after 0.00 s\n"),
        ({"seed": 7}, {}, "gpt-4o -> Missing: RecordingNotFound\n"),
        (
            {},
            {"faults": Fault("quota")},
            "-> Faults: 429 insufficient_quota after 0.00 s\n",
        ),
        (
            {},
            {"rate_limit": {"tpm": 1}},
            "-> RateLimits: 429 request_too_large after 0.00 s\n",
        ),
    ],
)
def test_the_layer_that_answered_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    body: dict[str, Any],
    more: dict[str, Any],
    ending: str,
) -> None:
    """One line per request: what was sent, the layer that answered, and the result."""
    monkeypatch.setenv("COURSEKIT_TRACE", "1")
    line = traced(capsys, tmp_path, body, **more)
    assert line.startswith("POST /v1/chat/completions gpt-4o -> ")
    assert line.endswith(ending)
    assert line.count("\n") == 1


def test_nothing_is_printed_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Without the setting, the layers are unchanged."""
    monkeypatch.delenv("COURSEKIT_TRACE", raising=False)
    assert traced(capsys, tmp_path) == ""
