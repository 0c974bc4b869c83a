"""langchain-openai and pydantic-ai against the server, unmodified but for their base URL."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from foreign import HERE, REFUSED, attempts, installed, put, refusals, run, serving

from coursekit.course import recording_folders
from support.served import served
from support.source_page import answered, bodies

pytestmark = pytest.mark.interop
PACKAGES = ["langchain-openai==1.7.3", "pydantic-ai-slim[openai]==2.68.0"]


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> str:
    """A Python with the two packages, in an environment of its own."""
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


@pytest.mark.parametrize("script", ["langchain_client.py", "pydantic_ai_client.py"])
def test_the_same_through_a_framework(tmp_path: Path, python: str, script: str) -> None:
    """A rate limit is waited out; text, usage, model arrive; a stream comes as it is made; a miss
    is asked for once.
    """
    with serving(tmp_path) as server:
        put(server, {"kind": "rate_limit", "times": 1, "retry_after": 0.2})
        whole, stream, miss = run(
            server, [python, str(HERE / script)], "whole,stream,unknown"
        )
        assert whole == {"text": "Paris.", "tokens": 16, "model": "gpt-4o-2024-08-06"}
        assert stream["text"] == "Paris." and stream["spread"] == pytest.approx(
            0.4, abs=0.2
        )
        assert (
            miss["code"] == "recording_not_found"
            and "What to do now" in miss["message"]
        )
        assert attempts(server) == [429, 200, 200, 404]


def test_langchain_streams_what_was_recorded_whole(tmp_path: Path, python: str) -> None:
    """langchain-openai sends "stream": false with invoke(), and stream() may ask for what was
    recorded whole.
    """
    with serving(tmp_path) as server:
        script = str(HERE / "langchain_client.py")
        whole, streamed = run(server, [python, script], "whole,streamed_from_whole")
        assert [whole["text"], streamed["text"]] == ["Paris.", "Berlin."]
        assert attempts(server) == [200, 200]


def test_the_source_page(tmp_path: Path, python: str) -> None:
    """Each request of the course's source page, as langchain-openai sends it, is answered."""
    with served(*recording_folders()) as server:
        assert answered(
            run(server, [python, str(HERE / "langchain_client.py")], bodies(tmp_path))[
                0
            ]
        )


def test_refusals_are_those_in_process(
    tmp_path: Path, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """langchain-openai sees the very words that a client in process sees."""
    monkeypatch.setenv("REFUSED", json.dumps(REFUSED))
    with serving(tmp_path) as server:
        (said,) = run(server, [python, str(HERE / "langchain_client.py")], "refused")
    assert said == refusals()
