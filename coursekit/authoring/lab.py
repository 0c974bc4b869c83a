"""``coursekit lab``: JupyterLab on this machine, opened on the first notebook, and nothing that phones home."""

from __future__ import annotations

import os

from ..course import DATA
from . import repository_or_error

FIRST = "notebooks/00_start_here.ipynb"


def open_lab(more: list[str]) -> int:
    """Start JupyterLab and stay until it ends; ``more`` arguments are JupyterLab's own and win over ours."""
    root = repository_or_error()
    # JupyterLab takes default settings (no news popup) from a folder on its configuration path only.
    known = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [str(DATA / "jupyter"), known]))

    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(
        [
            "--ip=127.0.0.1",
            "--allow-root",  # in a container root is all there is; the server listens here only, and asks for its token
            f"--ServerApp.root_dir={root}",
            f"--LabApp.default_url=/lab/tree/{FIRST}",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.news_url=None",
            "--LabApp.extension_manager=readonly",  # the other one asks a package registry
            *more,
        ]
    )
    return 0
