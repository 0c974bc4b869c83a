"""JupyterHub for one class on one machine. README.md in this folder explains how to use it.

    jupyterhub --config deploy/jupyterhub_config.py

COURSEKIT_HUB_PASSWORD        the learners' password: 8 characters or more
COURSEKIT_HUB_ADMIN_PASSWORD  the password of the user ``teacher``: 32 characters or more
COURSEKIT_HUB_URL             where the hub listens; default: http://127.0.0.1:8080, this machine only
COURSEKIT_HUB_FOLDER          learners' folders and the hub's state; default: /srv/coursekit-class (as root) or
                              ~/coursekit-class
COURSEKIT_BASE_URL            the class server (coursekit serve --class), if there is one
COURSEKIT_ADMIN_TOKEN         its admin token, which the hub needs to give each learner a key

If the hub runs as root, each learner gets a separate Unix user ID and cannot access the files,
keys, or processes of others. If it runs as any other user, all learners are that user and can
access everything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyterhub.authenticators.shared import SharedPasswordAuthenticator

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from class_key import give_key  # noqa: E402

ROOT = os.getuid() == 0
FOLDER = Path(
    os.environ.get("COURSEKIT_HUB_FOLDER")
    or ("/srv/coursekit-class" if ROOT else "~/coursekit-class")
)
FOLDER = FOLDER.expanduser().resolve()
LEARNERS, STATE = FOLDER / "learners", FOLDER / "hub"
FIRST_USER = 20_001  # the first Unix user ID for learners; no account on the machine should have an ID in this range

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821


# Requirements before anyone can log in


def needed(name: str, length: int, why: str) -> str:
    value = os.environ.get(name, "")
    if len(value) < length:
        sys.exit(
            f"Set {name} to {why}: {length} characters or more. Now it has {len(value)}. Nothing "
            "was started."
        )
    return value


PASSWORD = needed(
    "COURSEKIT_HUB_PASSWORD", 8, "the password that you give to the learners"
)
ADMIN_PASSWORD = needed(
    "COURSEKIT_HUB_ADMIN_PASSWORD", 32, "the password of the user teacher"
)
PROXY = shutil.which("configurable-http-proxy")
if not PROXY:
    sys.exit(
        "configurable-http-proxy is not in PATH. Install it: npm install --global "
        "configurable-http-proxy@5.3"
    )
if any((above / ".env").exists() for above in [FOLDER, *FOLDER.parents]):
    sys.exit(
        f"There is a .env file in {FOLDER} or above it, and every learner would use the key in "
        "it.\n"
        "Move that file, or set COURSEKIT_HUB_FOLDER to a folder elsewhere."
    )
if ROOT:
    try:
        notebook = HERE.parent / "notebooks" / "00_start_here.ipynb"
        opens = [
            sys.executable,
            "-c",
            "import sys; open(sys.argv[1])",
            str(notebook),
        ]
        subprocess.run(
            opens,
            user=FIRST_USER,
            group=FIRST_USER,
            extra_groups=[],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, subprocess.CalledProcessError):
        sys.exit(
            f"Learners cannot reach {sys.executable} or {HERE.parent}: put both where all users can "
            "read them, such as /opt."
        )
STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
LEARNERS.mkdir(exist_ok=True, mode=0o755)


# Who can log in


class OneSpelling(SharedPasswordAuthenticator):
    """Accept lowercase names only: JupyterHub would treat "Ada" as "ada", and two people would
    share a folder.
    """

    def normalize_username(self, username: str) -> str:
        return username


c.JupyterHub.authenticator_class = OneSpelling
c.SharedPasswordAuthenticator.user_password = PASSWORD
c.SharedPasswordAuthenticator.admin_password = ADMIN_PASSWORD
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"teacher"}
c.Authenticator.username_pattern = r"[a-z][a-z0-9_-]{0,30}\Z"  # the name of a folder; JupyterHub itself checks only the beginning
c.JupyterHub.template_vars = {
    "announcement_login": "Enter your name in lowercase letters, without spaces, and the class password."
}


# What each learner gets


async def own_user_and_key(spawner: Any) -> None:
    """Before a server starts, prepare the learner's folder, Unix user ID, and key to the class
    server.
    """
    owner = own_folder(
        LEARNERS / spawner.user.name
    )  # in the hub's only thread, so that no two learners get the same ID
    if owner is not None:
        spawner.popen_kwargs = {
            "user": owner,
            "group": owner,
            "extra_groups": [],
            "umask": 0o077,
        }
    await give_key(spawner)


def own_folder(home: Path) -> int | None:
    """Make the folder if it does not exist. Returns the user ID of its owner, the learner, or None
    if the hub does not run as root.
    """
    if not ROOT:
        home.mkdir(exist_ok=True, mode=0o700)
        return None
    if not home.exists():
        taken = [each.stat().st_uid for each in LEARNERS.iterdir()]
        home.mkdir(mode=0o700)
        owner = max([FIRST_USER - 1, *taken]) + 1
        os.chown(home, owner, owner)
    owner = home.stat().st_uid
    if owner < FIRST_USER:
        raise PermissionError(
            f"{home} belongs to user {owner}. Give it to the learner: chown {FIRST_USER + 9_999} "
            f"{home}"
        )
    return owner


c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{LEARNERS}/{{username}}"
c.Spawner.pre_spawn_hook = own_user_and_key
c.Spawner.cmd = [sys.executable, str(HERE / "learner_server.py")]
c.Spawner.args = [
    "--FileContentsManager.delete_to_trash=False"
]  # otherwise, deleting files frees nothing on a full disk
c.Spawner.default_url = "/lab/tree/notebooks/00_start_here.ipynb"
c.Spawner.mem_limit = "2G"  # for each process; learner_server.py enforces it
c.Spawner.poll_interval = (
    10  # seconds until the hub notices a crash and can start a new server
)
c.Spawner.start_timeout = c.Spawner.http_timeout = (
    180  # seconds; in a class, everyone starts at the same time
)
c.Spawner.env_keep = [
    "PATH",
    "LANG",
    "LC_ALL",
]  # do not pass on the teacher's settings and keys
c.Spawner.environment = {
    "COURSEKIT_MODE": "replay",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",  # one learner's NumPy must not use all cores
    **({"COURSEKIT_MAX_PROCESSES": "500"} if ROOT else {}),
}


# The hub


c.JupyterHub.bind_url = (
    os.environ.get("COURSEKIT_HUB_URL") or "http://127.0.0.1:8080"
)
c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.JupyterHub.cleanup_servers = (
    False  # learners' kernels keep running when the hub restarts
)
c.JupyterHub.concurrent_spawn_limit = 10
c.ConfigurableHTTPProxy.command = [PROXY]
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
