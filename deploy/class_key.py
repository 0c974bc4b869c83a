"""Part of JupyterHub's configuration: gives each learner's server a key to the class server, if
there is one.

jupyterhub_config.py imports this module. On a cluster, Helm puts it next to the hub's configuration
(see README.md). Two environment variables configure it: COURSEKIT_BASE_URL is the address of the
class server (coursekit serve --class), and COURSEKIT_ADMIN_TOKEN is the server's admin token.
"""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from typing import Any

SERVER = (
    os.environ.get("COURSEKIT_BASE_URL", "").rstrip("/").removesuffix("/v1")
)
PATIENCE = 5  # seconds


async def give_key(spawner: Any) -> None:
    """Give a learner's server its key before the server starts. The same name always gets the same
    key. Without a class server, learners work with the recordings on their own.
    """
    if not SERVER:
        return
    try:
        key, share = await asyncio.to_thread(key_of, spawner.user.name)
    except (
        OSError,
        ValueError,
        LookupError,
    ) as error:  # the class continues, and the teacher finds the error in the hub's log
        spawner.log.warning(
            "%s starts without the class server %s: %s",
            spawner.user.name,
            SERVER,
            error,
        )
    else:
        ours = {
            "COURSEKIT_BASE_URL": f"{SERVER}/v1",
            "COURSEKIT_CLASS_KEY": key,
        }
        ours["COURSEKIT_CLASS_SHARE"] = (
            "yes" if share else "no"
        )  # whether the class server was started with --share
        spawner.environment = {**spawner.environment, **ours}


def key_of(name: str) -> tuple[str, bool]:
    """Ask the class server for a learner's key, and whether the class shares its progress. Raises
    OSError, ValueError, or LookupError.
    """
    headers = {
        "Authorization": f"Bearer {os.environ.get('COURSEKIT_ADMIN_TOKEN', '')}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(
        f"{SERVER}/admin/learners", json.dumps({"name": name}).encode(), headers
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=PATIENCE) as answer:
        learner = json.load(answer)
        return str(learner["key"]), learner.get("share") is True


if (
    "get_config" in globals()
):  # on a cluster, where JupyterHub reads this file directly
    get_config().Spawner.pre_spawn_hook = give_key  # type: ignore[name-defined]  # noqa: F821
