"""Real replies of a small open model, in the place of a real API's: for recordings of provenance
"local".

What a sampling parameter does to a text can be shown only by a model, and no text that an author
writes is evidence of it. So where a lesson's replies file says ``local = true``, the answer is a
reply that SmolLM2 gave to this very request (``coursekit.logits``). The reply's ``model`` says who
answered, whatever model was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ...foundation.portable import Portable
from ...logits import load_reply, reply_names
from ..exchange import ApiAnswer, json_answer
from ..recordings import Provenance

SHOWN_ONLY = (
    "model",
    "logprobs",
    "top_logprobs",
)  # what changes nothing in the text that is sampled


class NoLocalReply(Portable, LookupError):
    """No model was asked this; the message says how to ask one."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__(
            "No reply was taken from the local model for "
            f"{json.dumps(_asked(body), ensure_ascii=False)}.\n"
            "What to do: add it to TO_TAKE in tests/data_tools/local_replies.py and "
            "run that module."
        )


def local_answer(body: Mapping[str, Any]) -> tuple[ApiAnswer, Provenance]:
    """The real reply to this request, and whose it is. Raises NoLocalReply.

    body  of the request: its messages and sampling parameters must be those that the model was
          given
    """
    for name in reply_names():
        reply = load_reply(name)
        if _asked(reply["request"]) == _asked(body) and _told_enough(
            reply["request"], body
        ):
            origin = reply["origin"]
            by = f"{origin['model']} ({origin['licence']}), run by {origin['tool']}"
            request_id = f"req_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
            answer = json_answer(
                200,
                _shown(reply["response"], body),
                headers={"x-request-id": request_id},
                after=reply["seconds"],
                source="local",
            )
            return answer, Provenance("local", origin["date"], by)
    raise NoLocalReply(body)


def _asked(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in body.items()
        if key not in SHOWN_ONLY and value is not None
    }


def _told_enough(request: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether the reply was taken with all the log-probabilities that are asked for now."""
    return not body.get("logprobs") or (body.get("top_logprobs") or 0) <= request.get(
        "top_logprobs", -1
    )


def _shown(response: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """The response with the log-probabilities that were asked for, and no others."""
    for choice in response["choices"]:
        if not body.get("logprobs"):
            choice["logprobs"] = None
        else:
            for token in choice["logprobs"]["content"]:
                del token["top_logprobs"][body.get("top_logprobs") or 0 :]
    return response
