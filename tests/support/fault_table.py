"""What a caller sees of each fault: the table that tests check cell by cell, in process and on a
server.

    PYTHONPATH=tests .venv/bin/python -m support.fault_table     prints it, measured, as Markdown

Each column is a way to call the API (``CALLS``) through a ``Door``, which makes clients with
faults. Another door, such as a server, needs a class like ``InProcess`` and uses the same table.
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import openai

from coursekit import connect, connect_async
from coursekit.offline import Fault
from coursekit.wired import wired_to
from support.offline_api import folder_with, params, streamed, whole

CALLS = ("sync", "async", "stream", "async stream")
WORDS = ["Paris", " is", " the", " capital."]


class Door(Protocol):
    def client(
        self, asynchronous: bool, faults: list[Fault], **options: Any
    ) -> Any:
        """A new client, with faults, for the API behind the door; ``options`` are those of
        openai.OpenAI.
        """

    def attempts(self) -> int:
        """How many requests the newest client has sent."""


@dataclass(frozen=True)
class Row:
    """A fault, what a caller without retries sees of a complete answer and of a stream, and how
    many attempts the SDK makes with its two retries if the fault does not go away.
    """

    name: str
    fault: dict[str, Any]
    whole: str
    stream: str
    attempts: tuple[int, int]

    def seen(self, call: str) -> str:
        return self.stream if "stream" in call else self.whole

    def tries(self, call: str) -> int:
        return self.attempts["stream" in call]

    def faults(self, times: float = math.inf) -> list[Fault]:
        return [Fault(**self.fault, times=times)]


RATE_LIMIT = "RateLimitError 429 rate_limit_exceeded"
QUOTA = "RateLimitError 429 insufficient_quota"
SERVER = "InternalServerError 500 server_error"
OVERLOADED = "InternalServerError 503 server_error"
BROKEN = "APIConnectionError"
GARBLED = "JSONDecodeError"
ROWS = [
    Row(
        "(none)",
        {"kind": "slow", "seconds": 0},
        "Paris.|stop",
        "Paris is the capital.|stop",
        (1, 1),
    ),
    Row("rate_limit", {"kind": "rate_limit"}, RATE_LIMIT, RATE_LIMIT, (3, 3)),
    Row("quota", {"kind": "quota"}, QUOTA, QUOTA, (3, 3)),
    Row("server_error", {"kind": "server_error"}, SERVER, SERVER, (3, 3)),
    Row("overloaded", {"kind": "overloaded"}, OVERLOADED, OVERLOADED, (3, 3)),
    Row(
        "timeout",
        {"kind": "timeout"},
        "APITimeoutError",
        "APITimeoutError",
        (3, 3),
    ),
    Row("connection", {"kind": "connection"}, BROKEN, BROKEN, (3, 3)),
    Row("cut_stream", {"kind": "cut_stream"}, BROKEN, "Paris is|None", (3, 1)),
    Row(
        "cut_stream, abrupt",
        {"kind": "cut_stream", "abrupt": True},
        BROKEN,
        f"Paris is|None|{BROKEN}",
        (3, 1),
    ),
    Row(
        "malformed",
        {"kind": "malformed"},
        GARBLED,
        f"Paris is|None|{GARBLED}",
        (1, 1),
    ),
    Row(
        "stream_error",
        {"kind": "stream_error"},
        SERVER,
        "Paris is|None|APIError server_error",
        (3, 1),
    ),
    Row(
        "slow",
        {"kind": "slow", "seconds": 2},
        "Paris.|stop",
        "Paris is the capital.|stop",
        (1, 1),
    ),
]


def seen(door: Door, call: str, faults: list[Fault], **options: Any) -> str:
    """What the caller of one call sees: the text, its finish_reason, and the error, if there are
    any.
    """
    if "async" in call:
        return asyncio.run(_seen_async(door, call, faults, options))
    client = door.client(False, faults, **options)
    arrived = _Arrived()
    try:
        reply = client.chat.completions.create(
            **params(), stream="stream" in call
        )
        for part in reply if "stream" in call else [reply]:
            arrived.add(part)
    except (openai.OpenAIError, ValueError) as error:
        arrived.error = error
    client.close()
    return str(arrived)


async def _seen_async(
    door: Door, call: str, faults: list[Fault], options: dict[str, Any]
) -> str:
    client = door.client(True, faults, **options)
    arrived = _Arrived()
    try:
        reply = await client.chat.completions.create(
            **params(), stream="stream" in call
        )
        if "stream" in call:
            async for part in reply:
                arrived.add(part)
        else:
            arrived.add(reply)
    except (openai.OpenAIError, ValueError) as error:
        arrived.error = error
    await client.close()
    return str(arrived)


class _Arrived:
    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.text, self.finish_reason, self.error = "", None, None  # type: ignore[var-annotated]

    def add(self, part: Any) -> None:
        self.parts.append(part)
        for choice in part.choices:
            message = getattr(choice, "delta", None) or choice.message
            self.text += message.content or ""
            self.finish_reason = choice.finish_reason or self.finish_reason

    def __str__(self) -> str:
        told = [self.text, str(self.finish_reason)] if self.parts else []
        return "|".join(told + ([_error(self.error)] if self.error else []))


def _error(error: Exception) -> str:
    name = (
        "JSONDecodeError"
        if isinstance(error, json.JSONDecodeError)
        else type(error).__name__
    )
    about = [
        getattr(error, "status_code", None),
        getattr(error, "code", None) or getattr(error, "type", None),
    ]
    return " ".join([name, *(str(value) for value in about if value)])


class InProcess:
    """The door of connect() and connect_async(), with two recordings: a complete answer and a
    stream.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder_with(
            folder,
            (params(stream=False), whole("Paris.")),
            (params(stream=True), streamed(WORDS)),
        )

    def client(
        self, asynchronous: bool, faults: list[Fault], **options: Any
    ) -> Any:
        make = connect_async if asynchronous else connect
        options = {
            "speed": "instant",
            "max_retries": 0,
            "timeout": 30.0,
            **options,
        }
        self._newest = make(
            "replay", recordings=self.folder, faults=faults, **options
        )
        return self._newest

    def attempts(self) -> int:
        return len(wired_to(self._newest).ledger)


def main() -> None:
    door = InProcess(Path(tempfile.mkdtemp()))
    print(
        "| fault | "
        + " | ".join(CALLS)
        + " | attempts with the SDK's two retries |"
    )
    print("|---" * (len(CALLS) + 2) + "|")
    for row in ROWS:
        cells, attempts = [], []
        for call in CALLS:
            cells.append(seen(door, call, row.faults()).replace("|", " · "))
            seen(door, call, row.faults(), max_retries=2)
            attempts.append(str(door.attempts()))
        print(
            f"| {row.name} | "
            + " | ".join(cells)
            + f" | {', '.join(attempts)} |"
        )


if __name__ == "__main__":
    main()
