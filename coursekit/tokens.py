"""Exact token counts, offline: how many prompt tokens are billed for text or for a chat.

What a chat costs beyond its text has not been published in full. The rules in ``RULES`` reproduce
the ``usage.prompt_tokens`` of more than 500 real exchanges exactly, up to GPT-5.4; later models of
the GPT-5 and GPT-6 families are assumed to follow the same rules.

The following are not covered, because no exact rule is known: images, audio, files, tool calls and
their results, and anything in a request besides its messages (the definitions of tools and
schemas). Taught in 01 §1 and §3.
"""

from __future__ import annotations

import difflib
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from . import models
from .settings import role_model, settings
from .tokenizer import Token, encode, split

# also in the prompt, by an unknown rule
UNCOUNTED = ("tools", "functions", "response_format", "prediction")
ROLES = ("system", "developer", "user", "assistant")


class UnknownTokenizer(ValueError):
    """No exact counting rule is known for this model."""


class EstimatedTokens(UserWarning):
    """Counts for this model are estimates: its own tokenizer is not available here."""


class NotCountable(ValueError):
    """A message contains something whose tokens cannot be counted exactly."""


@dataclass(frozen=True, slots=True)
class MessageTokens:
    """The prompt tokens for one message: ``overhead`` for its frame (markers, role, name), and
    ``content`` for its text.
    """

    role: str
    overhead: int
    content: int

    @property
    def total(self) -> int:
        return self.overhead + self.content


