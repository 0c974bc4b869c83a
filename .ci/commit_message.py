#!/usr/bin/env python3
"""A commit-msg hook: the subject must fit on a line of `git log --oneline`, and a body must say
why.
"""

from __future__ import annotations

import sys
from pathlib import Path

LONGEST = 72


def problem(message: str) -> str | None:
    """Return what is wrong with a commit message and how to fix it, or None."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(("Merge ", "fixup! ", "squash! ")):
        return None
    if not 0 < len(subject) <= LONGEST:
        return (
            f"The subject has {len(subject)} characters; write 1 to {LONGEST}."
        )
    if len(lines) > 1 and lines[1].strip():
        return "Leave an empty line between the subject and the body."
    if not any(line.strip() for line in lines[2:]):
        return (
            "Say in a body why the change is needed: the diff shows what it is."
        )
    return None


if __name__ == "__main__":
    found = problem(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if found:
        sys.exit(f"The commit message was refused. {found}")
