"""Third-party clients: where they are installed, and what all of them do.

They are installed at fixed versions when they are first needed, into pytest's cache folder, outside
the project's environment. Without a network, npm, or uv, their tests are skipped with a reason.
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
] = [  # one request of each of several kinds that the API refuses
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
    """Return ``folder`` after these commands have filled it, once. If they cannot, skip the
    test.
    """
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
    """A server with the scripts' question recorded once complete and once as a stream, in whatever
    form these clients send it.
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
    """What a script prints as JSON after doing one or several tasks with the server as its API."""
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
    """What the offline API answers to REFUSED in process. Every client must see the same."""
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
    """The statuses of all learners' requests so far."""
    return [
        attempt.status
        for learner in server.room.learners
        for attempt in learner.ledger
    ]
