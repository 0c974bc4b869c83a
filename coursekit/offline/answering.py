"""What answers a client in this process, by its mode: the layer, its clock, and the recorder."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..foundation.addresses import is_this_machine
from ..foundation.platform import refuse_in_browser
from ..settings import Mode, today_of
from .clock import Clock, clock_for
from .engine import replaying
from .exchange import Layer
from .miss import Missing
from .recordings import USED_LOG, Provenance, Recordings
from .rules.validation import Validation

RECORD_LOCAL = "COURSEKIT_RECORD_LOCAL"
FALLBACK_SETTINGS = ("COURSEKIT_FALLBACK", "COURSEKIT_LOCAL")


class Answering(NamedTuple):
    """What answers instead of the real API.

    recorder  records what another server answers; None: nothing is recorded
    """

    layer: Layer
    clock: Clock
    recorder: Any = None


def answering(
    mode: str,
    env: Mapping[str, str],
    recordings: Recordings,
    *,
    speed: float | str | None,
    fallback: Any,
    local_model: Any,
) -> Answering | None:
    """What answers instead of the real API; None: the real one does.

    replay   the recordings, then the fallback where there is one
    record   the author's replies file that COURSEKIT_REPLIES names; or the fallback, where an
             argument or the author's setting COURSEKIT_RECORD_LOCAL asks for it (the settings of
             replay do not): each of its answers is recorded

    Raises LocalModelMissing, or ValueError for a wrong speed or fallback.
    """
    if mode == Mode.REPLAY:
        return _replay(env, recordings, speed, fallback, local_model)
    if mode != Mode.RECORD:
        return None
    if replies := env.get("COURSEKIT_REPLIES"):
        # An author's mode: its imports cost no other program time.
        from .recorded.written import Written

        return Answering(
            Written(Path(replies), recordings), clock_for("instant")
        )
    local = local_model or (True if env.get(RECORD_LOCAL) == "1" else None)
    if not fallback and not local:
        return None
    layer = _fallback(fallback or None, local, env, recordings)
    if layer is None:
        return None
    from .recorder import Unrecorded

    recorder = _recorder(layer, recordings, env)
    recording = Validation(Unrecorded(layer, recorder))
    return Answering(recording, clock_for("instant"), recorder)


def _replay(
    env: Mapping[str, str],
    recordings: Recordings,
    speed: float | str | None,
    fallback: Any,
    local_model: Any,
) -> Answering:
    if speed is None:
        speed = env.get("COURSEKIT_SPEED") or 1.0
    clock = clock_for(speed)
    arguments = fallback is not None or local_model is not None
    last = None
    if arguments or any(env.get(name) for name in FALLBACK_SETTINGS):
        last = _fallback(fallback, local_model, env, recordings)
    # Without a day that somebody set, no recorded model is shut down. In live mode the day is that
    # of the models that answer live; what is replayed beside them stays as it was recorded.
    live = env.get("COURSEKIT_MODE") == Mode.LIVE
    today = today_of(env) if env.get("COURSEKIT_TODAY") and not live else None
    used = env.get(USED_LOG)
    used_file = Path(used) if used else None
    return Answering(
        replaying(recordings, used=used_file, last=last, today=today), clock
    )


def _fallback(
    fallback: Any,
    local_model: Any,
    env: Mapping[str, str],
    recordings: Recordings,
) -> Any:
    refuse_in_browser(
        "Local models and fallback servers",
        "a page can neither start a program nor connect to another site's server",
        "send only requests that were recorded",
    )
    from .fallback import Fallback, fallback_of  # only where one is needed

    server = fallback_of(fallback, local_model, env)
    return None if server is None else Fallback(Missing(recordings), server)


def _recorder(
    layer: Any, recordings: Recordings, env: Mapping[str, str]
) -> Any:
    from .recorder import recorder_for

    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    elsewhere = not is_this_machine(
        getattr(layer.server, "url", "http://127.0.0.1")
    )
    provenance = Provenance(
        "server" if elsewhere else "local", day, layer.server.by
    )
    return recorder_for(recordings, env, provenance, on=day)
