"""``coursekit lab``: JupyterLab on this machine, opened on the first notebook, and nothing that
phones home.

Its settings are files in data/jupyter: it listens on 127.0.0.1 only and asks for its token (so that
root, all there is in a container, may run it too); no news, no search for updates, no extension
manager that asks a registry. And an extension that makes up for what JupyterLab and its widgets
leave out of the rules of accessibility.
"""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

from ...course import DATA, repository
from .own_copy import own_copy


def open_lab(more: list[str]) -> int:
    """Start JupyterLab on the course and stay until it ends; ``more`` are its own arguments and win
    over ours.

    The course is the repository's, or, where coursekit was installed from its wheel, the learner's
    own copy.
    """
    os.chdir(repository() or own_copy(Path.cwd()))
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):
        os.environ[name] = os.pathsep.join(
            filter(None, [str(DATA / "jupyter"), os.environ.get(name)])
        )
    # .venv need not be activated: `coursekit` is found in JupyterLab's terminals and after a cell's
    # "!" all the same.
    os.environ["PATH"] = os.pathsep.join(
        filter(None, [sysconfig.get_path("scripts"), os.environ.get("PATH")])
    )

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(more)
    return 0
