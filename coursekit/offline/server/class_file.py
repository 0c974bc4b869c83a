"""The file of a class: names, keys and meters, saved so that they outlive the server.

It is rewritten in full after each second in which something changed. A server that is killed loses
the counts of the last second and of the time that counting takes: a few seconds on a busy machine.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from ...foundation.files import DAMAGED_JSON, write_atomically
from ...tokens import count_tokens
from .roll import Roll, SavedClass

SECONDS = 1.0  # between two looks at what has changed
logger = logging.getLogger("coursekit.serve")


class CannotKeep(ValueError):
    """The file cannot be used; the message says why and what to do."""


class ClassFile:
    """``open`` it, ``keep`` the roll while the server runs, ``close`` it at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._end = threading.Event()
        self._keeper: threading.Thread | None = None
        self._written = ""
        self.trouble = ""  # why it could not be written at the last look

    def open(self) -> SavedClass:
        """The class in the file, or a new one if there is no file. Raises CannotKeep."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            if not self.path.exists():
                return SavedClass()
            text = self.path.read_text(encoding="utf-8")
        except Timeout:
            raise CannotKeep(
                f"Another server uses {self.path} for its class. This server was not started.\n"
                "Stop the other one, or give this class its own file with --class-file."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise CannotKeep(self._trouble(error)) from error
        try:
            return SavedClass.read(json.loads(text))
        except DAMAGED_JSON as error:
            raise CannotKeep(
                f"{self.path} is not a class file, or is damaged. The server was not started, and "
                "the file is unchanged.\n"
                "Move the file away to start a new class, or name another --class-file."
            ) from error

    def keep(self, roll: Roll) -> None:
        """Write the roll now, and from now on whenever it has changed. Raises CannotKeep if that
        cannot be done.
        """
        try:
            self._write(roll)
        except OSError as error:
            raise CannotKeep(self._trouble(error)) from error
        self._keeper = threading.Thread(
            target=self._keep, args=(roll,), name="class-file", daemon=True
        )
        self._keeper.start()

    def close(self) -> None:
        """Write the last changes, and release the file."""
        self._end.set()
        if self._keeper is not None:
            self._keeper.join()
        self._lock.release()

    def _keep(self, roll: Roll) -> None:
        # The first count takes seconds, which a learner would otherwise wait for.
        count_tokens("warm-up")
        ended = False
        while not ended:
            ended = self._end.wait(SECONDS)
            try:
                self._write(roll)
                self.trouble = ""
            # a full disk: the class goes on, and the next look tries again
            except OSError as error:
                if not self.trouble:
                    logger.warning("%s", self._trouble(error))
                self.trouble = self._trouble(error)

    def _trouble(self, error: OSError | UnicodeDecodeError) -> str:
        what = (
            f"The class cannot be saved in {self.path}: "
            f"{getattr(error, 'strerror', None) or error}."
        )
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and not self.path.is_file():
            return f"{what}\nName another --class-file, or let the server write there."
        cure = (
            "Free some space on that disk"
            if full
            else "Let the server read and write that file"
        )
        return (
            f"{what}\n{cure}. A running class continues, and is saved as soon as that works. Do "
            "not start another file: the keys of everyone who has joined depend on this one."
        )

    def _write(self, roll: Roll) -> None:
        text = json.dumps(roll.as_dict(), indent=1, ensure_ascii=False) + "\n"
        if text != self._written:
            write_atomically(self.path, text, mode=0o600)
            self._written = text
