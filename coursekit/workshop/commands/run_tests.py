"""``coursekit test``: run notebooks and compare each output with the stored one (pytest with
nbval).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from .. import notebooks_of, repository_or_error
from .environment import offline_environment


def run_tests(names: Sequence[str]) -> int:
    """Test these lessons, or all if none is named. The options are pytest's in pyproject.toml."""
    root = repository_or_error()
    paths = notebooks_of(root, names)
    # a lesson's two notebooks finish before workers have started
    workers = "0" if names else "auto"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        workers,
        *(str(path.relative_to(root)) for path in paths),
    ]
    environment = offline_environment()
    ran = subprocess.run(command, cwd=root, env=environment, check=False)
    return min(ran.returncode, 1)
