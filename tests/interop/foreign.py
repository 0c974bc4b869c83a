"""Clients that are not ours: where they are put, and what all of them are asked to do.

They are installed when they are first wanted, at fixed versions, into pytest's cache folder:
outside the project, and outside its environment. Without a network (or npm, or uv) their tests are
skipped, and say why.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from coursekit.offline.rules.validation import refusal_of
from support.offline_api import folder_with, params, streamed, whole
from support.served import Served, served
from support.waiting import HANG

HERE = Path(__file__).parent
PROMPT = "What is the capital of France?"
LIST = {"type": "object", "properties": {"objects": {"type": "array"}}}
IMAGE = [
    {"type": "text", "text": "Describe."},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
]
REFUSED: list[
    dict[str, Any]
] = [  # one request of several kinds that the API refuses
    {
        **params(PROMPT),
        "tools": [
            {
                "type": "function",
                "function": {"name": "room", "parameters": LIST},
            }
        ],
    },
    {**params(PROMPT), "logit_bias": {"Paris": 10}},
    {
        **params(PROMPT),
        "model": "gpt-5.2-chat-latest",
        "reasoning_effort": "high",
    },
    {
        "model": "gpt-3.5-turbo",
        "messages": [{"role": "user", "content": IMAGE}],
    },
]


def installed(folder: Path, *commands: list[str]) -> Path:
    """``folder`` after these commands have filled it, once. Skips the test when they cannot."""
    done = folder / "installed"
    if not done.exists() or done.read_text() != repr(commands):
        for command in commands:
            try:
                run = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                pytest.skip(
                    f"{command[0]} cannot install this client here: {error}"
                )
            if run.returncode:
                said = (run.stderr or run.stdout).strip().splitlines() or [
                    "it said nothing"
                ]
                pytest.skip(
                    f"{command[0]} cannot install this client here: {said[-1]}"
                )
        done.write_text(repr(commands))
    return folder


@contextmanager
def serving(folder: Path, *more: Path) -> Iterator[Served]:
    """A server with the question of the scripts recorded once whole and once as a stream, however
    these clients ask.
    """
    whole_answer, stream = (
        whole("Paris."),
        streamed(["Par", "is", "."]),
    )
    bodies: list[tuple[dict[str, Any], Any]] = [
        (params(PROMPT), whole_answer),
        (params(PROMPT, stream=True), stream),
        (params("What is the capital of Germany?"), whole("Berlin.")),
    ]
    with served(folder_with(folder, *bodies), *more) as running:
        yield running


def run(server: Served, command: list[str], tasks: str) -> Any:
    """What a script prints as JSON, when it is asked to do a task, or several, with the server as
    its API.
    """
    said = subprocess.run(
        [*command, f"{server.url}/v1", tasks],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout.splitlines()[-1])


def refusals() -> list[str]:
    """What the offline API says to REFUSED in process: every client must see the same."""
    answers = [refusal_of(body) for body in REFUSED]
    return [
        json.loads(answer.body)["error"]["message"]
        for answer in answers
        if answer
    ]


def put(server: Served, fault: dict[str, Any]) -> None:
    server.admin("DELETE", "/admin/faults")
    assert (
        server.admin(
            "POST", "/admin/faults", {"fault": fault, "seconds": 60}
        ).status_code
        == 201
    )


def attempts(server: Served) -> list[int]:
    """The statuses of all requests so far, of all learners."""
    return [
        attempt.status
        for learner in server.room.learners
        for attempt in learner.ledger
    ]
