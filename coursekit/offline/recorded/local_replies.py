"""Real replies of a small open model, for recordings with provenance "local".

Only a model can show what a sampling parameter does to text; what an author wrote is not evidence.
Where a lesson's replies file says ``local = true``, the answer is the reply of SmolLM2 to exactly
this request (``coursekit.logits``). Its ``model`` is SmolLM2's, whatever the request's was.
"""

from __future__ import annotations

import hashlib
import json

from ...foundation.portable import Portable
from ...logits import load_reply, reply_names
from ..exchange import ApiAnswer, Json, JsonDict, json_answer
from ..recordings import Provenance

# These do not change the sampled text.
NOT_SAMPLING = ("model", "logprobs", "top_logprobs")


class NoLocalReply(Portable, LookupError):
    """There is no reply of the local model to a request; the message says how to add one."""

    def __init__(self, body: Json) -> None:
        super().__init__(
            "There is no reply from the local model for "
            f"{json.dumps(_sampling(body), ensure_ascii=False)}.\n"
            "Add it to TO_TAKE in tests/data_tools/local_replies.py, and run that module."
        )


def local_answer(body: Json) -> tuple[ApiAnswer, Provenance]:
    """The real reply to this request, and its provenance. Raises NoLocalReply.

    body  the request's body, with the messages and sampling parameters that the model was given
    """
    for name in reply_names():
        reply = load_reply(name)
        if _answers(reply["request"], body):
            origin = reply["origin"]
            by = f"{origin['model']} ({origin['licence']}), run by {origin['tool']}"
            request_id = f"req_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
            answer = json_answer(
                200,
                _with_logprobs(reply["response"], body),
                headers={"x-request-id": request_id},
                after=reply["seconds"],
                source="local",
            )
            return answer, Provenance("local", origin["date"], by)
    raise NoLocalReply(body)


def _answers(request: Json, body: Json) -> bool:
    """Whether the reply to ``request`` answers ``body``, with all log-probabilities it wants."""
    if _sampling(request) != _sampling(body):
        return False
    wanted = body.get("top_logprobs") or 0
    return not body.get("logprobs") or wanted <= request.get("top_logprobs", -1)


def _sampling(body: Json) -> JsonDict:
    """The parameters that the sampled text depends on."""
    given = {name: value for name, value in body.items() if value is not None}
    return {name: given[name] for name in given if name not in NOT_SAMPLING}


def _with_logprobs(response: JsonDict, body: Json) -> JsonDict:
    """The response with exactly the log-probabilities that the request wants."""
    for choice in response["choices"]:
        if not body.get("logprobs"):
            choice["logprobs"] = None
        else:
            for token in choice["logprobs"]["content"]:
                del token["top_logprobs"][body.get("top_logprobs") or 0 :]
    return response
