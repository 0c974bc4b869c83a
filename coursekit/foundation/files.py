"""Files that are written completely or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

# The errors raised by reading fields from JSON if the text is damaged or has other content.
DAMAGED_JSON = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a complete file or nothing: a reader sees either the old text or the new, and a full
    disk leaves the old file intact.

    mode  who may read and write the file, as for ``os.chmod``
    """
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:40]}-", suffix=".part"
    )
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def write_if_changed(path: Path, text: str) -> bool:
    """Write the text to a file unless the file already contains it. Returns whether it was
    written.
    """
    changed = path.read_text(encoding="utf-8") != text
    if changed:
        write_atomically(path, text)
    return changed
