"""The file of a class: names, keys and meters, saved so that they outlive the server.

It is written whole, and anew each second in which something has changed. A server that is killed
loses the counts of the last second, and of the time that counting takes: on a busy machine, that of
a few.
"""

from __future__ import annotations

import errno
import json
import logging
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from ...foundation.files import write_atomically
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
        """What is in the file; a new class where there is none. Raises CannotKeep."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            if not self.path.exists():
                return SavedClass()
            text = self.path.read_text(encoding="utf-8")
        except Timeout:
            raise CannotKeep(
                f"Another server keeps its class in {self.path}. Nothing was opened.\n"
                "What to do: end that one, or give this class a file of its own with --class-file."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise CannotKeep(self._trouble(error)) from error
        try:
            return SavedClass.read(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise CannotKeep(
                f"{self.path} is not the file of a class, or is damaged. Nothing was opened, and "
                "the file is unchanged.\n"
                "What to do: move it away to begin a new class, or name another --class-file."
            ) from error

    def keep(self, roll: Roll) -> None:
        """Write the roll now, and from now on whenever it has changed. Raises CannotKeep where that
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
        """Write what has changed last, and let the file go."""
        self._end.set()
        if self._keeper is not None:
            self._keeper.join()
        self._lock.release()

    def _keep(self, roll: Roll) -> None:
        count_tokens(
            "the first time takes seconds, and later would be in the way"
        )
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
            f"The class cannot be kept in {self.path}: "
            f"{getattr(error, 'strerror', None) or error}."
        )
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if not full and not self.path.is_file():
            return f"{what}\nWhat to do: name another --class-file, or let the server write there."
        cure = (
            "make room on that disk"
            if full
            else "let the server read and write that file"
        )
        return (
            f"{what}\nWhat to do: {cure}. A running class goes on, and is written as soon as that "
            "works. Do not begin "
            "another file: the keys of all who have joined are made with this one."
        )

    def _write(self, roll: Roll) -> None:
        text = json.dumps(roll.as_dict(), indent=1, ensure_ascii=False) + "\n"
        if text != self._written:
            write_atomically(self.path, text, mode=0o600)
            self._written = text
