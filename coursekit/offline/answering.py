"""Who answers a client in process, by its mode: the layer, the clock of its time, and who keeps the
answers.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..foundation.platform import refuse_in_browser
from ..membership import is_this_machine
from ..settings import Mode, today_of
from .clock import Clock, clock_for
from .engine import replaying
from .exchange import Layer
from .miss import Missing
from .recordings import Provenance, Recordings
from .rules.validation import Validation

RECORD_LOCAL = "COURSEKIT_RECORD_LOCAL"
FALLBACK_SETTINGS = ("COURSEKIT_FALLBACK", "COURSEKIT_LOCAL")


class Answering(NamedTuple):
    """What answers in the place of the real API.

    recorder  keeps what another server answers; None: nothing is kept
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
    """What answers in the place of a real API; None: nothing does, the real one is asked.

    replay   the recordings, then the fallback where there is one
    record   the author's replies file that COURSEKIT_REPLIES names; or the fallback, where an
             argument or the author's setting COURSEKIT_RECORD_LOCAL asks for it (the settings of
             replay do not): each of its answers is kept

    Raises LocalModelMissing, or ValueError for a speed or a fallback that is none.
    """
    if mode == Mode.REPLAY:
        clock = clock_for(
            speed if speed is not None else env.get("COURSEKIT_SPEED") or 1.0
        )
        used = env.get("COURSEKIT_USED_LOG")
        last = None
        if (
            fallback is not None
            or local_model is not None
            or any(env.get(name) for name in FALLBACK_SETTINGS)
        ):
            last = _fallback(fallback, local_model, env, recordings)
        today = (
            today_of(env) if env.get("COURSEKIT_TODAY") else None
        )  # by itself time shuts no recorded model down
        used_file = Path(used) if used else None
        return Answering(
            replaying(recordings, used=used_file, last=last, today=today), clock
        )
    if mode == Mode.RECORD and (replies := env.get("COURSEKIT_REPLIES")):
        # An author's mode: nobody else waits for its imports.
        from .recorded.written import Written

        return Answering(Written(Path(replies), recordings), clock_for("instant"))
    if mode == Mode.RECORD:
        asked = local_model or (True if env.get(RECORD_LOCAL) == "1" else None)
        if fallback or asked:
            layer = _fallback(fallback or None, asked, env, recordings)
            if layer is not None:
                recorder = _recorder(layer, recordings, env)
                from .recorder import Unrecorded

                return Answering(
                    Validation(Unrecorded(layer, recorder)),
                    clock_for("instant"),
                    recorder,
                )
    return None


def _fallback(
    fallback: Any, local_model: Any, env: Mapping[str, str], recordings: Recordings
) -> Any:
    refuse_in_browser(
        "Local models and fallback servers",
        "a page cannot start a program, nor ask a server of another site",
        "ask only what was recorded",
    )
    from .fallback import Fallback, fallback_of  # nobody else waits for its imports

    server = fallback_of(fallback, local_model, env)
    return None if server is None else Fallback(Missing(recordings), server)


def _recorder(layer: Any, recordings: Recordings, env: Mapping[str, str]) -> Any:
    from .recorder import recorder_for

    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    elsewhere = not is_this_machine(getattr(layer.server, "url", "http://127.0.0.1"))
    provenance = Provenance("server" if elsewhere else "local", day, layer.server.by)
    return recorder_for(recordings, env, provenance, on=day)
