"""A stand-in for the real API on some date, on `coursekit serve`'s server: models that were shut
down answer 404, other models refuse invalid requests, and valid requests get a well-formed answer.
Whatever the model, the answer is what the lesson's author wrote for the question, so it says
nothing about how a model would answer.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from coursekit import models, tokens
from coursekit.course import DATA
from coursekit.offline.engine import OfflineApi
from coursekit.offline.exchange import ApiAnswer, ApiRequest
from coursekit.offline.recorded.written import (
    Pace,
    Reply,
    Written,
    written_answer,
)
from coursekit.offline.recordings import Recordings
from coursekit.offline.rules.validation import refusal_of
from coursekit.offline.server import room
from coursekit.offline.server.injection import Injected
from coursekit.workshop.commands.environment import offline_environment
from support.served import Served, served

PACE = Pace(first=0.001, gap=0.0001, hidden=0.0)


class LiveApi:
    """A layer that answers as the API would on that date, and records each requested model with the
    status.
    """

    def __init__(self, stem: str, today: datetime.date) -> None:
        path = DATA / "replies" / f"{stem}.toml"
        replies = Written(path, Recordings([])).replies if path.exists() else []
        self.replies = [
            replace(reply, when={**reply.when, "model": None})
            for reply in replies
        ]
        self.today = today
        self.asked: list[tuple[str, int]] = []

    def answer(self, request: ApiRequest) -> ApiAnswer:
        answer = refusal_of(request.body, today=self.today) or self._said(
            request
        )
        self.asked.append(
            (str((request.body or {}).get("model")), answer.status)
        )
        return answer

    def _said(self, request: ApiRequest) -> ApiAnswer:
        body = request.body
        # the author wrote the replies for the source's models, but any model gets them
        asked = {
            **body,
            "model": None,
        }
        fitting = [reply for reply in self.replies if reply.answers(asked)]
        reply = max(
            fitting,
            key=lambda entry: (len(entry.when), len(entry.to)),
            default=Reply(""),
        )
        if reply.local or not (reply.text or reply.texts or reply.refusal):
            reply = replace(reply, text="The stand-in answers.", local=False)
        return _with_logprobs(
            written_answer(request, reply, self.today, PACE), body
        )


class LiveRoom(room.Room):
    """A server's room in which everybody uses that API."""

    live: LiveApi

    def _api_of(self, name: str) -> Injected:
        answers = getattr(self, "live", None) or LiveApi("", datetime.date.min)
        api = OfflineApi(answers, self.clock, rate_limit=self.rate_limit)
        return Injected(api, self.injections, name, random.Random(0))


@contextlib.contextmanager
def live_api(
    stem: str, today: datetime.date, folder: Path
) -> Iterator[tuple[Served, LiveApi]]:
    """A running server that plays the API on that date for one lesson; ``folder`` is empty."""
    api = LiveApi(stem, today)
    with served(folder, kind=LiveRoom) as running:
        running.room.live = api  # type: ignore[attr-defined]
        yield running, api


def failures(path: Path, environment: Mapping[str, str]) -> list[str]:
    """Run the notebook to its end. Returns the cells that failed and should not have: "[number]
    Error: text", shortened.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        ),
        resources={"metadata": {"path": str(path.parent)}},
        timeout=600,  # only a hang takes this long
        allow_errors=True,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(env=dict(environment), cleanup_kc=True)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        f"[{number}] {output.ename}: {output.evalue[:300]}"
        for number, cell in enumerate(code, 1)
        for output in cell.outputs
        if output.output_type == "error"
        and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def live_environment(url: str, today: datetime.date) -> dict[str, str]:
    return offline_environment() | {
        "COURSEKIT_MODE": "live",
        "COURSEKIT_TODAY": today.isoformat(),
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_KEY": "sk-for-the-stand-in",
        "NO_PROXY": "*",
    }


def _with_logprobs(answer: ApiAnswer, body: Mapping[str, Any]) -> ApiAnswer:
    """The answer, with well-formed log-probabilities if they were requested and the answer is
    complete.
    """
    if not body.get("logprobs") or answer.events:
        return answer
    value = json.loads(answer.body)
    for choice in value["choices"]:
        pieces = [
            token.text
            for token in tokens.tokenize(
                choice["message"]["content"], models.get(body["model"]).name
            )
        ]
        entry = [
            {"token": piece, "logprob": -0.1, "bytes": list(piece.encode())}
            for piece in pieces
        ]
        top = body.get("top_logprobs") or 0
        choice["logprobs"] = {
            "content": [
                {**one, "top_logprobs": [one] * min(top, 1)} for one in entry
            ],
            "refusal": None,
        }
    return replace(answer, body=json.dumps(value).encode())
