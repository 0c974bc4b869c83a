"""What a conversation would send and read from the cache, calculated in advance.

``forecast()`` holds the conversation: the real ``Conversation`` with a real memory, and a client
that only counts. ``prompt_tokens()`` is the same sum as a formula, for the two policies that have
one; ``spent()`` converts it to dollars. Taught in 03 §4 and its lab.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from .. import models
from ..pricing import Usage, price_of
from ..tokens import chat_tokens, message_tokens
from .caching import cacheable
from .memory import Memory, Summarize, TokenBudget, reminder
from .talk import Conversation
from .turns import Message


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens of each message, 1 or more. They include its role, which is one token; the rest of its
    frame is added.

    summary  of the model's own summary, if the memory asks for one
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

    turns   at most this many
    memory  as ``Conversation`` takes it
    model   gives the frame of a message, and the context window; None: ``models.CHAT``

    The list ends before the first turn that the context window cannot hold: there the API refuses
    the request. ``cached`` is the most that the cache can give, with every turn finding the one
    before it (``cacheable_prefix``). ``completion`` is ``reply`` (and ``summary``) unchanged.
    Raises BudgetTooSmall, UnknownTokenizer.
    """
    _, conversation = _held(turns, sizes, memory, model)
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
    """The conversation of ``forecast()`` up to the request of this turn (1 or more): instructions,
    what is forgotten, what is sent, the new question. The tokens sent, and those that ask for the
    reply, are that request's prompt.
    """
    client, conversation = _held(turn, sizes, memory, model)
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
    earlier = max(turns - 1, 0)
    most = earlier if window is None else min(window, earlier)
    reminded = most * (most + 1) // 2 + (earlier - most) * most
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


def _held(
    turns: int,
    sizes: Sizes | None,
    memory: Memory | None,
    model: str | None,
) -> tuple[_Counting, Conversation]:
    """The conversation after this many turns, or as many as the context window holds."""
    model = model or models.CHAT
    client = _Counting(sizes or Sizes(), model, memory)
    conversation = Conversation(
        client, "instructions", client.memory, model=model
    )
    with contextlib.suppress(_ContextFull):
        for number in range(turns):
            conversation.send(f"question {number}")
    return client, conversation


class _Counting:
    """A client that answers with numbers: what a request would be billed.

    memory  the policy, for messages whose texts are names: their tokens are those of ``sizes``
    before  the newest prompt; ``cached``: how many of its tokens the cache can give
    """

    def __init__(self, sizes: Sizes, model: str, memory: Memory | None) -> None:
        self.chat = self.completions = self
        self.sizes, self.model, self.memory = sizes, model, memory
        self.window = models.get(model).context if models.known(model) else None
        self.before: Sequence[Message] = ()
        self.cached = self.answers = 0
        self.priming = chat_tokens([], model).priming
        self._framed = _framed(sizes, model)
        self._reminder = message_tokens(reminder(""), model).total
        self._prompt = memory.prompt if isinstance(memory, Summarize) else ""
        asks = {"role": "user", "content": self._prompt}
        self._asking = message_tokens(asks, model).total
        if isinstance(memory, TokenBudget):
            self.memory = TokenBudget(memory.max_tokens, self._budgeted)

    def create(
        self, *, messages: Sequence[Message], **params: Any
    ) -> SimpleNamespace:
        counts = list(map(self.tokens, messages))
        prompt = self.priming + sum(counts)
        if self.window is not None and prompt > self.window:
            raise _ContextFull
        # as caching.shared_prefix, where texts have nothing in common unless they are the same
        shared = 0
        for old, new, tokens in zip(
            self.before, messages, counts, strict=False
        ):
            if old != new:
                break
            shared += tokens
        self.before, self.cached = messages, cacheable(shared)
        self.answers += 1
        kind, size = "reply", self.sizes.reply
        if messages[-1]["content"] == self._prompt:
            kind, size = "summary", self.sizes.summary
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": size,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }
        message = SimpleNamespace(content=f"{kind} {self.answers}")
        choice = SimpleNamespace(message=message, finish_reason="stop")
        return SimpleNamespace(model=self.model, choices=[choice], usage=usage)

    def tokens(self, message: Message) -> int:
        """Of one message with its frame."""
        role, content = message["role"], message["content"]
        if content == self._prompt:
            return self._asking
        if role == "user" and not content.startswith("question"):
            return self._reminder + self.sizes.summary
        return self._framed[role]

    def _budgeted(self, message: Message) -> int:
        """A budget that is given a way to count leaves the priming to us."""
        primed = self.priming if message["role"] == "system" else 0
        return self.tokens(message) + primed


def _framed(sizes: Sizes, model: str) -> Mapping[str, int]:
    """Tokens of a message with its frame, by role."""
    framed = {
        "system": sizes.system,
        "user": sizes.user,
        "assistant": sizes.reply,
    }
    for role in framed:
        empty = message_tokens({"role": role, "content": ""}, model)
        framed[role] += empty.total - 1
    return framed
