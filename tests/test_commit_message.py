"""The commit-msg hook of .pre-commit-config.yaml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOOK = Path(__file__).parents[1] / ".ci" / "commit_message.py"


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        (
            "Streams end where the API ends them\n\nA cut was taken for the end.\n",
            None,
        ),
        ("Merge branch 'x'\n", None),
        (f"{'a' * 72}\n\nwhy\n", None),
        (f"{'a' * 73}\n\nwhy\n", "73 characters"),
        ("\n\nwhy\n", "0 characters"),
        ("A subject\nand no empty line\n", "empty line"),
        ("A subject alone\n# a comment of git\n", "why the change is needed"),
    ],
)
def test_a_message_has_a_short_subject_and_says_why(
    tmp_path: Path, message: str, refused: str | None
) -> None:
    """A refusal says what to change."""
    file = tmp_path / "COMMIT_EDITMSG"
    file.write_text(message, encoding="utf-8")
    command = [sys.executable, str(HOOK), str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode == 0) is (refused is None), ran.stderr
    assert (refused or "") in ran.stderr
