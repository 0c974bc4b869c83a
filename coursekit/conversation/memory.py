"""What the model gets to see again: policies that decide where in a conversation to start sending.

A policy answers one question, ``first(draft)``: the number of the oldest turn that is still sent.
Everything else follows from how a history is built: instructions are always sent, and turns are
sent in full or not at all. Taught in 03 §5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from .. import models
from ..foundation.arguments import is_number
from ..tokens import NotCountable, chat_tokens, count_tokens, message_tokens
from .turns import History, Message, NewTurn, is_instruction

SUMMARY_PROMPT = (
    "Summarize our conversation so far, for yourself: you will see the summary in place of the "
    "messages. Keep names, "
    "numbers, decisions and open questions. Write no more than 150 words."
)


class BudgetTooSmall(ValueError):
    """The instructions and the newest message alone exceed the token budget; nothing was sent."""


class Memory(Protocol):
    def first(self, draft: NewTurn) -> int:
        """The number of the oldest turn of ``draft.earlier`` that is sent: from 0 (all) to their
        count (none).
        """
        ...


@dataclass(frozen=True, slots=True)
class Everything:
    """Forget nothing: each turn sends all earlier ones, until the context window is full."""

    def first(self, draft: NewTurn) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """Remember the last turns. ``max_turns`` counts those before the new message: 0 or more."""

    max_turns: int

    def __post_init__(self) -> None:
        _whole(self, "max_turns", 0)

    def first(self, draft: NewTurn) -> int:
        return max(0, len(draft.earlier) - self.max_turns)


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Remember as many of the last turns as fit: the prompt never has more than ``max_tokens``
    tokens.

    max_tokens  for the whole prompt. Leave room for the reply: the context window minus
                max_completion_tokens.
    count       returns the tokens of one message with its frame, for models that ``count_tokens``
                does not know; None: use its rules, which are exact for OpenAI's models. Tool calls
                and their results, for which no exact rule is known, count as the tokens of their
                JSON; anything else in a request (definitions of tools, schemas) is not counted.

    Each message is counted once. Raises BudgetTooSmall if the instructions and the new message do
    not fit.
    """

    max_tokens: int
    count: Callable[[Message], int] | None = field(default=None, repr=False)
    _counted: dict[Any, int] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        _whole(self, "max_tokens", 1)

    def first(self, draft: NewTurn) -> int:
        priming = (
            chat_tokens([], draft.model).priming if self.count is None else 0
        )
        needed = priming + sum(
            self._tokens(message, draft.model) for message in draft.always
        )
        if needed > self.max_tokens:
            raise BudgetTooSmall(
                f"The instructions and the new message take {needed:,} tokens, more than "
                "TokenBudget(max_tokens="
                f"{self.max_tokens}) allows. Nothing was sent. Raise max_tokens, or "
                "shorten the message."
            )
        left, first = self.max_tokens - needed, len(draft.earlier)
        while first:
            said = draft.earlier[first - 1].messages
            left -= sum(
                self._tokens(message, draft.model)
                for message in said
                if not is_instruction(message)
            )
            if left < 0:
                break
            first -= 1
        return first

    def _tokens(self, message: Message, model: str) -> int:
        # Python remembers the hash of a string, so this is cheap
        key: Any = (model, *message.items())
        try:
            counted = self._counted.get(key)
        except TypeError:  # a content of parts, or tool calls
            key = (model, json.dumps(message, sort_keys=True))
            counted = self._counted.get(key)
        if counted is None:
            count = self.count or partial(_exact, model=model)
            counted = self._counted[key] = count(message)
        return counted


class Summarize:
    """Remember the last turns word for word, and the earlier ones as the model's own summary.

    over, keep  if there are more than ``over`` turns since the last summary, all but the last
                ``keep`` go into a new one (0 <= keep <= over). The larger the difference, the rarer
                the extra call.
    prompt      asks for the summary
    params      for that call, if they should differ from the conversation's: model="gpt-4o-mini",
                …
    """

    def __init__(
        self,
        over: int,
        keep: int,
        *,
        prompt: str = SUMMARY_PROMPT,
        **params: Any,
    ) -> None:
        self.over, self.keep = over, keep
        self.prompt, self.params = prompt, params
        _whole(self, "keep", 0)
        _whole(self, "over", keep)

    def first(self, draft: NewTurn) -> int:
        turns = len(draft.earlier)
        return (
            turns - self.keep
            if turns - draft.summarized > self.over
            else draft.summarized
        )

    def request(
        self, params: dict[str, Any], messages: list[Message]
    ) -> dict[str, Any]:
        """The call that summarizes ``messages``. It begins as the last prompt did, so that the
        cache can help.
        """
        request = dict(params)
        for name in params.keys() - {"model", "reasoning_effort"}:
            del request[name]
        messages = [*messages, {"role": "user", "content": self.prompt}]
        return {**request, **self.params, "messages": messages}

    def __repr__(self) -> str:
        return f"Summarize(over={self.over}, keep={self.keep})"


def reminder(summary: str) -> Message:
    """A summary as a message. It has the role user: what users said must not become an
    instruction.
    """
    return {
        "role": "user",
        "content": f"Summary of our conversation so far:\n{summary}",
    }


def trimmed(
    messages: Iterable[Message], memory: Memory, model: str | None = None
) -> list[Message]:
    """What a policy would send of a list of messages whose last turn is the new one.

    Raises what the policy raises. (Summarize drops turns here without a summary, which only a model
    could write.)
    """
    history = History.of(messages)
    newest = history.turns[-1].messages if history.turns else []
    earlier = History.of(
        history.messages[: len(history.messages) - len(newest)]
    )
    first = memory.first(earlier.draft(newest, model or models.CHAT))
    return [
        *earlier.instructions_before(first),
        *earlier.said_from(first),
        *newest,
    ]


def _exact(message: Message, model: str) -> int:
    try:
        return message_tokens(message, model).total
    except NotCountable:
        if message.get("tool_calls") or message.get("role") == "tool":
            return count_tokens(json.dumps(message), model)
        raise


def _whole(policy: object, name: str, least: int) -> None:
    value = getattr(policy, name)
    if not is_number(value, whole=True) or value < least:
        raise ValueError(
            f"{type(policy).__name__} needs {name}, a whole number of at least {least}, not "
            f"{value!r}."
        )
