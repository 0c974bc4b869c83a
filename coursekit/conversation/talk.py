"""A conversation with a model. The API remembers nothing: each call sends everything that the model
should know.

``calls()`` decides what to send and what to do with the answer, without any input or output. Sync
and async, whole and streamed differ only in how they carry out those calls. Taught in 03 §3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

from .. import models
from ..foundation.arguments import check_client, for_one_answer
from ..tokens import as_dict
from . import storage
from .call import Call
from .memory import Everything, Memory, Summarize, reminder
from .turns import History, Message, Summary, Turn, is_message

Content: TypeAlias = str | list[Message]


class BaseConversation:
    """What both kinds of conversation share: history, memory, and the calls that a turn needs.

    client  anything with ``client.chat.completions.create(**params)``, as ``connect()`` returns it
    system  the instructions; None: none
    memory  which earlier turns are sent: SlidingWindow, TokenBudget or Summarize; None: all of them
    params  for each request: model (default: models.CHAT), temperature, max_completion_tokens, …

    Raises ValueError for parameters that a conversation sets itself, and TypeError for a client of
    the other kind, instructions that are not a string, or a memory of another type. Nothing is sent
    before you call a method that sends.
    """

    is_async = False

    def __init__(
        self,
        client: Any,
        system: str | None = None,
        memory: Memory | None = None,
        **params: Any,
    ) -> None:
        other = "Conversation" if self.is_async else "AsyncConversation"
        check_client(
            type(self).__name__, client, is_async=self.is_async, instead=other
        )
        params = for_one_answer(
            type(self), client, params, sets=("messages", "stream")
        )
        if not isinstance(system, str | None):
            raise TypeError(
                f"system={system!r:.60} is not a string. Give only the text of the instructions, "
                "without a role."
            )
        if isinstance(memory, type) or not (
            memory is None or hasattr(memory, "first")
        ):
            raise TypeError(
                f"memory={memory!r:.60} is not a memory. Give one such as SlidingWindow(5), "
                "TokenBudget(2_000) or Summarize(over=2_000, keep=4)."
            )
        self.client = client
        self.memory: Memory = memory or Everything()
        self.params = {"model": models.CHAT, **params}
        self._history = History.of(
            [{"role": "system", "content": system}] if system else []
        )
        # calls that were billed, while their turn has not succeeded yet
        self._unplaced: list[dict[str, Any]] = []

    @property
    def messages(self) -> list[Message]:
        """Everything that was said, with the instructions first (a copy). ``request()`` shows what
        is sent of it.
        """
        return self._history.messages

    @property
    def turns(self) -> Sequence[Turn]:
        """The turns so far, each with its messages, calls and usage."""
        return self._history.turns

    @property
    def summary(self) -> str | None:
        """The text that replaces the oldest turns, if the memory is Summarize and has made one."""
        return self._history.summary.text if self._history.summary else None

    def request(self, content: Content) -> dict[str, Any]:
        """The next request that ``send(content)`` would make; nothing is sent."""
        return next(self.calls(content)).params

    def calls(self, content: Content) -> Iterator[Call]:
        """The calls of one turn, each to be answered before you request the next.

        The history changes only when the last one has been answered: a call that fails, a reply
        that is cut or a loop that is left changes nothing.
        """
        new, history = _new(content), self._history
        draft = history.draft(new, str(self.params["model"]))
        first = self.memory.first(draft)
        if isinstance(self.memory, Summarize) and first > draft.summarized:
            dropped = [
                *self._reminded(first),
                *history.said_from(draft.summarized, first),
            ]
            call = Call(self.memory.request(self.params, dropped), "summary")
            yield call
            self._unplaced.append(call.billed)
            history.summary = Summary(str(call.message["content"]), first)
        messages = [*self._reminded(first), *history.said_from(first), *new]
        call = Call({**self.params, "messages": messages})
        yield call
        self._unplaced.append(call.billed)
        history.add([*new, call.message], self._unplaced)
        self._unplaced = []

    def save(self, path: str | Path) -> None:
        """Write the conversation as JSON lines: instructions and summary, then a line for each
        turn. All or nothing.
        """
        storage.save(self._history, Path(path).expanduser())

    @classmethod
    def load(
        cls,
        path: str | Path,
        client: Any,
        memory: Memory | None = None,
        **params: Any,
    ) -> Self:
        """Continue a saved conversation. Raises storage.DamagedConversation, which names file and
        line.
        """
        conversation = cls(client, None, memory, **params)
        conversation._history = storage.load(Path(path).expanduser())
        return conversation

    def _reminded(self, first: int) -> list[Message]:
        """What precedes the turns: all instructions, and the summary if the memory makes one."""
        messages = self._history.instructions_before(first)
        if self.summary and isinstance(self.memory, Summarize):
            messages.append(reminder(self.summary))
        return messages

    def __repr__(self) -> str:
        turns = f"{len(self.turns):,} turn{'s' * (len(self.turns) != 1)}"
        return (
            f"{type(self).__name__}({turns}, model={self.params['model']!r}, "
            f"memory={self.memory!r})"
        )


class Conversation(BaseConversation):
    __doc__ = BaseConversation.__doc__

    def send(self, content: Content) -> str:
        """Say something and return the reply's text ("" if it calls tools: see the last of
        ``messages``).

        content  the user's text; or messages, such as the results of tool calls

        Raises the SDK's errors, NoReply, and the memory's error (BudgetTooSmall). After an error,
        the conversation is unchanged.
        """
        for call in self.calls(content):
            call.done(self.client.chat.completions.create(**call.params))
        return call.text

    def stream(self, content: Content) -> Iterator[str]:
        """Like ``send()``, but yield the text as it arrives. The history changes at the end;
        leaving early closes the connection.
        """
        _refuse_tools(self.params)
        for call in self.calls(content):
            if call.purpose == "summary":
                call.done(self.client.chat.completions.create(**call.params))
                continue
            with self.client.chat.completions.create(
                **call.stream_params
            ) as chunks:
                call.opened(chunks)
                for chunk in chunks:
                    if piece := call.feed(chunk):
                        yield piece


class AsyncConversation(BaseConversation):
    __doc__ = BaseConversation.__doc__
    is_async = True

    async def send(self, content: Content) -> str:
        """Like ``Conversation.send()``, but awaited."""
        for call in self.calls(content):
            call.done(await self.client.chat.completions.create(**call.params))
        return call.text

    async def stream(self, content: Content) -> AsyncIterator[str]:
        """Like ``Conversation.stream()``, but for ``async for``."""
        _refuse_tools(self.params)
        for call in self.calls(content):
            if call.purpose == "summary":
                call.done(
                    await self.client.chat.completions.create(**call.params)
                )
                continue
            async with await self.client.chat.completions.create(
                **call.stream_params
            ) as chunks:
                call.opened(chunks)
                async for chunk in chunks:
                    if piece := call.feed(chunk):
                        yield piece


def _new(content: Content) -> list[Message]:
    if isinstance(content, str):
        if not content.strip():
            raise ValueError("There is nothing to send: the text is empty.")
        return [{"role": "user", "content": content}]
    if not isinstance(content, list):
        raise TypeError(
            f"send() takes a string or a list of messages, not {type(content).__name__}."
        )
    messages = [as_dict(message) for message in content]
    if not messages or not all(map(is_message, messages)):
        raise ValueError(
            'send() takes one or more messages like {"role": "user", "content": "Hi"}.'
        )
    return [dict(message) for message in messages]


def _refuse_tools(params: Mapping[str, Any]) -> None:
    if params.get("tools"):
        raise ValueError(
            "stream() yields text, but with tools, a reply may have none: use send()."
        )
