"""Live mode on other servers, which are really started: each cell runs, or says what the server
does not have.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from importlib import util
from pathlib import Path

import httpx2
import pytest

from coursekit.course import lessons
from coursekit.local_model import SMOLLM2
from support import llama_server
from support.chapter_on_server import run_chapter, server_environment
from support.ports import free_port

ROOT = Path(__file__).parents[1]
FOUND = ROOT / "build" / "servers"
KEY = "sk-of-the-proxy-in-the-tests"
PROXY = """
model_list:
  - model_name: mocked
    litellm_params: {model: openai/mocked, api_key: none, mock_response: "Paris. This answer is a mock."}
"""


@pytest.fixture(scope="module", params=["llama.cpp", "litellm"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str, str]]:
    """(kind, base URL, model) of a running server. Skips a kind that is not installed."""
    start = {"llama.cpp": _llama, "litellm": _litellm}[request.param]
    with start(tmp_path_factory.mktemp("server")) as (url, model):
        yield request.param, url, model


@contextlib.contextmanager
def _llama(folder: Path) -> Iterator[tuple[str, str]]:
    # a Python that has xllamacpp
    python = os.environ.get("COURSEKIT_TEST_LLAMA", sys.executable)
    if (
        python == sys.executable and util.find_spec("xllamacpp") is None
    ) or not SMOLLM2.path.is_file():
        pytest.skip("needs `coursekit local install`")
    command = [python, llama_server.__file__, str(SMOLLM2.path)]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    with _running(
        command,
        folder,
        environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield (
            process.stdout.readline().decode().strip() + "/v1",
            llama_server.NAME,
        )


@contextlib.contextmanager
def _litellm(folder: Path) -> Iterator[tuple[str, str]]:
    program = os.environ.get("COURSEKIT_TEST_LITELLM") or shutil.which(
        "litellm"
    )
    if program is None:
        pytest.skip(
            "needs litellm[proxy], in an environment of its own: COURSEKIT_TEST_LITELLM"
        )
    port = free_port()
    (folder / "proxy.yaml").write_text(PROXY, "utf-8")
    command = [
        program,
        "--config",
        "proxy.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    allowed = {
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    environment = (
        os.environ
        | allowed
        | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}
    )
    with _running(command, folder, environment) as process:
        url = f"http://127.0.0.1:{port}/v1"
        _wait(f"{url}/models", process)
        yield url, "mocked"


@contextlib.contextmanager
def _running(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=stdout or log,
            stderr=log,
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()


def _wait(
    url: str, process: subprocess.Popen[bytes], seconds: float = 120
) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            httpx2.get(
                url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
            )
            return
        time.sleep(0.5)
    raise TimeoutError(f"Nobody answers at {url}.")


@pytest.mark.servers
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stem", [lesson.stem for lesson in lessons()])
def test_a_chapter_runs_live_or_says_what_the_server_lacks(
    server: tuple[str, str, str], stem: str
) -> None:
    """No cell fails because of the course's own code. Each result is saved for the table in
    deploy/SERVERS.md.
    """
    kind, url, model = server
    cells = run_chapter(
        ROOT / "notebooks" / f"{stem}.ipynb",
        server_environment(url, model, KEY),
    )
    FOUND.mkdir(parents=True, exist_ok=True)
    (FOUND / f"{kind} {stem}.json").write_text(
        json.dumps([asdict(cell) for cell in cells], indent=1), "utf-8"
    )
    assert [cell for cell in cells if cell.what in ("fails", "slow")] == []
