"""Lab for chapter 01: cut a reply off with max_completion_tokens, and see whether its text shows
the cut.

Taught in 01 §5.
"""

from __future__ import annotations

import re
from html import escape

import ipywidgets as widgets
from openai.types.chat import ChatCompletion

from ..foundation.palette import BLUE, RED
from ..pricing import day_of, dollars, price_of
from ..tokenizer import Token
from ..tokens import tokenize
from .lab import NATURAL, Lab, slider

# the end of text that looks complete
FINISHED = re.compile(r"[.!?][\"')\]`]*$")


def looks_finished(text: str) -> bool:
    """Return whether the text ends like a sentence."""
    return FINISHED.search(text.rstrip()) is not None


def view(reply: ChatCompletion, limit: int, *, rest: bool) -> str:
    """Return what a limit leaves of a reply, as HTML; a pure function.

    limit  max_completion_tokens, from 1 to one less than the number of tokens in the reply
    rest   whether the text that was cut off is also shown
    """
    tokens = [token.text for token in _tokens(reply)]
    shown, lost = "".join(tokens[:limit]), "".join(tokens[limit:])
    usage = {
        "prompt_tokens": reply.usage.prompt_tokens if reply.usage else 0,
        "completion_tokens": limit,
    }
    cost = dollars(price_of(usage, reply.model, on=day_of(reply)).total)
    color, verdict = (
        BLUE,
        "The text stops mid-sentence, so a reader can see the cut.",
    )
    if looks_finished(shown):
        color = RED
        verdict = "⚠ The text looks finished. Only the finish_reason says that it is not."
    struck = f'<s style="opacity:0.75">{escape(lost)}</s>' if rest else ""
    look = f"border-left:4px solid {color};padding:2px 8px;white-space:pre-wrap;min-height:4.5em"
    return (
        f'<div class="coursekit-cut" style="line-height:1.5"><div style="{look}">'
        f"{escape(shown)}{struck}</div>"
        f"<p>{limit} of {len(tokens)} tokens · finish_reason <b>length</b> · {cost}<br>"
        f"<b>{verdict}</b></p></div>"
    )


def _tokens(reply: ChatCompletion) -> list[Token]:
    return tokenize(reply.choices[0].message.content or "", reply.model)


class ReplyCutter(Lab):
    """The lab: move the limit, and look for the positions where a cut leaves no trace in the text.

    reply  a complete reply, which ended on its own and has at least two tokens

    Raises ValueError if there is nothing to cut.
    """

    title = "Cut it yourself"

    def __init__(self, reply: ChatCompletion) -> None:
        count = len(_tokens(reply))
        if count < 2:
            raise ValueError(
                "This reply has no text to cut. Pass one with at least two tokens of text."
            )
        self.reply = reply
        super().__init__(
            limit=slider(
                "max_completion_tokens",
                min(10, count - 1),
                1,
                count - 1,
                1,
                style=NATURAL,
            ),
            rest=widgets.ToggleButton(
                description="Show what is cut",
                tooltip="Show the rest of the text, struck through",
                layout={"width": "auto"},
            ),
        )

    def picture(self) -> str:
        return view(self.reply, **self.values)
