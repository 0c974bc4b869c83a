"""What answers a client of this process in each mode: the layer, its clock and the recorder."""

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
    """What answers in place of the real API.

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
    """What answers in place of the real API, or None if the real API does.

    replay   the recordings, then the fallback if there is one
    record   the author's replies file in COURSEKIT_REPLIES; or the fallback, if an argument or the
             author's setting COURSEKIT_RECORD_LOCAL asks for it (the settings of replay do not),
             and each of its answers is recorded

    Raises LocalModelMissing, or ValueError for a wrong speed or fallback.
    """
    if mode == Mode.REPLAY:
        return _replay(env, recordings, speed, fallback, local_model)
    if mode != Mode.RECORD:
        return None
    if replies := env.get("COURSEKIT_REPLIES"):
        # Imported here because only authors need it.
        from .recorded.written import Written

        return Answering(
            Written(Path(replies), recordings), clock_for("instant")
        )
    if env.get(RECORD_LOCAL) == "1":
        local_model = local_model or True
    if not fallback and not local_model:
        return None
    layer = _fallback(fallback or None, local_model or None, env, recordings)
    if layer is None:
        return None
    from .recorder import Unrecorded, recorder_for

    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    url = getattr(layer.server, "url", "http://127.0.0.1")
    kind = "local" if is_this_machine(url) else "server"
    provenance = Provenance(kind, day, layer.server.by)
    recorder = recorder_for(recordings, env, provenance, on=day)
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
    last = today = None
    arguments = fallback is not None or local_model is not None
    if arguments or any(env.get(name) for name in FALLBACK_SETTINGS):
        last = _fallback(fallback, local_model, env, recordings)
    # Recorded models are shut down only if a day was set. In live mode that day applies to the
    # models that answer live, and replay stays as recorded.
    live = env.get("COURSEKIT_MODE") == Mode.LIVE
    if env.get("COURSEKIT_TODAY") and not live:
        today = today_of(env)
    used = Path(env[USED_LOG]) if env.get(USED_LOG) else None
    layers = replaying(recordings, used=used, last=last, today=today)
    return Answering(layers, clock)


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
    # Imported here because few clients have a fallback.
    from .fallback import Fallback, fallback_of

    server = fallback_of(fallback, local_model, env)
    return None if server is None else Fallback(Missing(recordings), server)
