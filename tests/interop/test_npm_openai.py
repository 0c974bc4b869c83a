"""The npm package ``openai`` (JavaScript) against the server, unmodified but for its base URL."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from foreign import HERE, REFUSED, attempts, installed, put, refusals, run, serving

from coursekit import models
from coursekit.course import recording_folders
from support.served import Served, served
from support.source_page import answered, bodies

PACKAGE = "openai@7.57.0"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        not (shutil.which("npm") and shutil.which("node")),
        reason="there is no npm on this machine",
    ),
]


@pytest.fixture(scope="module")
def node(pytestconfig: pytest.Config) -> list[str]:
    """The command that runs the script with the package."""
    folder = Path(pytestconfig.cache.mkdir("interop-npm"))  # type: ignore[union-attr]
    quick = [
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=0",
        "--fetch-timeout=30000",
    ]
    installed(folder, ["npm", "install", "--prefix", str(folder), *quick, PACKAGE])
    script = folder / "npm_client.mjs"
    shutil.copy(HERE / "npm_client.mjs", script)
    return [
        "node",
        "-e",
        (
            f"process.chdir({str(folder)!r}); process.argv.splice(1, 0, 'x'); "
            f"import({script.as_uri()!r})"
        ),
    ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as running:
        yield running


def test_a_whole_answer(server: Served, node: list[str]) -> None:
    """It gets text, usage and request id."""
    assert run(server, node, "whole") == {
        "text": "Paris.",
        "usage": 16,
        "id": "req_test",
    }


def test_a_stream(server: Served, node: list[str]) -> None:
    """It iterates over the chunks as they come, to the finish_reason."""
    told = run(server, node, "stream")
    assert (told["text"], told["finish"]) == ("Paris.", "stop") and told[
        "spread"
    ] == pytest.approx(0.4, abs=0.2)


def test_the_streaming_helper(server: Served, node: list[str]) -> None:
    """Its helper puts the chunks together to a completion."""
    assert run(server, node, "helper") == {"text": "Paris.", "finish": "stop"}


def test_a_wrong_request(server: Served, node: list[str]) -> None:
    """A wrong request is its typed error, after one attempt."""
    told = run(server, node, "wrong")
    assert (told["error"], told["status"], told["code"], told["param"]) == (
        "BadRequestError",
        400,
        "empty_array",
        "messages",
    )
    assert told["requestID"].startswith("req_") and attempts(server) == [400]


def test_a_miss(server: Served, node: list[str]) -> None:
    """What is not recorded is an error that says what to do, after one attempt."""
    told = run(server, node, "unknown")
    assert (told["error"], told["code"]) == ("NotFoundError", "recording_not_found")
    assert "What to do now" in told["message"] and attempts(server) == [404]


def test_a_rate_limit_is_waited_out(server: Served, node: list[str]) -> None:
    """It waits as told, and asks again."""
    put(server, {"kind": "rate_limit", "times": 1, "retry_after": 0.2})
    assert run(server, node, "whole")["text"] == "Paris." and attempts(server) == [
        429,
        200,
    ]


def test_a_lost_connection_is_tried_again(server: Served, node: list[str]) -> None:
    """A connection that fails is tried again."""
    put(server, {"kind": "connection", "times": 1})
    assert run(server, node, "whole")["text"] == "Paris." and attempts(server) == [
        0,
        200,
    ]


@pytest.mark.parametrize("abrupt", [True, False])
def test_a_cut_stream(server: Served, node: list[str], abrupt: bool) -> None:
    """A stream that breaks is an error; one that is cut in good order lacks its finish_reason."""
    put(server, {"kind": "cut_stream", "abrupt": abrupt})
    told = run(server, node, "stream")
    assert ("error" in told) if abrupt else (told["finish"] is None and told["text"])


def test_models(server: Served, node: list[str]) -> None:
    """It lists the models."""
    assert models.CHAT in run(server, node, "models")["found"]


def test_the_source_page(tmp_path: Path, node: list[str]) -> None:
    """Each request of the course's source page is answered as printed there."""
    with served(*recording_folders()) as server:
        assert answered(run(server, node, bodies(tmp_path)))


def test_refusals_are_those_in_process(
    server: Served, node: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the very words that a client in process sees."""
    monkeypatch.setenv("REFUSED", json.dumps(REFUSED))
    assert run(server, node, "refused") == refusals()
