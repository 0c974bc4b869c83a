"""The npm package ``openai`` (JavaScript) with the server, unmodified except for its base URL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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

from coursekit import models
from coursekit.course import recording_folders
from support.source_page import answered, bodies

PACKAGE = "openai@7.57.0"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.registry,
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
    installed(
        folder, ["npm", "install", "--prefix", str(folder), *quick, PACKAGE]
    )
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


def test_what_is_asked_is_answered(
    tmp_path: Path, node: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets the text, usage, and request id, the chunks up to the finish_reason, its helper's
    completion, and the list of models. An invalid request and one without a recording are typed
    errors after one attempt, refusals have the same words as in process, and each request on the
    course's source page is answered.
    """
    monkeypatch.setenv("REFUSED", json.dumps(REFUSED))
    tasks = (
        f"whole,stream,helper,models,wrong,unknown,refused,{bodies(tmp_path)}"
    )
    with serving(tmp_path / "recordings", *recording_folders()) as server:
        whole, stream, helper, listed, wrong, unknown, refused, page = run(
            server, node, tasks
        )
        assert attempts(server)[:5] == [200, 200, 200, 400, 404]
    assert whole == {"text": "Paris.", "usage": 16, "id": "req_test"}
    assert stream == helper == {"text": "Paris.", "finish": "stop"}
    assert models.CHAT in listed["found"]
    assert (wrong["error"], wrong["status"]) == ("BadRequestError", 400)
    assert (wrong["code"], wrong["param"]) == ("empty_array", "messages")
    assert wrong["requestID"].startswith("req_")
    assert (unknown["error"], unknown["code"]) == (
        "NotFoundError",
        "recording_not_found",
    )
    assert "What to do now" in unknown["message"]
    assert refused == refusals()
    assert answered(page)


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"kind": "rate_limit", "times": 1, "retry_after": 0.1}, [429, 200]),
        ({"kind": "connection", "times": 1}, [0, 200]),
    ],
)
def test_a_fault_that_passes_is_tried_again(
    tmp_path: Path, node: list[str], fault: dict[str, Any], statuses: list[int]
) -> None:
    """It waits out a rate limit as long as the server says, and retries after a lost connection."""
    with serving(tmp_path) as server:
        put(server, fault)
        assert run(server, node, "whole")[0]["text"] == "Paris."
        assert attempts(server) == statuses


@pytest.mark.parametrize("abrupt", [True, False])
def test_a_cut_stream(tmp_path: Path, node: list[str], abrupt: bool) -> None:
    """A stream that breaks is an error. One that is closed cleanly but too early has no
    finish_reason.
    """
    with serving(tmp_path) as server:
        put(server, {"kind": "cut_stream", "abrupt": abrupt})
        (told,) = run(server, node, "stream")
    assert (
        ("error" in told)
        if abrupt
        else (told["finish"] is None and told["text"])
    )
