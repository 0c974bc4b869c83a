"""One request of a conversation, and its answer. It neither waits nor sends, so sync and async
share it.
"""

from __future__ import annotations

from typing import Any, Literal

from ..foundation.arguments import streamed
from ..foundation.portable import Portable
from ..tokens import as_dict
from .turns import Message

Purpose = Literal["reply", "summary"]


class NoReply(Portable, RuntimeError):
    """The API answered, but the reply is not complete. Nothing was added to the conversation, so it
    is safe to send again.

    text           what had arrived
    finish_reason  as the API gave it; None: the stream was cut
    """

    def __init__(
        self, why: str, text: str = "", finish_reason: str | None = None
    ) -> None:
        self.text, self.finish_reason = text, finish_reason
        super().__init__(
            f"{why} Nothing was added to the conversation: it is safe to send again."
        )


class Call:
    """A request to send with ``client.chat.completions.create(**call.params)``.

    Give it the answer with ``done(completion)``. For ``create(**call.stream_params)``, call
    ``opened(stream)``, then ``feed(chunk)`` for each chunk.

    params   of the request
    purpose  "reply", or "summary" of older turns
    text     what has arrived so far
    """

    def __init__(
        self, params: dict[str, Any], purpose: Purpose = "reply"
    ) -> None:
        self.params, self.purpose = params, purpose
        self.text = ""
        self._answered = self._streamed = self._refused = False
        self._tool_calls: list[dict[str, Any]] = []
        self._billed: dict[str, Any] = {"model": params["model"], "usage": None}

    @property
    def stream_params(self) -> dict[str, Any]:
        """The same request, streamed, with the usage at its end."""
        return streamed(self.params)

    def done(self, completion: Any) -> None:
        """Take a complete ChatCompletion."""
        self._bill(completion)
        self._answered = True
        self._billed["request_id"] = getattr(completion, "_request_id", None)
        # what is not a completion (a page of HTML, say) has none
        if getattr(completion, "choices", None):
            choice = completion.choices[0]
            message = choice.message
            self._billed["finish_reason"] = choice.finish_reason
            self.text = _said(message)
            self._refused = bool(getattr(message, "refusal", None))
            tool_calls = getattr(message, "tool_calls", None) or []
            self._tool_calls = [as_dict(call) for call in tool_calls]

    def opened(self, stream: Any) -> None:
        """Take note of a stream that begins."""
        self._answered = self._streamed = True
        headers = getattr(getattr(stream, "response", None), "headers", {})
        self._billed["request_id"] = headers.get("x-request-id")

    def feed(self, chunk: Any) -> str:
        """Take a chunk. Returns the text that it adds, "" if none."""
        self._bill(chunk)
        if not chunk.choices:  # the usage chunk at the end has none
            return ""
        choice = chunk.choices[0]
        self._billed["finish_reason"] = (
            choice.finish_reason or self._billed.get("finish_reason")
        )
        piece = _said(choice.delta)
        self.text += piece
        return piece

    @property
    def billed(self) -> dict[str, Any]:
        """The request and its usage, as a small dict that ``Meter.add`` takes and JSON can hold."""
        return {"purpose": self.purpose, **self._billed}

    @property
    def message(self) -> Message:
        """The reply, as a message to send back. Raises NoReply if it is not complete."""
        reason = self._billed.get("finish_reason")
        if not self._answered:
            raise RuntimeError(
                "This call has no answer yet. Pass its answer to done() before you ask for the "
                "next call."
            )
        if self._streamed and reason is None:
            raise NoReply(
                f"The stream ended early, after {len(self.text)} characters.",
                self.text,
            )
        if self.purpose == "summary" and (
            self._refused or self._tool_calls or reason != "stop"
        ):
            if self._refused:
                what = "the model declined"
            elif self._tool_calls:
                what = "the model called a tool"
            else:
                what = f"finish_reason {reason!r}"
            why = f"The summary is not complete ({what}), so the memory is unchanged."
            raise NoReply(why + _cure(reason), self.text, reason)
        if self._tool_calls:
            return {
                "role": "assistant",
                "content": self.text or None,
                "tool_calls": self._tool_calls,
            }
        if not self.text:
            raise NoReply(
                f"The reply is empty (finish_reason {reason!r}).{_cure(reason)}",
                finish_reason=reason,
            )
        return {"role": "assistant", "content": self.text}

    def _bill(self, part: Any) -> None:
        """Record what a completion or a chunk says about the bill."""
        for name in ("model", "created", "service_tier"):
            if (value := getattr(part, name, None)) is not None:
                self._billed[name] = value
        if (usage := getattr(part, "usage", None)) is not None:
            self._billed["usage"] = dict(as_dict(usage))


def _cure(reason: str | None) -> str:
    return (
        " Hidden reasoning counts as well: raise max_completion_tokens."
        if reason == "length"
        else ""
    )


def _said(message: Any) -> str:
    """The text of a message or delta. A refusal counts as what the model said."""
    return (
        getattr(message, "content", None)
        or getattr(message, "refusal", None)
        or ""
    )
