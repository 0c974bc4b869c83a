"""The logprob strip: a reply token by token, each with its probability and what else the model
considered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as widgets

from ..foundation.palette import GRAY
from ..sampling import perplexity
from .lab import Lab
from .table import table
from .token_text import label, percent

DRAWN = 300  # tokens; a longer reply is measured whole and drawn in part
SURE, UNSURE = (
    (255, 255, 255),
    (230, 159, 0),
)  # red, green and blue of a box, between them by probability
BOX = (
    "display:inline-block;margin:1px;padding:1px 4px;text-align:center;color:#222;font:13px "
    "monospace"
)
FRAMES = {
    False: f"border:1px solid {GRAY}",
    True: "border:1px dashed #222;border-bottom:4px solid #222",
}
SMALL = "display:block;font-size:10px;color:#333"
CELL = "text-align:left;padding:1px 8px;line-height:1.5;vertical-align:top"
SIDES = "display:flex;flex-wrap:wrap;gap:12px 24px;align-items:flex-start"
SCROLLS = f"flex:1 1 22em;max-height:20em;overflow:auto;border:1px solid {GRAY}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A token that was written, or could have been: its text and its log-probability."""

    token: str
    logprob: float

    @property
    def probability(self) -> float:
        """exp(logprob), kept between 0 and 1: real servers send +3e-05, and -9999 for "very
        unlikely".
        """
        return 0.0 if math.isnan(self.logprob) else math.exp(min(0.0, self.logprob))


@dataclass(frozen=True, slots=True)
class Written(Choice):
    """A token of the reply, with the most probable ones at its place, best first (it may be among
    them).
    """

    alternatives: tuple[Choice, ...]


def tokens_of(content: Iterable[Any]) -> list[Written]:
    """``choices[0].logprobs.content``, as the SDK's objects or as dicts."""
    return [
        Written(
            str(_read(entry, "token")),
            float(_read(entry, "logprob")),
            tuple(
                Choice(str(_read(other, "token")), float(_read(other, "logprob")))
                for other in _read(entry, "top_logprobs") or ()
            ),
        )
        for entry in content
    ]


def strip(tokens: Sequence[Written], threshold: float = 0.5) -> str:
    """The tokens as boxes, pale when sure and orange when not, beside a table of their
    alternatives.

    threshold  0 to 1: tokens of a lower probability get a thick dashed frame, and a mark in the
               table

    Returns HTML with all text escaped; the alternatives also stand in each box's title.
    """
    drawn = tokens[:DRAWN]
    low = sum(token.probability < threshold for token in tokens)
    told = f"<b>{_count(len(tokens))}</b>"
    if tokens:
        told += f", perplexity {_number(perplexity([min(0.0, token.logprob) for token in tokens]))}"
        told += f" · {low:,} less probable than {percent(threshold)} (dashed frame)"
    if len(tokens) > DRAWN:
        told += f". The first {DRAWN} are shown; all are counted."
    boxes = "".join(_box(token, threshold) for token in drawn)
    rows = [_row(number, token, threshold) for number, token in enumerate(drawn, 1)]
    listed = table(("No.", "Token", "Probability", "Instead"), rows, [CELL] * 4)
    return (
        f'<div class="coursekit-logprobs"><p style="margin:4px 0">{told}</p><div style="{SIDES}">'
        f'<div dir="ltr" style="flex:2 1 22em;line-height:1.3">{boxes}</div>'
        f'<div style="{SCROLLS}" role="region" tabindex="0" aria-label="tokens and their '
        'alternatives">'
        f"{listed}</div></div></div>"
    )


class LogprobStrip(Lab):
    """The lab: a reply's tokens, and a threshold below which they are marked.

    reply      a ChatCompletion that was asked for with ``logprobs=True``; ``top_logprobs=5`` adds
               the alternatives
    threshold  at first

    Where no widget can be shown (on the web, in print), the output is the first view. Raises
    ValueError for a reply without log-probabilities.
    """

    title = "The logprob strip"

    def __init__(self, reply: Any, threshold: float = 0.5) -> None:
        logprobs = reply.choices[0].logprobs
        if logprobs is None or logprobs.content is None:
            raise ValueError(
                "This reply has no log-probabilities. Ask for them: create(..., logprobs=True)."
            )
        self.tokens = tokens_of(logprobs.content)
        self.threshold = widgets.FloatSlider(
            threshold,
            min=0,
            max=1,
            step=0.05,
            description="mark below",
            readout_format=".0%",
            style={"description_width": "initial"},
            layout={"width": "98%", "max_width": "32em"},
        )
        super().__init__([self.threshold], [self.threshold])

    def picture(self) -> str:
        return strip(self.tokens, self.threshold.value)


def _box(token: Written, threshold: float) -> str:
    share = token.probability
    red, green, blue = (
        round(low + (high - low) * share)
        for low, high in zip(UNSURE, SURE, strict=True)
    )
    look = f"{BOX};background:rgb({red},{green},{blue});{FRAMES[share < threshold]}"
    return (
        f'<span title="{escape(_considered(token) or percent(share))}" '
        f'style="{look}">{escape(label(token.token))}'
        f'<span style="{SMALL}">{percent(share)}</span></span>'
    )


def _row(number: int, token: Written, threshold: float) -> tuple[str, ...]:
    mark = " ◂ low" if token.probability < threshold else ""
    others = [other for other in token.alternatives if other.token != token.token]
    return (
        str(number),
        label(token.token),
        percent(token.probability) + mark,
        _listed(others),
    )


def _considered(token: Written) -> str:
    return _listed(token.alternatives)


def _listed(choices: Iterable[Choice]) -> str:
    return " | ".join(
        f"{label(choice.token)} {percent(choice.probability)}" for choice in choices
    )


def _count(tokens: int) -> str:
    return f"{tokens:,} token{'' if tokens == 1 else 's'}"


def _number(value: float) -> str:
    return (
        f"{value:,.2f}"
        if value < 100
        else f"{value:,.0f}"
        if value < 1e9
        else "over a billion"
    )


def _read(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)
