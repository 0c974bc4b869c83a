"""Who answers a client in process, by its mode: the layer, and the clock that its time goes by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from .clock import Clock, clock_for
from .engine import replaying
from .exchange import ApiAnswer, ApiRequest, Layer
from .local_model import LocalModel, local_layer
from .recorder import Recorder
from .recordings import Recordings
from .validation import Validation

RECORD_LOCAL = "COURSEKIT_RECORD_LOCAL"


def answering(
    mode: str, env: Mapping[str, str], recordings: Recordings, *, speed: float | str | None, local_model: Any
) -> tuple[Layer, Clock] | None:
    """What answers in the place of a real API; None: nothing does, the real one is asked.

    replay   the recordings, then the local model where there is one
    record   the author's replies file that COURSEKIT_REPLIES names, or the local model where ``local_model`` or the
             author's setting COURSEKIT_RECORD_LOCAL asks for it (COURSEKIT_LOCAL does not); each answer is kept

    Raises LocalModelMissing, or ValueError for a speed or a model that is none.
    """
    if mode == "replay":
        clock = clock_for(speed if speed is not None else env.get("COURSEKIT_SPEED") or 1.0)
        used = env.get("COURSEKIT_USED_LOG")
        last = local_layer(local_model, env, recordings)
        return replaying(recordings, used=Path(used) if used else None, last=last), clock
    if mode == "record" and (replies := env.get("COURSEKIT_REPLIES")):
        from .written import Written  # an author's mode: nobody else waits for its imports

        return Written(Path(replies), recordings), clock_for("instant")
    if mode == "record" and (asked := local_model or env.get(RECORD_LOCAL) == "1"):
        model = local_layer(asked, env, recordings)
        return None if model is None else (KeptLocal(model, recordings), clock_for("instant"))
    return None


class KeptLocal:
    """Lets the local model answer, and stores what it says with provenance "local"."""

    def __init__(self, model: LocalModel, recordings: Recordings) -> None:
        self.inner = Validation(model)
        self.recorder = Recorder(recordings, model.provenance)

    def answer(self, request: ApiRequest) -> ApiAnswer:
        self.recorder.check(request)
        answer = self.inner.answer(request)
        return answer if answer.making is None else answer.then(partial(self._kept, request))  # else it is a refusal

    def _kept(self, request: ApiRequest, answer: ApiAnswer) -> ApiAnswer:
        if answer.status == 200:
            self.recorder.keep(request, answer)
        return answer
