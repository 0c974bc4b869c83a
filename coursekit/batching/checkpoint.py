"""The answers that were paid for, on disk: a SQLite file that is written before an answer counts as
received.

Each commit is flushed to the disk (synchronous=FULL), so a killed run loses at most what was in
flight; and one run at a time has the file (locking_mode=EXCLUSIVE). Answers that arrive together
are committed together.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    async def keep(self, key: str, body: str, request_id: str | None) -> None:
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
        """Also write what was handed over in this very turn, and close the file."""
        self._write()
        self._connection.close()

    def claim(self, room: int) -> None:
        """Reserve ``room`` bytes of the disk for the answers, so that a full disk is reported now
        and not after money has been spent.
        """
        with _transaction(self._connection):
            self._connection.execute("CREATE TABLE room (bytes BLOB)")
            self._connection.execute(
                "INSERT INTO room VALUES (zeroblob(?))", (room,)
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
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(file, timeout=0.5, isolation_level=None)
        _set_up(connection, file)
        checkpoint = Checkpoint(connection)
        missing = [
            request
            for request in requests
            if checkpoint.find(request.key) is None
        ]
        checkpoint.claim(min(MOST_ROOM, sum(map(_room, missing))))
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise CheckpointError(_why(file, error)) from error
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    with contextlib.closing(checkpoint):
        yield checkpoint


def _set_up(connection: sqlite3.Connection, file: Path) -> None:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA synchronous = FULL")
    with _transaction(connection):  # takes the lock for writing, and keeps it
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute(
            "SELECT count(*) FROM sqlite_master"
        ).fetchone()[0]
        form = connection.execute("PRAGMA user_version").fetchone()[0]
        if tables and (mark != APPLICATION or form != FORMAT):
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
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk has rolled it back already
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _room(request: Request) -> int:
    tokens = request.params.get("max_completion_tokens") or request.params.get(
        "max_tokens"
    )
    return ROOM + PER_TOKEN * (
        tokens if isinstance(tokens, int) and tokens > 0 else UNKNOWN
    )


def _why(file: Path, error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        what, cure = (
            "another run is using it",
            "Wait for that run to end, or give another path",
        )
    elif name.startswith("SQLITE_FULL"):
        what, cure = (
            "the disk has no room for the answers",
            "Free some space, or give a path on another disk",
        )
    elif name.startswith("SQLITE_NOTADB"):
        what, cure = "it is not a checkpoint", "Give another path"
    elif name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        what, cure = (
            "it cannot be written",
            "Give a path in a folder that exists and that you may write to",
        )
    else:
        what, cure = (
            f"SQLite says: {error}",
            "Give another path, or restore the file from a copy",
        )
    return f"The checkpoint {file.name} cannot be used: {what}. Nothing was sent. {cure}."
