"""What llama.cpp says while it writes, in the shape of the API: a completion, or the chunks of a stream.

All of this runs in the model's thread (``local_model.engine``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..local_model.llama import token_text
from ..portable import Portable
from . import refusals
from .exchange import DONE, ApiAnswer, Event, json_answer, sse
from .making import Outlet, Passed

STREAM = {"content-type": "text/event-stream; charset=utf-8"}
LEAST = -9999.0  # as the API writes the log-probability of nothing


@dataclass(frozen=True, slots=True)
class Signature:
    """Who answers, in the API's fields, and its headers; ``source`` for receipts."""

    id: str
    headers: Mapping[str, str]
    created: int
    model: str
    fingerprint: str
    source: str


@dataclass(slots=True)
class Choice:
    """One of the n choices, as far as it is written."""

    index: int
    texts: list[str] = field(default_factory=list)
    tokens: list[dict[str, Any]] = field(default_factory=list)
    reason: str = "length"
    prompt_tokens: int = 0
    completion_tokens: int = 0


Tell = Callable[[Choice, str, list[dict[str, Any]]], None]  # hears of each piece of text, with its tokens' logprobs


class Refused(Portable, Exception):
    """llama.cpp does not do it; the answer says why."""

    def __init__(self, answer: ApiAnswer) -> None:
        super().__init__()
        self.answer = answer


class Writing:
    """Writes the answer to one request; called in the model's thread: see ``making.Write``.

    body   of the request to the API
    asked  the requests to llama.cpp, one for each choice
    """

    def __init__(self, body: Mapping[str, Any], asked: list[dict[str, Any]], signature: Signature) -> None:
        self.body, self.asked, self.signature = body, asked, signature

    def __call__(self, model: Any, outlet: Outlet, passed: Passed) -> None:
        said = self.signature
        try:
            if self.body.get("stream"):
                self._stream(model, outlet, passed)
            else:
                choices = self._choices(model, outlet, lambda *piece: None)
                value = {**self._head("chat.completion"), "choices": [self._choice(choice) for choice in choices],
                         "usage": _usage(choices)}  # fmt: skip
                outlet.put(json_answer(200, value, headers=said.headers, after=passed(), source=said.source))
        except Refused as refused:
            outlet.put(refused.answer)

    def _stream(self, model: Any, outlet: Outlet, passed: Passed) -> None:
        begun = False
        counted = bool((self.body.get("stream_options") or {}).get("include_usage"))

        def send(choices: list[dict[str, Any]], usage: Any = None) -> None:
            value = {**self._head("chat.completion.chunk"), "choices": choices, **({"usage": usage} if counted else {})}
            outlet.put(Event(passed(), sse(value)))

        def begin() -> None:
            nonlocal begun
            if not begun:
                begun = True
                said = self.signature
                headers = {**STREAM, **said.headers}
                outlet.put(ApiAnswer(200, headers, events=(), after=passed(), source=said.source))
                for index in range(len(self.asked)):
                    send([_delta(index, {"role": "assistant", "content": "", "refusal": None})])

        def tell(choice: Choice, text: str, tokens: list[dict[str, Any]]) -> None:
            begin()
            send([_delta(choice.index, {"content": text}, self._logprobs(tokens))])

        choices = self._choices(model, outlet, tell)
        begin()  # where there was no text
        for choice in choices:
            send([_delta(choice.index, {}, None, choice.reason)])
        if counted:
            send([], _usage(choices))
        outlet.put(Event(passed(), DONE))

    def _choices(self, model: Any, outlet: Outlet, tell: Tell) -> list[Choice]:
        choices = []
        for index, request in enumerate(self.asked):
            if not outlet.left:
                choices.append(_written(model, request, Choice(index), outlet, tell))
        return choices

    def _head(self, kind: str) -> dict[str, Any]:
        said = self.signature
        return {
            "id": said.id, "object": kind, "created": said.created, "model": said.model,
            "system_fingerprint": said.fingerprint,
        }  # fmt: skip

    def _choice(self, choice: Choice) -> dict[str, Any]:
        text = "".join(choice.texts)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        return {
            "index": choice.index, "message": message, "logprobs": self._logprobs(choice.tokens),
            "finish_reason": choice.reason,
        }  # fmt: skip

    def _logprobs(self, tokens: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Of these tokens, with as many alternatives as were asked for; None where none were."""
        if not self.body.get("logprobs"):
            return None
        most = self.body.get("top_logprobs") or 0
        content = [
            {**_token(token), "top_logprobs": [_token(other) for other in token.get("top_logprobs", ())[:most]]}
            for token in tokens
        ]
        return {"content": content, "refusal": None}


def _written(model: Any, request: dict[str, Any], choice: Choice, outlet: Outlet, tell: Tell) -> Choice:
    """Let the model write a choice, and tell of each piece. Raises Refused."""
    failures: list[Exception] = []

    def heard(told: dict[str, Any]) -> bool:
        try:
            _note(told, choice, tell)
        except Exception as error:  # noqa: BLE001 - llama.cpp would swallow it
            failures.append(error)
        return bool(failures) or outlet.left

    try:
        model.handle_chat_completions(request, heard)
    except (RuntimeError, ValueError) as error:
        failures.append(Refused(_refusal({"message": str(error)})))
    if failures:
        raise failures[0]
    return choice


def _note(told: dict[str, Any], choice: Choice, tell: Tell) -> None:
    if "error" in told:
        raise Refused(_refusal(told["error"]))
    for said in told["choices"]:
        tokens = (said.get("logprobs") or {}).get("content") or []
        text = said["delta"].get("content") or ""
        if text or tokens:
            choice.texts.append(text)
            choice.tokens += tokens
            tell(choice, text, tokens)
        choice.reason = said.get("finish_reason") or choice.reason
    if (used := told.get("usage")) is not None:
        choice.prompt_tokens = used["prompt_tokens"]
        # llama.cpp counts the token that ended the text; the API neither shows nor bills it.
        choice.completion_tokens = used["completion_tokens"] - (choice.reason == "stop")


def _refusal(error: Mapping[str, Any]) -> ApiAnswer:
    if error.get("type") == "exceed_context_size_error":
        text = (
            f"This model's maximum context length is {error['n_ctx']} tokens. However, your messages resulted in "
            f"{error['n_prompt_tokens']} tokens. Please reduce the length of the messages."
        )
        return refusals.refusal(text, param="messages", code="context_length_exceeded")
    text = f"The local model cannot answer this request; llama.cpp says: {error.get('message', 'nothing')}"
    return refusals.refusal(text, code="local_model_failed")


def _delta(index: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}


def _token(said: Mapping[str, Any]) -> dict[str, Any]:
    data = bytes(said["bytes"])
    return {"token": token_text(data), "logprob": max(float(said["logprob"]), LEAST), "bytes": list(data)}


def _usage(choices: list[Choice]) -> dict[str, Any]:
    sent, written = choices[0].prompt_tokens if choices else 0, sum(choice.completion_tokens for choice in choices)
    return {
        "prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }  # fmt: skip
