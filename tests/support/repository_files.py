"""The repository's files, as git lists them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def repository_files(*folders: str, new: bool = False) -> list[str]:
    """The committed files, relative to the repository's root; with ``new``, also the files that git
    would add.

    If the course was unpacked from an archive, skips the test, because nothing distinguishes the
    course's files from others.
    """
    if not (ROOT / ".git").exists():
        pytest.skip(
            "not a clone: git cannot tell which files belong to the course"
        )
    more = ["--cached", "--others", "--exclude-standard"] if new else []
    listed = subprocess.run(
        ["git", "ls-files", "-z", *more, *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        name
        for name in listed.stdout.split("\0")
        if name and (ROOT / name).is_file()
    ]
