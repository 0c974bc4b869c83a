"""Start a learner's server: make their copy of the course, limit everything that they start, and
run JupyterHub's own program.

    python learner_server.py [OPTION ...]       the options are those of jupyterhub-singleuser

JupyterHub runs this program instead of ``jupyterhub-singleuser``, both on one machine and in a
Kubernetes pod. The learner's folder is HOME.

Two environment variables set limits. MEM_LIMIT is the memory for one process, in bytes (JupyterHub
sets it from Spawner.mem_limit). COURSEKIT_MAX_PROCESSES is the number of processes and threads for
one learner, if the learner has a separate Unix user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from coursekit.workshop.commands.working_copy import update_copy

COURSE = Path(__file__).resolve().parents[1]
FOLDERS = (
    "notebooks",
    "exercises",
)  # the teacher decides when to hand out the solutions
LARGEST_FILE = (
    256 * 2**20
)  # bytes: a loop that keeps writing ends in an error before the disk is full


def mark_migrated(home: Path) -> None:
    """Create the file that makes jupyter_core skip the search for settings of an old IPython.

    Without the file, each Jupyter program tries to write it when it starts, so on a full disk no
    program would start.
    """
    marker = home / ".jupyter" / "migrated"
    with contextlib.suppress(OSError):
        marker.parent.mkdir(exist_ok=True, mode=0o700)
        marker.touch()


def limit(env: dict[str, str]) -> None:
    """Limit what this process and its children can use. Learners cannot raise these limits."""
    import resource

    bounds = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: LARGEST_FILE}
    if env.get("MEM_LIMIT"):
        bounds[resource.RLIMIT_DATA] = int(
            env["MEM_LIMIT"]
        )  # a kernel gets MemoryError; the machine keeps going
    if env.get("COURSEKIT_MAX_PROCESSES"):
        bounds[resource.RLIMIT_NPROC] = int(env["COURSEKIT_MAX_PROCESSES"])
    for kind, most in bounds.items():
        _, hard = resource.getrlimit(kind)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (bound, bound))


def lab_settings() -> str:
    """Return the folder with the course's JupyterLab settings and extension, which turn off news
    and update checks.
    """
    found = find_spec("coursekit")
    if found is None or not found.origin:
        sys.exit(
            f"coursekit is not installed in {sys.executable}. Install it there: pip install "
            f"{COURSE}"
        )
    return str(Path(found.origin).parent / "data" / "jupyter")


def main() -> None:
    home = Path(os.environ["HOME"])
    os.chdir(home)
    mark_migrated(home)  # before the copy, which may use up the remaining space
    # A learner whose disk is full still needs a server, to delete files.
    for line in update_copy(COURSE, home, folders=FOLDERS).lines(home):
        print(line, file=sys.stderr)
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):
        os.environ[name] = os.pathsep.join(
            filter(None, [lab_settings(), os.environ.get(name)])
        )
    if shutil.disk_usage(home).free < LARGEST_FILE:
        os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(
            prefix="jupyter-"
        )  # the server has to write a little when it starts
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ["PATH"]]
    )  # for terminals
    limit(dict(os.environ))
    os.execv(
        sys.executable,
        [sys.executable, "-P", "-m", "jupyterhub.singleuser", *sys.argv[1:]],
    )


if __name__ == "__main__":
    main()
