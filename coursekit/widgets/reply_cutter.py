"""Lab of chapter 01: cut a reply with max_completion_tokens, and see whether its text shows it.

Taught in 01 §5.
"""

from __future__ import annotations

import datetime
import re
from html import escape

import ipywidgets as widgets
from openai.types.chat import ChatCompletion

from ..foundation.palette import BLUE, RED
from ..pricing import dollars, price_of
from ..tokens import tokenize
from .lab import WRAPPED, Lab, slider

FINISHED = re.compile(r"[.!?][\"')\]`]*$")  # the end of text that looks whole


def looks_finished(text: str) -> bool:
    """Whether the text ends as a sentence does."""
    return FINISHED.search(text.rstrip()) is not None


def view(reply: ChatCompletion, limit: int, *, rest: bool) -> str:
    """What a limit leaves of a reply, as HTML; a pure function.

    limit  max_completion_tokens, from 1 to one less than the reply's tokens
    rest   whether what was cut is shown as well
    """
    tokens = [
        token.text
        for token in tokenize(
            reply.choices[0].message.content or "", reply.model
        )
    ]
    kept, lost = "".join(tokens[:limit]), "".join(tokens[limit:])
    usage = {
        "prompt_tokens": reply.usage.prompt_tokens if reply.usage else 0,
        "completion_tokens": limit,
    }
    day = datetime.datetime.fromtimestamp(reply.created, datetime.UTC).date()
    cost = dollars(price_of(usage, reply.model, on=day).total)
    shown = escape(kept)
    if rest:
        shown += f'<s style="opacity:0.75">{escape(lost)}</s>'
    color, verdict = (
        (
            RED,
            "⚠ The text looks finished. Only the finish_reason says that it is not.",
        )
        if looks_finished(kept)
        else (BLUE, "The text breaks off, so a reader can see the cut.")
    )
    look = f"border-left:4px solid {color};padding:2px 8px;white-space:pre-wrap;min-height:4.5em"
    return (
        f'<div class="coursekit-cut" style="line-height:1.5"><div style="{look}">{shown}</div>'
        f"<p>{limit} of {len(tokens)} tokens · finish_reason <b>length</b> · {cost}<br>"
        f"<b>{verdict}</b></p></div>"
    )


class ReplyCutter(Lab):
    """The lab: move the limit, and look for the places where a cut leaves no trace in the text.

    reply  whole: it has ended by itself, and has two tokens or more

    Raises ValueError where there is nothing to cut.
    """

    title = "Cut it yourself"

    def __init__(self, reply: ChatCompletion) -> None:
        count = len(
            tokenize(reply.choices[0].message.content or "", reply.model)
        )
        if count < 2:
            raise ValueError(
                "This reply has no text to cut. Pass one with at least two tokens of text."
            )
        self.reply = reply
        self.limit = slider(
            "max_completion_tokens",
            min(10, count - 1),
            1,
            count - 1,
            1,
            style={"description_width": "initial"},
        )
        self.rest = widgets.ToggleButton(
            description="Show what is cut",
            tooltip="Show the rest of the text, struck through",
            layout={"width": "auto"},
        )
        row = widgets.HBox([self.limit, self.rest], layout=WRAPPED)
        super().__init__([row], [self.limit, self.rest])

    def picture(self) -> str:
        return view(self.reply, self.limit.value, rest=self.rest.value)
