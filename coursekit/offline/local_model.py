"""The layer of the local model: what nobody has recorded, and nothing is wrong with, a real open model answers.

It stands behind recordings and validation, so that a request is checked by the rules of the model that it names. What
a small model cannot do at all is refused in words of its own, never passed over. ``model``, ids, fingerprint and the
receipt's source say who answered: nothing that it says is called OpenAI's.

Known differences from the API: the penalties count the tokens of the prompt, too, and ``seed`` repeats the text only
on the same machine and version. A reply without a limit ends after 512 tokens. A stream gives the n choices one after
the other.
"""

from __future__ import annotations

import datetime
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..local_model import Engine, ModelFile, engine_for, local_model_of
from ..local_model.llama import program, require
from .exchange import CHAT_COMPLETIONS, ApiAnswer, ApiRequest, Layer
from .local_requests import local_refusal, local_request
from .local_writing import Signature, Writing
from .making import Making
from .miss import Missing
from .recordings import Provenance, Recordings


class LocalModel:
    """Answers chat completions; anything else goes on to ``inner``.

    model   who answers, for replies and receipts
    engine  runs it
    rng     makes ids, and seeds where a request has none
    now     the time in seconds since 1970, for ``created``
    """

    def __init__(
        self, inner: Layer, model: ModelFile, engine: Engine, *, rng: random.Random | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.inner, self.model, self.engine, self.now = inner, model, engine, now
        self.rng = rng or random.Random()
        made_by = f"{program()} {model.name}"
        self.fingerprint = f"fp_local_{hashlib.sha256(made_by.encode()).hexdigest()[:10]}"

    @property
    def source(self) -> str:
        """As receipts say it."""
        return f"local · {self.model.label}"

    @property
    def provenance(self) -> Provenance:
        """Of recordings that are made of its answers."""
        day = datetime.datetime.fromtimestamp(self.now(), datetime.UTC).date()
        return Provenance("local", day.isoformat(), f"{self.model.name}, run by {program()}")

    def answer(self, request: ApiRequest) -> ApiAnswer:
        if (request.method, request.path) != ("POST", CHAT_COMPLETIONS):
            return self.inner.answer(request)
        body = request.body
        refused = local_refusal(body, self.model.label)
        if refused is not None:
            return refused
        number, name, source = f"{self.rng.getrandbits(96):024x}", self.model.name, self.source
        headers = {"x-request-id": f"req_local_{number}"}
        signature = Signature(f"chatcmpl-local-{number}", headers, int(self.now()), name, self.fingerprint, source)
        writing = Writing(body, local_request(body, seed=self.rng.getrandbits(31)), signature)
        return ApiAnswer(200, headers, source=source, making=Making(self.engine, writing))


def local_layer(asked: Any, env: Mapping[str, str], recordings: Recordings) -> LocalModel | None:
    """The layer that ``local_model=`` and the settings ask for; None: none is.

    recordings  where the nearest one is looked for, when something else than a chat completion is asked for

    Raises LocalModelMissing, before anything is asked, or ValueError: see ``local_model_of``.
    """
    model = local_model_of(asked, env)
    if model is None:
        return None
    require(model.path)
    return LocalModel(Missing(recordings), model, engine_for(model.path))
