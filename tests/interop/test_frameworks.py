"""langchain-openai and pydantic-ai with the server, unmodified except for their base URL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from foreign import (
    HERE,
    REFUSED,
    attempts,
    installed,
    put,
    refusals,
    run,
    serving,
)

from coursekit.course import recording_folders
from support.source_page import answered, bodies

pytestmark = [pytest.mark.interop, pytest.mark.registry]
PACKAGES = ["langchain-openai==1.7.3", "pydantic-ai-slim[openai]==2.68.0"]


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> str:
    """A Python with the two packages, in a separate environment."""
    folder = Path(pytestconfig.cache.mkdir("interop-python"))  # type: ignore[union-attr]
    found = (
        folder
        / "env"
        / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    )
    uv = [sys.executable, "-m", "uv"]
    make = [
        *uv,
        "venv",
        "--clear",
        "--quiet",
        "--python",
        sys.executable,
        str(folder / "env"),
    ]
    installed(
        folder,
        make,
        [*uv, "pip", "install", "--quiet", "--python", str(found), *PACKAGES],
    )
    return str(found)


WHOLE = {"text": "Paris.", "tokens": 16, "model": "gpt-4o-2024-08-06"}
RATE_LIMIT = {"kind": "rate_limit", "times": 1, "retry_after": 0.1}


def test_langchain(
    tmp_path: Path, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate limit is waited out once. Text, usage, and model arrive in a complete reply, in a
    stream, and in a stream of a reply that was recorded complete. A request without a recording is
    sent once, refusals have the same words as in process, and each request on the course's source
    page is answered.
    """
    monkeypatch.setenv("REFUSED", json.dumps(REFUSED))
    tasks = (
        f"whole,stream,streamed_from_whole,unknown,refused,{bodies(tmp_path)}"
    )
    with serving(tmp_path / "recordings", *recording_folders()) as server:
        put(server, RATE_LIMIT)
        whole, stream, made, miss, refused, page = run(
            server, [python, str(HERE / "langchain_client.py")], tasks
        )
        assert attempts(server)[:5] == [429, 200, 200, 200, 404]
    assert whole == WHOLE
    assert [stream["text"], made["text"]] == ["Paris.", "Berlin."]
    assert (
        miss["code"] == "recording_not_found"
        and "What to do now" in miss["message"]
    )
    assert refused == refusals()
    assert answered(page)


def test_pydantic_ai(tmp_path: Path, python: str) -> None:
    """A rate limit is waited out. Text, usage, and model arrive, complete and streamed. A request
    without a recording is sent once.
    """
    with serving(tmp_path) as server:
        put(server, RATE_LIMIT)
        whole, stream, miss = run(
            server,
            [python, str(HERE / "pydantic_ai_client.py")],
            "whole,stream,unknown",
        )
        assert attempts(server) == [429, 200, 200, 404]
    assert whole == WHOLE
    assert stream["text"] == "Paris."
    assert (
        miss["code"] == "recording_not_found"
        and "What to do now" in miss["message"]
    )
