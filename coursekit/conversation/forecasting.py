"""What a conversation would send and read from the cache, calculated in advance.

``forecast()`` holds the conversation: the real ``Conversation`` with a real memory, and a client
that only counts. ``prompt_tokens()`` is the same sum as a formula, for the two policies that have
one; ``spent()`` makes dollars of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate, takewhile
from types import SimpleNamespace
from typing import Any

from .. import models
from ..pricing import Usage, price_of
from ..tokens import chat_tokens, count_tokens, message_tokens
from .caching import cacheable
from .memory import Memory, Summarize, TokenBudget, reminder
from .talk import Conversation
from .turns import Message


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens of each message, 1 or more. They include its role, which is one token; the rest of its
    frame comes on top.

    summary  of the model's own summary, where the memory asks for one
    """

    system: int = 30
    user: int = 60
    reply: int = 180
    summary: int = 200

    def __post_init__(self) -> None:
        if min(self.system, self.user, self.reply, self.summary) < 1:
            raise ValueError(
                f"{self}: every message has at least 1 token, that of its role."
            )


def forecast(
    turns: int,
    sizes: Sizes | None = None,
    memory: Memory | None = None,
    model: str | None = None,
) -> list[Usage]:
    """The tokens of each turn of a conversation in which all messages of a kind are of one size.

    turns   at most so many
    memory  as ``Conversation`` takes it
    model   gives the frame of a message, and the context window; None: ``models.CHAT``

    The list ends before the first turn that the context window cannot hold: there the API refuses
    the request. ``cached`` is the most that the cache can give, with every turn finding the one
    before it (``cacheable_prefix``). ``completion`` is ``reply`` (and ``summary``) unchanged.
    Raises BudgetTooSmall, UnknownTokenizer.
    """
    model = model or models.CHAT
    client = _Counting(sizes or Sizes(), model)
    conversation = Conversation(
        client, "instructions", client.counted(memory), model=model
    )
    for number in range(turns):
        try:
            conversation.send(f"question {number}")
        except _ContextFull:
            break
    return [turn.usage for turn in conversation.turns]


@dataclass(frozen=True, slots=True)
class ContextMessage:
    """A message as a turn's request treats it. ``tokens`` are with its frame; of these ``cached``
    are read from the cache. ``sent`` is False for one that the memory forgets.
    """

    role: str
    tokens: int
    cached: int
    sent: bool


def context_of(
    turn: int,
    sizes: Sizes | None = None,
    memory: Memory | None = None,
    model: str | None = None,
) -> list[ContextMessage]:
    """The conversation of ``forecast()`` up to the request of this turn (from 1 on): instructions,
    what is forgotten, what is sent, the new question. The tokens sent, and those that ask for the
    reply, are that request's prompt.
    """
    model = model or models.CHAT
    client = _Counting(sizes or Sizes(), model)
    conversation = Conversation(
        client, "instructions", client.counted(memory), model=model
    )
    for number in range(turn):
        conversation.send(f"question {number}")
    first, *others = client.before
    forgotten = [
        each for each in conversation.messages[1:-1] if each not in others
    ]
    context, left = [], client.cached
    for message in (first, *forgotten, *others):
        sent, tokens = message not in forgotten, client.tokens(message)
        cached = min(left, tokens) if sent else 0
        left -= cached
        context.append(ContextMessage(message["role"], tokens, cached, sent))
    return context


def prompt_tokens(
    turns: int,
    sizes: Sizes | None = None,
    window: int | None = None,
    model: str | None = None,
) -> int:
    """The prompt tokens that all turns together send, by formula.

    window  as SlidingWindow's max_turns; None: everything is sent each time

    Each turn sends a prompt of the first turn's size, and ``exchange`` tokens more for each turn it
    is reminded of: 0 + 1 + … + (turns - 1) of them, or never more than ``window``. So the sum grows
    with the square of ``turns``, or beyond the window in proportion to it.
    """
    sizes, model = sizes or Sizes(), model or models.CHAT
    framed = _framed(sizes, model)
    first = chat_tokens([], model).priming + framed["system"] + framed["user"]
    exchange = framed["user"] + framed["assistant"]
    most = (
        max(turns - 1, 0) if window is None else min(window, max(turns - 1, 0))
    )
    reminded = most * (most + 1) // 2 + max(turns - 1 - most, 0) * most
    return turns * first + reminded * exchange


