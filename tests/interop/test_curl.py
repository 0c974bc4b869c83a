"""curl with the server: what a person sees in a terminal, and what a shell script gets."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from foreign import REFUSED, refusals

from coursekit.course import recording_folders
from support.offline_api import folder_with, params, streamed, whole
from support.served import Served, served
from support.source_page import SNIPPETS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        shutil.which("curl") is None, reason="there is no curl on this machine"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("recordings")
    stream = streamed(["Par", "is", "."])
    folder_with(
        folder, (params(), whole("Paris.")), (params(stream=True), stream)
    )
    with served(folder) as running:
        yield running


def curl(server: Served, body: Any, *options: str, key: str = "k") -> list[str]:
    command = [
        "curl",
        "-sS",
        "--max-time",
        "20",
        f"{server.url}/v1/chat/completions",
        *options,
    ]
    headers = [
        "-H",
        f"Authorization: Bearer {key}",
        "-H",
        "Content-Type: application/json",
    ]
    return [*command, *headers, "-d", json.dumps(body)]


def test_a_whole_answer(server: Served) -> None:
    """curl prints the completion."""
    said = subprocess.run(
        curl(server, params()), capture_output=True, check=True
    )
    assert said.stdout == whole("Paris.").body


def test_a_stream(server: Served) -> None:
    """``curl -N`` prints each event, up to [DONE]."""
    command = curl(server, params(stream=True), "-N")
    said = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in said.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "data: [DONE]"
    assert len([line for line in lines if '"delta":{"content"' in line]) == 3


def test_an_error(server: Served) -> None:
    """An error is the API's JSON, with its status and a request ID."""
    body = {"model": "gpt-4o", "messages": []}
    said = subprocess.run(
        curl(server, body, "-i"), capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("HTTP/1.1 400 ") and "x-request-id: req_" in said
    assert json.loads(said[said.index("{") :])["error"]["code"] == "empty_array"


def test_a_broken_stream(server: Served) -> None:
    """If a stream breaks, curl ends with "transfer closed with outstanding read data remaining"
    (18).
    """
    order = {"fault": {"kind": "cut_stream", "abrupt": True}, "seconds": 20}
    server.admin("POST", "/admin/faults", order)
    said = subprocess.run(
        curl(server, params(stream=True), "-N"),
        capture_output=True,
        text=True,
        check=False,
    )
    server.admin("DELETE", "/admin/faults")
    assert (
        said.returncode == 18
        and "data: " in said.stdout
        and "[DONE]" not in said.stdout
    )


def test_an_upload_that_is_too_large(server: Served) -> None:
    """curl asks before it sends a large body, and gets a 413."""
    command = curl(server, {}, "-o", "-", "-w", "%{http_code}")
    command[command.index("-d") + 1] = "@-"
    said = subprocess.run(
        command, input=b" " * 20_000_000, capture_output=True, check=False
    )
    assert said.stdout.endswith(b"413") and b"body_too_large" in said.stdout


def test_the_source_page() -> None:
    """Each request on the course's source page is answered as printed there, complete or as events
    up to [DONE].
    """
    with served(*recording_folders()) as server:
        for body, part in SNIPPETS.values():
            said = subprocess.run(
                curl(server, body), capture_output=True, text=True, check=True
            ).stdout
            if body.get("stream"):
                chunks = [
                    json.loads(line[6:])
                    for line in said.splitlines()
                    if line.startswith("data: {")
                ]
                assert said.rstrip().endswith("data: [DONE]")
                assert part in "".join(
                    chunk["choices"][0]["delta"].get("content") or ""
                    for chunk in chunks
                )
            else:
                assert (
                    part in json.loads(said)["choices"][0]["message"]["content"]
                )


def test_refusals_are_those_in_process(server: Served) -> None:
    """curl prints the same words that a client in process sees."""
    said = [
        subprocess.run(
            curl(server, body), capture_output=True, check=True
        ).stdout
        for body in REFUSED
    ]
    assert [json.loads(body)["error"]["message"] for body in said] == refusals()
