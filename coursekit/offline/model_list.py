"""GET /v1/models and /v1/models/{model}: the models that the offline API knows.

It also knows the real API's other endpoints: a request to one of them gets a helpful error.
"""

from __future__ import annotations

import calendar
import re

from .. import models
from ..foundation.portable import Portable
from .exchange import (
    ApiAnswer,
    ApiRequest,
    JsonDict,
    Layer,
    error_answer,
    json_answer,
)

MODELS = "/v1/models"
DATED = re.compile(r".*-(\d{4})-(\d\d)-(\d\d)")
# The real API's endpoints that are not served, by the SDK's resources.
NOT_SERVED = re.compile(
    r"/v1/(responses|conversations|embeddings|images|audio|moderations|completions|fine_tuning"
    r"|vector_stores|uploads|assistants|threads|realtime|containers|evals|videos|chatkit|skills)"
    r"(/.*)?"
)


class NotServed(Portable, LookupError):
    """An endpoint of the real API that the offline API does not have; nothing was sent."""


class ModelList:
    """Answers requests about models; raises NotServed for the real API's other endpoints."""

    def __init__(self, inner: Layer) -> None:
        self.inner = inner

    def answer(self, request: ApiRequest) -> ApiAnswer:
        path = request.path.rstrip("/")
        if request.method == "GET" and path == MODELS:
            return listing()
        if request.method == "GET" and path.startswith(f"{MODELS}/"):
            return one_model(path.removeprefix(f"{MODELS}/"))
        if NOT_SERVED.fullmatch(path):
            raise NotServed(
                f"{request.method} {path} is not available offline: the offline API has only chat "
                "completions, models, files, and batches.\n"
                'To call the real API, which costs money, use connect(mode="live").'
            )
        return self.inner.answer(request)


def listing() -> ApiAnswer:
    """All chat models."""
    chat = [
        name for name in models.names() if models.get(name).endpoint == "chat"
    ]
    data = [model_object(name) for name in chat]
    return json_answer(200, {"object": "list", "data": data})


def one_model(name: str) -> ApiAnswer:
    """One model, or the API's 404."""
    if models.known(name):
        return json_answer(200, model_object(name))
    return error_answer(
        404,
        f"The model '{name}' does not exist",
        param="model",
        code="model_not_found",
    )


def model_object(name: str) -> JsonDict:
    """A model as the API lists it; ``created`` is the day of its (first) snapshot, or 0."""
    model = models.get(name)
    snapshot = name
    if name == model.name:
        snapshot = min(model.snapshots, default=name)
    created = 0
    if dated := DATED.fullmatch(snapshot):
        year, month, day = map(int, dated.groups())
        created = calendar.timegm((year, month, day, 0, 0, 0))
    return {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "system",
        "shutdown_date": model.shutdown.isoformat() if model.shutdown else None,
    }
