"""The logprob strip: a reply token by token, each with its probability and the alternatives that
the model considered. Taught in 02 §8.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..foundation.markup import NAME, table
from ..foundation.palette import BLUE, GRAY
from ..sampling import perplexity
from .lab import Lab, slider
from .token_text import label, percent, plural

DRAWN = 300  # tokens; a longer reply is measured in full and drawn in part
# a box's red, green, and blue, by probability
SURE, UNSURE = (
    (255, 255, 255),
    (230, 159, 0),
)
BOX = "display:inline-block;margin:1px;padding:1px 4px;text-align:center;color:#222"
FRAMES = {
    False: f"border:1px solid {GRAY}",
    True: "border:1px dashed #222;border-bottom:4px solid #222",
}
CHOSEN = f"outline:3px solid {BLUE};outline-offset:1px"
SMALL = "display:block;font-size:10px;color:#333"
MONO = "font-family:monospace"
HEADS = ("No.", "Token", "Probability", "Instead")


@dataclass(frozen=True, slots=True)
class Choice:
    """A token that was or could have been written: its text and its log-probability."""

    token: str
    logprob: float

    @property
    def probability(self) -> float:
        """exp(logprob), limited to 0 to 1, because real servers send +3e-05, and -9999 for "very
        unlikely".
        """
        return (
            0.0
            if math.isnan(self.logprob)
            else math.exp(min(0.0, self.logprob))
        )


@dataclass(frozen=True, slots=True)
class WrittenToken(Choice):
    """A token in the reply, with the most probable tokens at its position, best first. The token
    may be among them.
    """

    alternatives: tuple[Choice, ...]


def tokens_of(content: Iterable[Any]) -> list[WrittenToken]:
    """Return the tokens in ``choices[0].logprobs.content``, which holds the SDK's objects or
    dicts.
    """
    return [
        WrittenToken(
            *_choice(entry),
            tuple(
                Choice(*_choice(other))
                for other in _read(entry, "top_logprobs") or ()
            ),
        )
        for entry in content
    ]


def strip(
    tokens: Sequence[WrittenToken], threshold: float = 0.5, place: int = 1
) -> str:
    """Return the tokens as boxes, pale if the model was sure and orange if it was not; the
    alternatives for one of them as bars; and all tokens in a table that can be unfolded.

    threshold  0 to 1: tokens with a lower probability get a thick dashed frame and a mark in the
               table
    place      the number of the token with the bars, counted from 1; if it is beyond the end: the
               last token

    The result is HTML with all text escaped; the alternatives are also in each box's title.
    """
    drawn = tokens[:DRAWN]
    place = min(place, len(drawn))
    boxes, rows = "", []
    for number, token in enumerate(drawn, 1):
        boxes += _box(token, threshold, chosen=number == place)
        rows.append(_row(number, token, threshold))
    considered = _considered(place, drawn[place - 1]) if drawn else ""
    return (
        f'<div class="coursekit-logprobs" style="line-height:1.4">{_summary(tokens, threshold)}'
        f'<div dir="ltr" style="font:13px monospace;line-height:1.3">{boxes}</div>{considered}'
        f"<details><summary>All tokens as a table</summary>{table(HEADS, rows, [NAME] * 4)}"
        "</details></div>"
    )


def _summary(tokens: Sequence[WrittenToken], threshold: float) -> str:
    said = f"<b>{plural(len(tokens), 'token')}</b>"
    if tokens:
        low = sum(token.probability < threshold for token in tokens)
        measured = perplexity([min(0.0, token.logprob) for token in tokens])
        number = f"{measured:,.2f}" if measured < 100 else f"{measured:,.0f}"
        if measured >= 1e9:
            number = "over a billion"
        said += (
            f", perplexity {number} · {low:,} less probable than {percent(threshold)} "
            "(dashed frame)"
        )
    if len(tokens) > DRAWN:
        said += f". Only the first {DRAWN} are shown, but all are counted."
    return f'<p style="margin:4px 0">{said}</p>'


def _considered(place: int, token: WrittenToken) -> str:
    """Draw the most probable tokens at one position as bars; the token that was chosen is
    marked.
    """
    rows = []
    for choice in token.alternatives or (token,):
        taken = " ◂ taken" if choice.token == token.token else ""
        width = f"width:{100 * choice.probability:.1f}%;height:9px;background:{BLUE}"
        rows.append(
            f'<div style="display:flex;gap:8px;align-items:center"><span style="flex:0 0 9em;'
            f'overflow-wrap:anywhere;{MONO}">{escape(label(choice.token))}</span>'
            f'<span style="flex:1 1 0"><span style="display:block;{width}"></span></span>'
            f'<span style="flex:0 0 8em">{percent(choice.probability)}{taken}</span></div>'
        )
    said = f'<p style="margin:8px 0 2px"><b>Token {place}</b>: what the model considered</p>'
    return f'<div dir="ltr" style="max-width:44em">{said}{"".join(rows)}</div>'


class LogprobStrip(Lab):
    """The lab: a reply's tokens, a threshold below which tokens are marked, and a token to look at.

    reply      a ChatCompletion requested with ``logprobs=True``; ``top_logprobs=5`` adds the
               alternatives
    threshold  the initial one

    Raises ValueError for a reply without log-probabilities.
    """

    title = "The logprob strip"

    def __init__(self, reply: Any, threshold: float = 0.5) -> None:
        logprobs = reply.choices[0].logprobs
        if logprobs is None or logprobs.content is None:
            raise ValueError(
                "This reply has no log-probabilities. Request them: create(..., logprobs=True)."
            )
        self.tokens = tokens_of(logprobs.content)
        drawn = self.tokens[:DRAWN]
        # where the most can be seen
        low = min(drawn, key=lambda token: token.logprob, default=None)
        first = drawn.index(low) + 1 if low else 1
        super().__init__(
            threshold=slider(
                "Mark below", float(threshold), 0, 1, 0.05, readout_format=".0%"
            ),
            place=slider("Look at token", first, 1, max(1, len(drawn)), 1),
        )

    def picture(self) -> str:
        return strip(self.tokens, **self.values)


def _box(token: WrittenToken, threshold: float, *, chosen: bool) -> str:
    share = token.probability
    red, green, blue = (
        round(low + (high - low) * share)
        for low, high in zip(UNSURE, SURE, strict=True)
    )
    look = f"{BOX};background:rgb({red},{green},{blue});{FRAMES[share < threshold]}"
    return (
        f'<span title="{escape(_listed(token.alternatives) or percent(share))}" '
        f'style="{look}{";" + CHOSEN if chosen else ""}">{escape(label(token.token))}'
        f'<span style="{SMALL}">{percent(share)}</span></span>'
    )


def _row(number: int, token: WrittenToken, threshold: float) -> tuple[str, ...]:
    mark = " ◂ low" if token.probability < threshold else ""
    others = [
        other for other in token.alternatives if other.token != token.token
    ]
    return (
        str(number),
        label(token.token),
        percent(token.probability) + mark,
        _listed(others),
    )


def _listed(choices: Iterable[Choice]) -> str:
    return " | ".join(
        f"{label(choice.token)} {percent(choice.probability)}"
        for choice in choices
    )


def _choice(entry: Any) -> tuple[str, float]:
    return str(_read(entry, "token")), float(_read(entry, "logprob"))


def _read(entry: Any, name: str) -> Any:
    return (
        entry.get(name)
        if isinstance(entry, Mapping)
        else getattr(entry, name, None)
    )
