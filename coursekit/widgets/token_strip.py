"""The token strip: text or a chat as the model reads it, token by token, and its cost as a prompt.

Taught in 01, lab.
"""

from __future__ import annotations

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
from .lab import ON, Lab, menu, row
from .token_text import plural, visible

MODELS = (
    *map(from_table, ("CHAT", "SMALL", "HARDEST", "REASONING")),
    *offered_in("token strip"),
)
# maximum number of characters read; more would make typing slow
CHARACTERS = 20_000
BOXES = 300  # maximum number of boxes drawn

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
HEADS = ("Model", "Tokens", "$ per million", "This input", "A million times")
LOOKS = (SHORT, *[NUMBER] * 4)


def messages_of(text: str) -> list[dict[str, str]]:
    """Return the messages in a chat that is typed as lines: ``role: text`` begins a message, and
    other lines continue it.

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
    """Return the tokens in ``text`` as boxes with their ids, the counts, and the price as a prompt
    for each of ``MODELS``.

    as_chat  read the text as lines ``role: text``; gray boxes then show the tokens that frame the
             messages

    The result is HTML with the text escaped. Long text is cut, and the strip says so.
    """
    read = text[:CHARACTERS]
    messages = messages_of(read)
    counts = {
        name: count_tokens(messages if as_chat else read, name)
        for name in dict.fromkeys((*MODELS, model))
    }
    boxes, of_which = _boxes(read, model), ""
    if as_chat:
        chat = chat_tokens(messages, model)
        boxes = _chat_boxes(messages, chat, model)
        of_which = f": {chat.total - chat.overhead:,} of text, {chat.overhead:,} of overhead (gray)"
    drawn = "".join(islice(boxes, BOXES))
    notes = ""
    if next(boxes, None):
        notes = f" Only the first {BOXES} boxes are drawn, but all tokens are counted."
    if len(text) > CHARACTERS:
        notes += f" Only the first {CHARACTERS:,} of {len(text):,} characters are read."
    return (
        '<div class="coursekit-strip"><p style="margin:4px 0">'
        f"<b>{plural(counts[model], 'token')}</b> for {escape(model)}"
        f"{of_which} · {plural(len(read), 'character')}.{notes}</p>"
        f'<div style="line-height:1.3">{drawn}</div>{_prices(counts, model, as_chat=as_chat)}</div>'
    )


class TokenStrip(Lab):
    """The lab: type, and see the strip change.

    kind   how the text is initially read, one of ``KINDS``
    model  the initial model, one of ``MODELS``

    Raises ValueError for a kind or a model that is not offered.
    """

    title = "The token strip"

    def __init__(self, kind: str = "a text", model: str = MODELS[0]) -> None:
        style = {"description_width": "5em"}
        look = {"style": style, "layout": {}}
        controls = {
            "kind": menu("Read as", list(KINDS), kind, **look),
            "model": menu("Model", MODELS, model, **look),
        }
        text = widgets.Textarea(
            KINDS[kind],
            description="Type here",
            rows=3,
            style=style,
            layout={"width": "98%"},
        )
        controls["kind"].observe(self._example, "value")
        chosen = row(*controls.values())
        super().__init__(chosen, text, **controls, text=text)

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
        yield _box(
            f"{counted.role}:", plural(counted.overhead, "token"), OVERHEAD
        )
        yield from _boxes(message["content"], model)
    yield _box("reply:", plural(chat.priming, "token"), OVERHEAD)


def _box(label: str, below: str, look: str) -> str:
    return (
        f'<span style="{BOX};{look}">{escape(label)}<span '
        f'style="{SMALLER}">{escape(below)}</span></span>'
    )


def _prices(counts: dict[str, int], chosen: str, *, as_chat: bool) -> str:
    """Return a row for each model: its count, its price, and the cost of this prompt without the
    reply.
    """
    left_out = "the reply" if as_chat else "the chat frame and the reply"
    caption = f"As input, at prices as of {ON}, without {left_out}."
    rows, weights = [], []
    for model, count in counts.items():
        rate, cost = (
            price_of(
                {"prompt_tokens": n, "completion_tokens": 0}, model, ON
            ).total
            for n in (1000, count)
        )
        amounts = map(dollars, (rate * 1000, cost, cost * 1_000_000))
        mark, weight = ("▸ ", "bold") if model == chosen else ("", "normal")
        rows.append((f"{mark}{model}", f"{count:,}", *amounts))
        weights.append(f"font-weight:{weight}")
    return table(
        HEADS,
        rows,
        LOOKS,
        caption=caption,
        style="margin-top:8px",
        row_style=weights,
    )
