"""The answers that were paid for, on disk: a SQLite file that is written before an answer counts as
received.

Each commit is flushed to the disk (synchronous=FULL), so a killed run loses at most what was in
flight; and only one run at a time can use the file (locking_mode=EXCLUSIVE). Answers that arrive
together are committed together. Taught in 05 §8.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..offline.limits.estimate import output_limit
from .requests import Request

APPLICATION = 0x6361_7463  # marks the file as ours
FORMAT = 1
ROOM = 1500  # bytes of an answer, besides its text
PER_TOKEN = 5  # bytes of a token of its text, generously
UNKNOWN = 400  # tokens of an answer that has no max_completion_tokens
MOST_ROOM = 256 * 2**20  # bytes that are claimed beforehand


class CheckpointError(RuntimeError):
    """The checkpoint cannot be used. Nothing was sent by this run."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer in the checkpoint: the JSON body, and the request id that the API gave it."""

    body: str
    request_id: str | None


class Checkpoint:
    """Use ``open_checkpoint``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[str, str, str | None]] = []
        self._written: asyncio.Future[None] | None = None

    def find(self, key: str) -> Finished | None:
        row = self._connection.execute(
            "SELECT body, request_id FROM answer WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Finished(*row)

    async def save(self, key: str, body: str, request_id: str | None) -> None:
        """Returns when the answer is on the disk. Raises sqlite3.Error if it could not be
        written.
        """
        self._waiting.append((key, body, request_id))
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            # after everything that arrived in this turn of the loop
            loop.call_soon(self._write)
        await asyncio.shield(self._written)

    def _write(self) -> None:
        rows, written = self._waiting, self._written
        self._waiting, self._written = [], None
        if written is None:
            return
        try:
            with _transaction(self._connection):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO answer VALUES (?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            written.set_exception(error)
        else:
            written.set_result(None)

    def close(self) -> None:
        """Write the answers that are still waiting, and close the file."""
        self._write()
        self._connection.close()

    def claim(self, room: int) -> None:
        """Reserve ``room`` bytes of the disk for the answers, so that a full disk is reported now
        and not after money has been spent.
        """
        with _transaction(self._connection):
            self._connection.execute(
                "CREATE TABLE room AS SELECT zeroblob(?)", (room,)
            )
        with _transaction(self._connection):
            # its pages stay in the file, free
            self._connection.execute("DROP TABLE room")


@contextlib.contextmanager
def open_checkpoint(
    path: str | Path, requests: Sequence[Request]
) -> Iterator[Checkpoint]:
    """The checkpoint at ``path``, which is created if necessary, with room for the answers that are
    missing.

    Raises CheckpointError before anything is sent: if the folder does not exist; if the file cannot
    be written, is not a checkpoint, or is in use by another run; or if the disk is full.
    """
    file = Path(path).expanduser()
    with contextlib.ExitStack() as stack:
        try:
            connection = sqlite3.connect(
                file, timeout=0.5, isolation_level=None
            )
            checkpoint = Checkpoint(connection)
            stack.callback(checkpoint.close)
            _set_up(connection, file)
            room = sum(
                _room(request)
                for request in requests
                if checkpoint.find(request.key) is None
            )
            checkpoint.claim(min(MOST_ROOM, room))
        except sqlite3.Error as error:
            raise CheckpointError(_why(file, error)) from error
        yield checkpoint


def _set_up(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA synchronous = FULL")
    with _transaction(connection):  # takes the lock for writing, and keeps it
        found = connection.execute(
            "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version"
            " WHERE EXISTS (SELECT * FROM sqlite_master)"
        ).fetchone()
        if found not in (None, (APPLICATION, FORMAT)):
            raise CheckpointError(
                f"{file.name} is a SQLite file, but not a checkpoint of this version, so nothing "
                "was sent and the file was not changed. Give another path."
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, body TEXT, request_id TEXT)"
        )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    with connection:  # commits at the end, or rolls back
        connection.execute("BEGIN IMMEDIATE")
        yield


def _room(request: Request) -> int:
    return ROOM + PER_TOKEN * (output_limit(request.params) or UNKNOWN)


NOT_WRITABLE = (
    "it cannot be written",
    "Give a path in a folder that exists and that you may write to",
)
# What is wrong and how to fix it, by the beginning of SQLite's name for the error.
CAUSES = {
    "SQLITE_BUSY": (
        "another run is using it",
        "Wait for that run to end, or give another path",
    ),
    "SQLITE_FULL": (
        "the disk is full",
        "Free some space, or give a path on another disk",
    ),
    "SQLITE_NOTADB": ("it is not a checkpoint", "Give another path"),
    "SQLITE_CANTOPEN": NOT_WRITABLE,
    "SQLITE_READONLY": NOT_WRITABLE,
}


def _why(file: Path, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    what, cure = (
        f"SQLite says: {error}",
        "Give another path, or restore the file from a copy",
    )
    for beginning, cause in CAUSES.items():
        if name.startswith(beginning):
            what, cure = cause
    return f"The checkpoint {file.name} cannot be used: {what}. Nothing was sent. {cure}."
