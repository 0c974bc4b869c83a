"""``coursekit test``: run notebooks and compare each output with the stored one (pytest with nbval)."""

from __future__ import annotations

import subprocess
import sys

from ..course import lesson
from . import notebooks_of, repository_or_error
from .environment import offline_environment


def run_tests(name: str | None) -> int:
    """Test one lesson, or all. The options of the run are pytest's in pyproject.toml."""
    root = repository_or_error()
    paths = notebooks_of(root, [lesson(name).stem] if name else [])
    workers = "0" if len(paths) == 1 else "auto"
    command = [sys.executable, "-m", "pytest", "-n", workers, *(str(path.relative_to(root)) for path in paths)]
    return min(subprocess.run(command, cwd=root, env=offline_environment(), check=False).returncode, 1)
