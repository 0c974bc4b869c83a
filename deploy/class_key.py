"""Part of JupyterHub's configuration: each learner's server gets a key to the class server, if
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
    """Before a server starts. The same name gets the same key; without a class server the course
    replays by itself.
    """
    if not SERVER:
        return
    try:
        key, share = await asyncio.to_thread(key_of, spawner.user.name)
    except (
        OSError,
        ValueError,
        LookupError,
    ) as error:  # the class goes on; the teacher reads it in the hub's log
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
        )  # as the class server was started: --share
        spawner.environment = {**spawner.environment, **ours}


def key_of(name: str) -> tuple[str, bool]:
    """A learner's key, and whether the class shares, from the class server. Raises OSError,
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
):  # JupyterHub reads this file by itself: on a cluster
    get_config().Spawner.pre_spawn_hook = give_key  # type: ignore[name-defined]  # noqa: F821
