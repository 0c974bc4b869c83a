"""``coursekit lab``: JupyterLab on this machine, opened on the first notebook, and nothing that phones home.

Its settings are files in data/jupyter: it listens on 127.0.0.1 only and asks for its token (so that root, all there
is in a container, may run it too); no news, no search for updates, no extension manager that asks a registry.
"""

from __future__ import annotations

import os

from ..course import DATA
from . import repository_or_error


def open_lab(more: list[str]) -> int:
    """Start JupyterLab in the repository and stay until it ends; ``more`` are its own arguments and win over ours."""
    os.chdir(repository_or_error())
    known = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(DATA / "jupyter"), known]))

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(more)
    return 0
