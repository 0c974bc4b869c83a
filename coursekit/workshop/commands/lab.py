"""``coursekit lab``: JupyterLab on this machine, opened on the learner's working copy.

Its settings are files in data/jupyter: it listens on 127.0.0.1 only and asks for its token (so that
root, the only user in a container, may run it); no news, no search for updates, no extension
manager that asks a registry. It includes two extensions: one adds what JupyterLab and its widgets
lack in accessibility, the other lets you type a prediction before you run a cell.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from ...course import DATA
from .working_copy import learners_copy

NO_COPY = (
    "--ServerApp.root_dir",
    "--notebook-dir",
    "--version",
    "--help",
    "-h",
)


def open_lab(more: list[str], fresh: str | None = None) -> int:
    """Start JupyterLab on the learner's copy of the course, and stay until it ends.

    more   JupyterLab's own arguments, which override ours. An author who names a folder with
           --ServerApp.root_dir works there, and no copy is made
    fresh  a lesson to start over; the old notebook is renamed

    Returns the exit code. Raises what ``learners_copy`` raises.
    """
    if not any(argument.startswith(NO_COPY) for argument in more):
        os.chdir(learners_copy(Path.cwd(), fresh))
    _put_first(str(DATA / "jupyter"), "JUPYTER_CONFIG_PATH")
    _put_first(str(DATA / "jupyter"), "JUPYTER_PATH")
    # JupyterLab's terminals and a cell's "!" find `coursekit` even if .venv is not activated.
    _put_first(sysconfig.get_path("scripts"), "PATH")

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(more)
    return 0


def _put_first(folder: str, name: str) -> None:
    """Put a folder in front of those that an environment variable lists."""
    others = os.environ.get(name)
    os.environ[name] = f"{folder}{os.pathsep}{others}" if others else folder
