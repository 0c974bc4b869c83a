"""``coursekit serve``: the offline API on a socket, for curl, for other languages, and for a class."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..course import recording_folders
from ..offline.clock import ScaledClock, clock_for
from ..offline.recordings import Recordings
from ..settings import settings
from . import CommandError

try:
    from ..offline.server.access_log import AccessLog
    from ..offline.server.room import Room
    from ..offline.server.running import is_loopback, listen, run
except ImportError as error:  # pragma: no cover
    raise CommandError(f"The server needs packages that are not here ({error}). Run `make lab` again.") from error


def serve(
    *, host: str, port: int, recordings: str | None, speed: str | None, limits: Mapping[str, Any], quiet: bool
) -> int:
    """Serve until Ctrl+C. Tokens are taken from the settings: COURSEKIT_ACCESS_TOKEN, COURSEKIT_ADMIN_TOKEN.

    limits  each learner's own: rpm, tpm, spend, as far as they were given; none: no limits
    """
    env = settings()
    access, chosen = env.get("COURSEKIT_ACCESS_TOKEN") or None, env.get("COURSEKIT_ADMIN_TOKEN") or None
    folders = [Path(recordings)] if recordings else recording_folders()
    if recordings and not folders[0].is_dir():
        raise CommandError(f"There is no folder {recordings}.")
    try:
        clock = clock_for(speed or env.get("COURSEKIT_SPEED") or 1.0)
        admin = chosen or secrets.token_urlsafe(16)
        log = AccessLog(None if quiet else sys.stdout)
        room = Room(
            Recordings(folders), speed=clock.speed if isinstance(clock, ScaledClock) else None, log=log,
            rate_limit=limits or None, access_token=access, admin_token=admin, seed=secrets.randbits(32),
        )  # fmt: skip
        listener = listen(host, port, access)
    except ValueError as error:  # CannotServe is one, too
        raise CommandError(str(error)) from error
    address = f"[{host}]" if ":" in host else host
    print(
        _greeting(f"http://{address}:{listener.getsockname()[1]}", host, access, None if chosen else admin), flush=True
    )
    with contextlib.suppress(KeyboardInterrupt):
        run(room, listener)
    print("The server has stopped.")
    return 0


def _greeting(address: str, host: str, access: str | None, new_admin_token: str | None) -> str:
    key = "ACCESS_TOKEN-NAME" if access else "any"
    keys = (
        "the access token you have set, a hyphen, and a name: each name is a learner by itself"
        if access
        else "any; each is a learner by itself, with limits and a meter of its own"
    )
    token = new_admin_token or "and COURSEKIT_ADMIN_TOKEN"
    body = '{"model": "gpt-4o", "messages": [...], "stream": true}'
    lines = [
        f"The offline API answers at {address}/v1 (Ctrl+C ends it).",
        f'  Python  OpenAI(base_url="{address}/v1", api_key="{key}")',
        f"  curl    curl -N {address}/v1/chat/completions -H 'Authorization: Bearer {key}' --json '{body}'",
        f"  Keys    {keys}",
        f"  Admin   {address}/admin/faults, {address}/admin/learners: Authorization: Bearer {token}",
    ]
    if not is_loopback(host):
        opened = "to every machine that can reach this one and knows the access token, which travels unencrypted"
        lines.append(f"  Open    {opened}: use a token that opens nothing else.")
    return "\n".join(lines)
