"""``coursekit serve``: the offline API on a socket, for curl, for other languages, and for a
class.
"""

from __future__ import annotations

import contextlib
import secrets
import sys
from pathlib import Path

from ...course import recording_folders
from ...foundation.addresses import is_this_machine
from ...foundation.files import write_atomically
from ...local_model import LocalModelMissing
from ...offline.clock import ScaledClock, clock_for
from ...offline.fallback import fallback_of
from ...offline.recordings import Recordings
from ...settings import settings, today_of, user_folder
from .. import CommandError
from .greeting import (
    bracketed,
    class_greeting,
    greeting,
    other_addresses,
    reachable,
)

try:
    from ...checks.course_map import places
    from ...offline.server.access_log import AccessLog
    from ...offline.server.class_file import ClassFile
    from ...offline.server.roll import SavedClass
    from ...offline.server.room import Room
    from ...offline.server.running import listen, run
    from ...offline.server.throttle import STRONG
except ImportError as error:  # pragma: no cover
    raise CommandError(
        f"The server needs packages that are not installed ({error}). Run `make lab` again."
    ) from error


def serve(
    *,
    host: str,
    port: int,
    recordings: str | None,
    speed: str | None,
    rpm: int | None,
    tpm: int | None,
    spend: float | None,
    quiet: bool,
    classroom: bool,
    class_file: str | None,
    shares: bool,
    today: str | None,
    fallback: str | None,
) -> int:
    """Serve until Ctrl+C. The settings give COURSEKIT_ACCESS_TOKEN, COURSEKIT_ADMIN_TOKEN, and
    COURSEKIT_HOSTS (names, separated by commas, under which the server may be addressed).

    rpm, tpm, spend  each learner's own limits; all None: no limits
    today            refuses models that are shut down by this day (2027-02-01); None:
                     those of COURSEKIT_TODAY, if it is set
    classroom        True: learners join by name, and everything is saved in ``class_file`` (None:
                     in the user's data folder); if other machines can join and no access token is
                     set, the class gets its own
    shares           whether learners who join a class share, unless they choose otherwise
    fallback         a server that answers requests without a recording, as ``connect()`` takes it.
                     The settings of replay do not count: a class must not use, or spend, what one
                     person has set for their own notebooks

    Returns the exit code. Raises CommandError.
    """
    env = {**settings()}
    if today:
        env["COURSEKIT_TODAY"] = today
    access = env.get("COURSEKIT_ACCESS_TOKEN") or None
    chosen = env.get("COURSEKIT_ADMIN_TOKEN") or None
    folders = [Path(recordings)] if recordings else recording_folders()
    if recordings and not folders[0].is_dir():
        raise CommandError(f"There is no folder {recordings}.")
    for option, is_given in (("--share", shares), ("--class-file", class_file)):
        if is_given and not classroom:
            raise CommandError(f"{option} only works with --class.")
    opened = not is_this_machine(host)
    _refuse_weak_admin_token(chosen, access, opened)
    limits = {"rpm": rpm, "tpm": tpm, "spend": spend}
    file = saved = made = None
    with contextlib.ExitStack() as at_the_end:
        try:
            server = fallback_of(fallback or False, None, env)
            clock = clock_for(speed or env.get("COURSEKIT_SPEED") or 1.0)
            if classroom:
                file = ClassFile(_place(class_file))
                at_the_end.callback(file.close)
                saved = file.open()
                if opened and access is None:
                    access = made = saved.access_token
            admin = chosen or (saved or SavedClass()).admin_token
            room = Room(
                Recordings(folders),
                speed=clock.speed if isinstance(clock, ScaledClock) else None,
                log=AccessLog(None if quiet else sys.stdout),
                rate_limit=limits if set(limits.values()) != {None} else None,
                access_token=access,
                admin_token=admin,
                seed=secrets.randbits(32),
                saved=saved,
                shares=shares,
                places=places() if classroom else None,
                hosts=env.get("COURSEKIT_HOSTS") or "",
                today=today_of(env) if env.get("COURSEKIT_TODAY") else None,
                fallback=server,
            )
            listener = listen(host, port, access)
            at_the_end.callback(listener.close)
            if file and room.roll:
                file.keep(room.roll)
                room.trouble = lambda: file.trouble
        except (ValueError, LocalModelMissing) as error:
            raise CommandError(str(error)) from error
        name = reachable(host) if classroom else bracketed(host)
        address = f"http://{name}:{listener.getsockname()[1]}"
        if file and room.roll:
            text = class_greeting(
                address,
                access,
                None if chosen else _console_token(file.path, admin),
                file.path,
                len(list(room.roll)),
                opened=opened,
                made=made,
                shares=shares,
                others=other_addresses(host, address),
            )
        else:
            text = greeting(address, access, None if chosen else admin, opened)
        if server:
            text += f"\n  Fallback   {server.name} answers requests without a recording"
        print(text, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            run(room, listener)
    # the reader of the output is gone
    with contextlib.suppress(BrokenPipeError):
        print("The server has stopped.", flush=True)
    return 0


def _refuse_weak_admin_token(
    chosen: str | None, access: str | None, opened: bool
) -> None:
    if chosen and chosen == access:
        raise CommandError(
            "COURSEKIT_ADMIN_TOKEN is the same as the access token, which learners know, so they "
            "could open the console. The server was not started.\n"
            "Choose another one, or leave it out, and the server creates one."
        )
    if chosen and opened and len(chosen) < STRONG:
        raise CommandError(
            f"COURSEKIT_ADMIN_TOKEN is shorter than {STRONG} characters, which is too easy to "
            "guess if other machines can reach the console. The server was not started.\n"
            "Choose a longer one, or leave it out, and the server creates one."
        )


def _console_token(class_file: Path, token: str) -> Path:
    """Put the console's token into a file next to the class's, where a projector does not show it.
    Returns the file.
    """
    path = class_file.with_suffix(".console-token")
    write_atomically(path, f"{token}\n", mode=0o600)
    return path


def _place(path: str | None) -> Path:
    return Path(path).expanduser() if path else user_folder() / "class.json"