def spent(
    turns: Iterable[Usage],
    model: str | None = None,
    on: datetime.date | None = None,
) -> list[Decimal]:
    """US dollars after each turn, at the prices of the day ``on`` (None: today). Raises
    pricing.NoPrice.
    """
    model = model or models.CHAT
    fields = (
        {
            "prompt_tokens": turn.prompt,
            "completion_tokens": turn.completion,
            "prompt_tokens_details": {"cached_tokens": turn.cached},
        }
        for turn in turns
    )
    return list(
        accumulate(price_of(usage, model, on).total for usage in fields)
    )


class _ContextFull(Exception):
    """The next request would not fit into the context window."""


class _Counting:
    """A client that answers with numbers: what a request would be billed."""

    def __init__(self, sizes: Sizes, model: str) -> None:
        self.chat = self.completions = self
        self.sizes, self.model = sizes, model
        self.framed, self.priming = (
            _framed(sizes, model),
            chat_tokens([], model).priming,
        )
        self.window = models.get(model).context if models.known(model) else None
        self.prompt: str | None = None  # that asks for a summary
        self.before: Sequence[Message] = ()
        self.cached = 0  # tokens of the newest prompt
        self.answers = 0
        self._known: dict[str, int] = {}
        self._frame = message_tokens(
            {"role": "user", "content": ""}, model
        ).overhead
        self._reminder = self._frame + count_tokens(
            str(reminder("")["content"]), model
        )

    def counted(self, memory: Memory | None) -> Memory | None:
        """The same policy, for messages whose texts are names: their tokens are those of
        ``sizes``.
        """
        if isinstance(memory, Summarize):
            self.prompt = memory.prompt
        if not isinstance(memory, TokenBudget):
            return memory
        # a budget that is given a way to count leaves the priming to us
        primed = {"system": self.priming}
        return TokenBudget(
            memory.max_tokens,
            lambda message: (
                self.tokens(message) + primed.get(message["role"], 0)
            ),
        )

    def create(
        self, *, messages: Sequence[Message], **params: Any
    ) -> SimpleNamespace:
        counts = list(map(self.tokens, messages))
        prompt = self.priming + sum(counts)
        if self.window is not None and prompt > self.window:
            raise _ContextFull
        summary = messages[-1]["content"] == self.prompt
        self.answers += 1
        text = f"{'summary' if summary else 'reply'} {self.answers}"
        # as caching.shared_prefix, where texts have nothing in common unless they are the same
        self.cached = cacheable(sum(counts[: _same(self.before, messages)]))
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": self.sizes.summary
            if summary
            else self.sizes.reply,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }
        self.before = messages
        message = SimpleNamespace(content=text, tool_calls=None)
        return SimpleNamespace(
            model=self.model,
            choices=[SimpleNamespace(message=message, finish_reason="stop")],
            usage=usage,
        )

    def tokens(self, message: Message) -> int:
        """Of one message with its frame."""
        content: str = message["content"]
        if content not in self._known:
            self._known[content] = self._tokens(message["role"], content)
        return self._known[content]

    def _tokens(self, role: str, content: str) -> int:
        if content == self.prompt:
            return self._frame + count_tokens(content, self.model)
        if role == "user" and not content.startswith("question"):
            return self._reminder + self.sizes.summary
        return self.framed[role]


def _same(before: Sequence[Message], now: Sequence[Message]) -> int:
    """How many messages two prompts have in common from their beginning on."""
    pairs = zip(before, now, strict=False)
    return sum(
        1
        for _ in takewhile(
            lambda pair: pair[0] is pair[1] or pair[0] == pair[1], pairs
        )
    )


def _framed(sizes: Sizes, model: str) -> Mapping[str, int]:
    """Tokens of a message with its frame, by role."""
    each = {
        "system": sizes.system,
        "user": sizes.user,
        "assistant": sizes.reply,
    }
    return {
        role: message_tokens({"role": role, "content": ""}, model).overhead
        - 1
        + each[role]
        for role in each
    }