@dataclass(frozen=True, slots=True)
class ChatTokens:
    """The prompt tokens for a chat: those for each message, and ``priming``, the tokens that start
    the reply.
    """

    messages: tuple[MessageTokens, ...]
    priming: int

    @property
    def overhead(self) -> int:
        """All tokens besides the text."""
        return self.priming + sum(message.overhead for message in self.messages)

    @property
    def total(self) -> int:
        return self.priming + sum(message.total for message in self.messages)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a family of models counts tokens.

    encoding   a key of ``tokenizer.ENCODINGS``
    priming    tokens per chat
    message    tokens per message in addition to its text; one of them is the role
    assistant  additional tokens for an assistant message
    name       additional tokens for a message with a name, not including the name's own tokens;
               None: not known
    exact      False: an estimate, for models that have a different tokenizer
    """

    encoding: str
    priming: int
    message: int
    assistant: int = 0
    name: int | None = None
    exact: bool = True


# A model's ``counting`` field in data/models.toml names its rule.
RULES = {
    "gpt-4": Rule("cl100k_base", 3, 4, name=1),
    "gpt-4o": Rule("o200k_base", 3, 4, name=1),
    "o-series": Rule("o200k_base", 2, 4),
    "gpt-5": Rule("o200k_base", 2, 4, assistant=2),
}
# Models from other makers. OpenAI's own names are excluded, so that a mistyped name causes an error
# instead of an estimate.
OPENAI_NAME = r"(?i)(?!gpt-oss)(chat)?(gpt|o\d)[-.\d].*|gpt\w*|o\d\w*"
ESTIMATE = Rule("o200k_base", 3, 4, name=1, exact=False)

REASONS = {
    "image_url": "images are billed by size and detail",
    "input_audio": "audio is billed by its length",
    "audio": "audio is billed by its length",
    "file": "files are billed by the text and the images read from them",
    "refusal": "it is not known how a refusal is billed as history; send its text as content",
    "tool_calls": "OpenAI has not published how tool calls are written into the prompt",
    "function_call": "OpenAI has not published how function calls are written into the prompt",
    "tool": "OpenAI has not published how tool results are written into the prompt",
    "function": "OpenAI has not published how function results are written into the prompt",
}


def count_tokens(
    text_or_messages: str | Iterable[Any], model: str = "gpt-4o"
) -> int:
    """Return the number of tokens in a string, or in a chat as the API bills it
    (``usage.prompt_tokens``).

    text_or_messages  a str; or messages: dicts as the API accepts them (role, content, name), or
                      the SDK's message objects. content is a str or a list of text parts.
                      "<|endoftext|>" counts as plain text, and a lone surrogate as U+FFFD.
    model             may also be a snapshot ("gpt-4o-2024-08-06"), a fine-tune
                      ("ft:gpt-4o-mini:…") or a gateway's name ("openai/gpt-4o"). For a model that
                      is not OpenAI's ("llama3.2"), or one to which the settings assign a role, the
                      count is an estimate based on GPT-4o's vocabulary, with one EstimatedTokens
                      warning

    Raises UnknownTokenizer, NotCountable for anything but plain text (both are ValueErrors), and
    TypeError for other types.
    """
    if isinstance(text_or_messages, str):
        return len(encode(text_or_messages, _rule(model).encoding))
    return chat_tokens(text_or_messages, model).total


def at_most_uncounted(params: Mapping[str, Any]) -> int:
    """Return the maximum number of tokens in a request's prompt besides its messages: one for each
    byte.
    """
    extra = [params[name] for name in UNCOUNTED if params.get(name)]
    return sum(len(json.dumps(value)) for value in extra)


def tokenize(text: str, model: str = "gpt-4o") -> list[Token]:
    """Return the tokens in ``text``, in order. Raises UnknownTokenizer."""
    return split(text, _rule(model).encoding)


def is_exact(model: str) -> bool:
    """Return whether this model's tokens are counted exactly; False: they are estimated. Raises
    UnknownTokenizer.
    """
    return _rule(model).exact


def encoding_of(model: str) -> str:
    """Return the name of the vocabulary with a model's token ids ("o200k_base"). Raises
    UnknownTokenizer, even for a model whose tokens could be estimated.
    """
    rule = _known_rule(model)
    if rule is None:
        raise UnknownTokenizer(
            f"The vocabulary of model {model!r} is not known."
        )
    return rule.encoding


def chat_tokens(messages: Iterable[Any], model: str = "gpt-4o") -> ChatTokens:
    """Return the prompt tokens for a chat, message by message. Arguments and errors are as in
    ``count_tokens``.
    """
    rule = _rule(model)
    if isinstance(messages, Mapping | str | bytes) or not isinstance(
        messages, Iterable
    ):
        cure = (
            " Put the message into a list: [message]."
            if isinstance(messages, Mapping)
            else ""
        )
        raise TypeError(
            f"Expected a string or a list of messages, got {type(messages).__name__}.{cure}"
        )
    counted = tuple(
        _message(message, rule, f"messages[{i}]")
        for i, message in enumerate(messages)
    )
    return ChatTokens(counted, rule.priming)


def message_tokens(message: Any, model: str = "gpt-4o") -> MessageTokens:
    """Return the prompt tokens for one message.

    They do not depend on the other messages: a chat's total is ``chat_tokens([], model).priming``
    plus the tokens for each message, so nothing has to be counted twice as the chat grows. Errors
    are as in ``count_tokens``.
    """
    return _message(message, _rule(model), "The message")


def as_dict(message: Any) -> Any:
    """Return an SDK message object (``reply.choices[0].message``) as a dict, and anything else
    unchanged.
    """
    dump = getattr(message, "model_dump", None)
    return dump(exclude_none=True) if dump else message


def _message(message: Any, rule: Rule, where: str) -> MessageTokens:
    fields = as_dict(message)
    if not isinstance(fields, Mapping):
        raise TypeError(
            f'{where} is {message!r:.60}, not a message like {{"role": "user", "content": "Hi"}}.'
        )
    role, name = fields.get("role"), fields.get("name")
    if role in ("tool", "function"):
        raise _not_countable(where, role)
    if role not in ROLES:
        raise NotCountable(
            f"{where} has the role {role!r}. The roles are {', '.join(ROLES)}."
        )
    for key, value in fields.items():
        if value and key not in ("role", "content", "name"):
            raise _not_countable(where, key)
    overhead = rule.message + (rule.assistant if role == "assistant" else 0)
    if name:
        if rule.name is None or not isinstance(name, str):
            raise NotCountable(
                f"{where} has the name {name!r:.40}, but it is not known how this model bills a "
                "name. Leave it out."
            )
        overhead += rule.name + len(encode(name, rule.encoding))
    text = _text(fields.get("content"), where)
    return MessageTokens(role, overhead, len(encode(text, rule.encoding)))


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise NotCountable(
            f"{where} has the content {content!r:.40}. Give it a string, or a list of text parts."
        )
    for part in content:
        if (
            not isinstance(part, Mapping)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
        ):
            raise _not_countable(
                where, part.get("type") if isinstance(part, Mapping) else part
            )
    # the API joins the parts first: all of 11 genuine requests agree
    return "".join(part["text"] for part in content)


def _not_countable(where: str, what: Any) -> NotCountable:
    reason = REASONS.get(str(what), "only text is counted here")
    return NotCountable(
        f"{where} has {what!r:.40}, so an exact count is not possible: {reason}. "
        "Count the text alone, or read usage.prompt_tokens in a reply."
    )


def _known_rule(model: str) -> Rule | None:
    name = str(model).removeprefix("openai/")
    counting = models.get(name).counting if models.known(name) else ""
    return RULES[counting] if counting else None


@lru_cache(maxsize=256)  # and only one warning for each model
def _rule(model: str) -> Rule:
    if rule := _known_rule(model):
        return rule
    name = str(model or "").removeprefix("openai/")
    if name and (not re.fullmatch(OPENAI_NAME, name) or _plays(model)):
        warnings.warn(
            f"Token counts for {model!r}, which has its own tokenizer, are estimates based on "
            "GPT-4o's vocabulary. The server's own count is in its reply, in usage.prompt_tokens.",
            EstimatedTokens,
            stacklevel=4,
        )
        return ESTIMATE
    counted = [each.name for each in models.every() if each.counting]
    near = difflib.get_close_matches(name.lower(), counted, n=1)
    raise UnknownTokenizer(
        f"coursekit does not know how model {model!r} counts tokens. "
        + (f"Did you mean {near[0]!r}? " if near else "")
        + "It can count for the text models in its table (models.names() lists them), and for "
        "their snapshots and fine-tunes. For any other model, count with the most similar of "
        "these and treat the count as an estimate; the billed count is usage.prompt_tokens."
    )


def _plays(name: str) -> bool:
    """Return whether the settings assign a role to this name, such as a deployment or a gateway's
    alias ("gpt-4o-prod").
    """
    env = settings()
    return any(role_model(role, env) == name for role in models.ROLES)
