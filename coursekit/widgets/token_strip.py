"""The token strip: text or a chat as the model reads it, token by token, and what it costs as a
prompt.

Taught in 01, lab.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import islice
from typing import Any

import ipywidgets as widgets

from ..foundation.markup import NUMBER, SHORT, table
from ..models import from_table, offered_in
from ..pricing import dollars, price_of
from ..tokens import ROLES, ChatTokens, chat_tokens, count_tokens, tokenize
from .lab import Lab, menu
from .token_text import visible

MODELS = (
    *map(from_table, ("CHAT", "SMALL", "HARDEST", "REASONING")),
    *offered_in("token strip"),
)
# the day of the prices: fixed, so that stored output stays
ON = datetime.date(2026, 11, 22)
CHARACTERS = 20_000  # read; more would make typing slow
BOXES = 300  # drawn

TEXT = "What is the capital of France?"
CONVERSATION = (
    "system: You are a helpful assistant.\nuser: What is the capital of France?"
)
KINDS = {"a text": TEXT, "a chat": CONVERSATION}

ROLE = re.compile(
    rf"^[ \t]*({'|'.join(ROLES)})[ \t]*:[ \t]?", re.MULTILINE | re.IGNORECASE
)

INK = "color:#222;font-family:monospace;font-size:13px"
BOX = f"display:inline-block;margin:1px;padding:1px 4px;border-radius:3px;text-align:center;{INK}"
SHADES = (
    "background:#E3F0FA;border:1px solid #7FA8C9",
    "background:#FFF3D6;border:1px solid #C9A95B",
)
OVERHEAD = "background:#E2E2E2;border:1px dashed #767676;font-style:italic"
SMALLER = "display:block;font-size:10px;color:#555"
LOOKS = (SHORT, *[NUMBER] * 4)


def messages_of(text: str) -> list[dict[str, str]]:
    """The messages of a chat typed as lines: ``role: text`` begins one, other lines continue it.

    Text before the first role is a user message.
    """
    parts = ROLE.split(text)  # text before, role, text, role, text …
    before = (
        [{"role": "user", "content": parts[0].strip("\n")}]
        if parts[0].strip()
        else []
    )
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return before + [
        {"role": role.lower(), "content": content.removesuffix("\n")}
        for role, content in pairs
    ]


def strip(text: str, model: str = MODELS[0], *, as_chat: bool = False) -> str:
    """The tokens of ``text`` as boxes with their ids, counts, and the price as a prompt for each of
    ``MODELS``.

    as_chat  read it as lines ``role: text``; gray boxes then show the tokens that frame the
             messages

    Returns HTML with the text escaped. A long text is cut, and the strip says so.
    """
    read = text[:CHARACTERS]
    messages = messages_of(read)
    chat = chat_tokens(messages, model) if as_chat else None
    counts = {
        name: count_tokens(messages if as_chat else read, name)
        for name in dict.fromkeys((*MODELS, model))
    }
    boxes = _chat_boxes(messages, chat, model) if chat else _boxes(read, model)
    drawn = "".join(islice(boxes, BOXES))
    notes = (
        [f"Only the first {BOXES} boxes are drawn, but all tokens are counted."]
        if next(boxes, None)
        else []
    )
    if len(text) > CHARACTERS:
        notes.append(
            f"Only the first {CHARACTERS:,} of {len(text):,} characters are read."
        )
    return (
        f'<div class="coursekit-strip"><p style="margin:4px 0"><b>{_tokens(counts[model])}</b> '
        f"for {escape(model)}"
        f"{_of_which(chat)} · {_plural(len(read), 'character')}. {' '.join(notes)}</p>"
        f'<div style="line-height:1.3">{drawn}</div>{_prices(counts, model, as_chat=as_chat)}</div>'
    )


class TokenStrip(Lab):
    """The lab: type, and see the strip change.

    kind   how the text is read initially, one of ``KINDS``
    model  the initial choice, one of ``MODELS``

    Raises ValueError for a kind or a model that is not offered.
    """

    title = "The token strip"

    def __init__(self, kind: str = "a text", model: str = MODELS[0]) -> None:
        style, wide = {"description_width": "5em"}, {"width": "98%"}
        look = {"style": style, "layout": {}}
        self.kind = menu("Read as", list(KINDS), kind, **look)
        self.model = menu("Model", MODELS, model, **look)
        self.text = widgets.Textarea(
            KINDS[kind],
            description="Type here",
            rows=3,
            style=style,
            layout=wide,
        )
        self.kind.observe(self._example, "value")
        chosen = widgets.HBox(
            [self.kind, self.model], layout={"flex_flow": "row wrap"}
        )
        super().__init__(
            [chosen, self.text], [self.kind, self.model, self.text]
        )

    def _example(self, change: Any) -> None:
        with self.lock:
            # not the learner's own words
            if self.text.value == KINDS[change["old"]]:
                self.text.value = KINDS[change["new"]]

    def picture(self) -> str:
        return strip(
            self.text.value,
            self.model.value,
            as_chat=self.kind.value == "a chat",
        )


def _boxes(text: str, model: str) -> Iterator[str]:
    for number, token in enumerate(tokenize(text, model)):
        yield _box(visible(token.label), str(token.id), SHADES[number % 2])


def _chat_boxes(
    messages: Iterable[dict[str, str]], chat: ChatTokens, model: str
) -> Iterator[str]:
    for message, counted in zip(messages, chat.messages, strict=True):
        yield _box(f"{counted.role}:", _tokens(counted.overhead), OVERHEAD)
        yield from _boxes(message["content"], model)
    yield _box("reply:", _tokens(chat.priming), OVERHEAD)


def _box(label: str, below: str, look: str) -> str:
    return (
        f'<span style="{BOX};{look}">{escape(label)}<span '
        f'style="{SMALLER}">{escape(below)}</span></span>'
    )


def _tokens(count: int) -> str:
    return _plural(count, "token")


def _plural(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _of_which(chat: ChatTokens | None) -> str:
    return (
        f": {chat.total - chat.overhead:,} of text, {chat.overhead:,} of overhead (gray)"
        if chat
        else ""
    )


def _prices(counts: dict[str, int], chosen: str, *, as_chat: bool) -> str:
    """A row for each model: its count, its price, and what this prompt costs without the reply."""
    names = (
        "Model",
        "Tokens",
        "$ per million",
        "This input",
        "A million times",
    )
    left_out = "the reply" if as_chat else "the chat frame and the reply"
    caption = f"As input, at prices as of {ON}, without {left_out}."
    rows = [
        _row(model, count, model == chosen) for model, count in counts.items()
    ]
    weights = [
        f"font-weight:{'bold' if model == chosen else 'normal'}"
        for model in counts
    ]
    return table(
        names,
        rows,
        LOOKS,
        caption=caption,
        style="margin-top:8px",
        row_style=weights,
    )


def _row(model: str, count: int, chosen: bool) -> tuple[str, ...]:
    rate, cost = (
        price_of({"prompt_tokens": n, "completion_tokens": 0}, model, ON).total
        for n in (1000, count)
    )
    return (
        f"▸ {model}" if chosen else model,
        f"{count:,}",
        *map(dollars, (rate * 1000, cost, cost * 1_000_000)),
    )
