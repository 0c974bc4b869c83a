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
from ..settings import settings, today_of, user_folder
from . import CommandError
from .greeting import class_greeting, greeting, reachable

try:
    from ..offline.server.access_log import AccessLog
    from ..offline.server.class_file import ClassFile
    from ..offline.server.room import Room
    from ..offline.server.running import SHORT, is_loopback, listen, run
except ImportError as error:  # pragma: no cover
    raise CommandError(f"The server needs packages that are not here ({error}). Run `make lab` again.") from error


def serve(
    *, host: str, port: int, recordings: str | None, speed: str | None, limits: Mapping[str, Any], quiet: bool,
    classroom: bool = False, class_file: str | None = None, today: str | None = None,
) -> int:  # fmt: skip
    """Serve until Ctrl+C. Tokens are taken from the settings: COURSEKIT_ACCESS_TOKEN, COURSEKIT_ADMIN_TOKEN.

    limits      each learner's own: rpm, tpm, spend, as far as they were given; none: no limits
    today       refuses models that are shut down by this day (2027-02-01); None: COURSEKIT_TODAY, else none is
    classroom   True: learners join by name, and all is kept in ``class_file`` (None: in the user's data folder)
    """
    env = {**settings(), **({"COURSEKIT_TODAY": today} if today else {})}
    access, chosen = env.get("COURSEKIT_ACCESS_TOKEN") or None, env.get("COURSEKIT_ADMIN_TOKEN") or None
    folders = [Path(recordings)] if recordings else recording_folders()
    if recordings and not folders[0].is_dir():
        raise CommandError(f"There is no folder {recordings}.")
    if class_file and not classroom:
        raise CommandError("--class-file is for --class.")
    _refuse_weak_admin_token(chosen, access, opened=not is_loopback(host))
    with contextlib.ExitStack() as at_the_end:
        try:
            clock = clock_for(speed or env.get("COURSEKIT_SPEED") or 1.0)
            file = at_the_end.enter_context(contextlib.closing(ClassFile(_place(class_file)))) if classroom else None
            kept = file.open() if file else None
            admin = chosen or (kept.admin_token if kept else secrets.token_urlsafe(16))
            room = Room(
                Recordings(folders), speed=clock.speed if isinstance(clock, ScaledClock) else None,
                log=AccessLog(None if quiet else sys.stdout), rate_limit=limits or None, access_token=access,
                admin_token=admin, seed=secrets.randbits(32), kept=kept,
                today=today_of(env) if env.get("COURSEKIT_TODAY") else None,
            )  # fmt: skip
            listener = listen(host, port, access)
            at_the_end.callback(listener.close)
            if file and room.roll:
                file.keep(room.roll)
        except ValueError as error:  # CannotServe and CannotKeep are such, too
            raise CommandError(str(error)) from error
        address = f"http://{reachable(host) if classroom else _bracketed(host)}:{listener.getsockname()[1]}"
        shown, opened = None if chosen else admin, not is_loopback(host)
        if file and room.roll:
            joined = len(list(room.roll))
            print(class_greeting(address, access, shown, file.path, joined, opened), flush=True)
        else:
            print(greeting(address, access, shown, opened), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            run(room, listener)
    print("The server has stopped.")
    return 0


def _refuse_weak_admin_token(chosen: str | None, access: str | None, opened: bool) -> None:
    if chosen and chosen == access:
        raise CommandError(
            "COURSEKIT_ADMIN_TOKEN is the access token, which learners know: they could open the console. "
            "Nothing was opened.\nWhat to do: choose another, or leave it out; the server then makes one."
        )
    if chosen and opened and len(chosen) < SHORT:
        raise CommandError(
            f"COURSEKIT_ADMIN_TOKEN is shorter than {SHORT} characters, which is guessed too soon where other machines "
            "can reach the console. Nothing was opened.\nWhat to do: choose a longer one, or leave it out."
        )


def _place(asked: str | None) -> Path:
    return Path(asked).expanduser() if asked else user_folder() / "class.json"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
