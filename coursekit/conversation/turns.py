"""What was said, turn by turn: the part of a conversation that does not send anything.

A turn is a user's message and everything that follows until the next one: tool calls, their
results, the reply. Memory policies drop whole turns, so by construction they never separate a tool
call from its result. Instructions (system and developer messages) are separate: they are never
dropped. Taught in 03 §1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..pricing import Usage, usage_of
from ..tokens import as_dict

Message: TypeAlias = dict[str, Any]
INSTRUCTIONS = ("system", "developer")


def is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and "role" in value


def is_instruction(message: Mapping[str, Any]) -> bool:
    return message.get("role") in INSTRUCTIONS


def unanswered(messages: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the tool calls that have no result yet."""
    ids: set[str] = set()
    for message in messages:
        ids.update(
            call.get("id", "") for call in message.get("tool_calls") or ()
        )
        if message.get("role") == "tool":
            ids.discard(message.get("tool_call_id", ""))
    return ids


@dataclass(slots=True)
class Turn:
    """One turn.

    messages  in order: the user's, then everything that followed it
    calls     the API calls it took, as small dicts that ``Meter.add`` takes: purpose
              ("reply", or "summary" of older turns), model, usage, finish_reason, created,
              service_tier, request_id
    """

    messages: list[Message]
    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """The tokens of all its calls, as far as the API reported them."""
        usages = (call.get("usage") for call in self.calls)
        return sum(map(usage_of, filter(None, usages)), Usage(0, 0))


@dataclass(slots=True)
class Summary:
    """The model's summary of the oldest turns: ``text`` replaces the first ``turns`` turns."""

    text: str
    turns: int


@dataclass(frozen=True, slots=True)
class NewTurn:
    """What a memory policy bases its decision on.

    always      messages that are always sent: all instructions, and what is new
    earlier     the turns before, oldest first
    summarized  how many of them a summary already replaces
    model       that will read it
    """

    always: Sequence[Message]
    earlier: Sequence[Turn]
    summarized: int
    model: str


class History:
    """Everything that was said, never trimmed: instructions first, then turns."""

    def __init__(self) -> None:
        self.instructions: list[Message] = []
        self.turns: list[Turn] = []
        self.summary: Summary | None = None
        # with the number of the turn in which they are
        self._later: list[tuple[int, Message]] = []

    @classmethod
    def of(cls, messages: Iterable[Message]) -> History:
        """A history from a plain list of messages."""
        history = cls()
        history.add(messages)
        return history

    @property
    def messages(self) -> list[Message]:
        """Everything, in order (copies: changing them changes nothing here)."""
        return [*map(dict, self.instructions), *map(dict, self.said_from(0))]

    def add(
        self, messages: Iterable[Message], calls: Iterable[dict[str, Any]] = ()
    ) -> None:
        """Append messages, and the calls that they took to the turn in which they end."""
        for message in map(as_dict, messages):
            if is_instruction(message):
                if not self.turns:
                    self.instructions.append(message)
                    continue
                self._later.append((len(self.turns) - 1, message))
            if self.continues(message):
                self.turns[-1].messages.append(message)
            else:
                self.turns.append(Turn([message]))
        if self.turns:
            self.turns[-1].calls.extend(calls)

    def continues(self, message: Message) -> bool:
        """Whether a message, if it came next, would belong to the last turn."""
        if not self.turns:
            return False
        return message["role"] != "user" or bool(
            unanswered(self.turns[-1].messages)
        )

    def draft(self, new: Sequence[Message], model: str) -> NewTurn:
        """What a policy is asked before ``new`` is sent. A last turn that ``new`` continues is new
        as well.
        """
        earlier: Sequence[Turn] = self.turns
        if new and self.continues(new[0]):
            earlier, new = self.turns[:-1], [*self.turns[-1].messages, *new]
        summarized = self.summary.turns if self.summary else 0
        return NewTurn(
            [*self.instructions_before(len(earlier)), *new],
            earlier,
            min(summarized, len(earlier)),
            model,
        )

    def instructions_before(self, first: int) -> list[Message]:
        """The instructions, with those that were given later, in turns before number ``first``."""
        return [
            *self.instructions,
            *(message for number, message in self._later if number < first),
        ]

    def said_from(self, first: int, until: int | None = None) -> list[Message]:
        """The messages of the turns from number ``first`` on, up to but not including number
        ``until``.
        """
        return [
            message
            for turn in self.turns[first:until]
            for message in turn.messages
        ]
