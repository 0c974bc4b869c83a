"""Part of JupyterHub's configuration: give each learner's server a key to the class server, if
there is one.

jupyterhub_config.py imports it; on a cluster Helm puts it next to the hub's configuration
(README.md). Settings: COURSEKIT_BASE_URL, the class server (coursekit serve --class), and
COURSEKIT_ADMIN_TOKEN, its admin token.
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
    """Give a learner's server its key before it starts. The same name always gets the same key.
    Without a class server, the course replays on its own.
    """
    if not SERVER:
        return
    try:
        key, share = await asyncio.to_thread(key_of, spawner.user.name)
    except (
        OSError,
        ValueError,
        LookupError,
    ) as error:  # the class continues; the hub's log has the error for the teacher
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
    """Ask the class server for a learner's key, and whether the class shares. Raises OSError,
    ValueError, LookupError.
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
        told = json.load(answer)
        return str(told["key"]), told.get("share") is True


if (
    "get_config" in globals()
):  # on a cluster, where JupyterHub reads this file directly
    get_config().Spawner.pre_spawn_hook = give_key  # type: ignore[name-defined]  # noqa: F821
