"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

# What reading JSON and taking fields out of it raises where the text is damaged, or something else.
DAMAGED_JSON = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a whole file or nothing: a reader sees the old text or the new, a full disk leaves the
    old.

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
    """Write the text to a file that holds another one; whether it did."""
    changed = path.read_text(encoding="utf-8") != text
    if changed:
        write_atomically(path, text)
    return changed
