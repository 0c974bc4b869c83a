"""langchain-openai and pydantic-ai against the server, unmodified but for their base URL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import HERE, attempts, installed, put, run, serving
from served import Served

pytestmark = pytest.mark.interop
PACKAGES = ["langchain-openai==1.7.3", "pydantic-ai-slim[openai]==2.68.0"]
both = pytest.mark.parametrize("script", ["langchain_client.py", "pydantic_ai_client.py"])


@pytest.fixture(scope="module")
def python(pytestconfig: pytest.Config) -> str:
    """A Python with the two packages, in an environment of its own."""
    folder = Path(pytestconfig.cache.mkdir("interop-python"))  # type: ignore[union-attr]
    found = folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    uv = [sys.executable, "-m", "uv"]
    make = [*uv, "venv", "--clear", "--quiet", "--python", sys.executable, str(folder / "env")]
    installed(folder, make, [*uv, "pip", "install", "--quiet", "--python", str(found), *PACKAGES])
    return str(found)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as running:
        yield running


@both
def test_a_whole_answer(server: Served, python: str, script: str) -> None:
    """It gets the text, the usage and the model's name."""
    told = run(server, [python, str(HERE / script)], "whole")
    assert told == {"text": "Paris.", "tokens": 16, "model": "gpt-4o-2024-08-06"}


@both
def test_a_stream(server: Served, python: str, script: str) -> None:
    """It streams the text as it comes."""
    told = run(server, [python, str(HERE / script)], "stream")
    assert told["text"] == "Paris." and told["spread"] == pytest.approx(0.4, abs=0.2)


@both
def test_a_miss(server: Served, python: str, script: str) -> None:
    """What is not recorded is its error for a model or path not found, with what to do, after one attempt."""
    told = run(server, [python, str(HERE / script)], "unknown")
    assert told["code"] == "recording_not_found" and "What to do now" in told["message"]
    assert attempts(server) == [404]


@both
def test_a_rate_limit_is_waited_out(server: Served, python: str, script: str) -> None:
    """It waits as told, and asks again."""
    put(server, {"kind": "rate_limit", "times": 1, "retry_after": 0.2})
    assert run(server, [python, str(HERE / script)], "whole")["text"] == "Paris."
    assert attempts(server) == [429, 200]
