"""What the sampling lab shows: a next-token distribution before and after the parameters. Pure
functions to HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy as np

from ..foundation.palette import BLUE, GRAY
from ..logits import Distribution
from ..sampling import BeforeAfter, before_and_after, sample
from .table import Html, table
from .token_text import label, percent

TOP = 10  # tokens in the table
LISTED = 20  # draws that are written out
DEFAULTS = {
    "temperature": 1.0,
    "top_p": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
}  # the API's
CELL = "padding:1px 6px;line-height:1.4;white-space:nowrap"
NUMBER = f"{CELL};text-align:right;font-variant-numeric:tabular-nums"
LEFT = f"{CELL};text-align:left"
HEAD = ("Next token", "Probability", "Before", "After", "Drawn", "In the reply")
LOOKS = (LEFT, LEFT, *[NUMBER] * 4)
# A bar is as wide as the view has room for (100cqw) beside the other columns, so that the lab fits
# beside its controls.
TRACK = (
    "width:110px;width:clamp(60px,100cqw - 420px,240px);margin:2px "
    "0;background:rgba(128,128,128,0.15)"
)
BEFORE, AFTER = f"height:3px;background:{GRAY}", f"height:9px;background:{BLUE}"
DRAW = (
    "display:inline-block;margin:1px;padding:0 4px;border:1px solid "
    f"{GRAY};font-family:monospace"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The lab's parameters, with the API's names, ranges and defaults."""

    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int = 1

    @property
    def sampling(self) -> dict[str, float]:
        """Those that reshape the distribution."""
        return {name: getattr(self, name) for name in DEFAULTS}

    @property
    def sent(self) -> dict[str, float]:
        """As a request names them: temperature and seed always, the others where they are not the
        default.
        """
        given = asdict(self)
        return {
            name: given[name]
            for name in given
            if name in ("temperature", "seed") or given[name] != DEFAULTS[name]
        }

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in self.sent.items())


def compared(distribution: Distribution, settings: Settings) -> BeforeAfter:
    """The numbers behind the view."""
    return before_and_after(
        distribution.logits, distribution.counts, top=TOP, **settings.sampling
    )


def drawn(result: BeforeAfter, seed: int, draws: int) -> list[int]:
    """The first ``draws`` tokens that this seed draws, as indices into the vocabulary."""
    return [
        int(index) for index in sample(result.after, np.random.default_rng(seed), draws)
    ]


def view(distribution: Distribution, settings: Settings, draws: int = 0) -> str:
    """The most probable tokens before and after, what is left to all others, entropy and nucleus,
    and draws.

    draws  how many tokens to sample with the seed; 0: none

    Returns HTML with all text escaped.
    """
    result = compared(distribution, settings)
    picks = drawn(result, settings.seed, draws)
    times = Counter(picks)
    rows = []
    for index in result.shown:
        i = int(index)
        rows.append(
            _row(
                label(distribution.token(i)),
                float(result.before[i]),
                float(result.after[i]),
                str(times.pop(i, 0)) if draws else "",
                str(distribution.counts[i] or ""),
            )
        )
    others = f"{len(distribution.logits) - len(rows):,} others"
    rows.append(_row(others, *result.others, str(times.total()) if draws else "", ""))
    return (
        f'<div class="coursekit-sampling" style="container-type:inline-size">{_given(distribution)}'
        '<div style="overflow-x:auto" role="region" tabindex="0" aria-label="tokens before and '
        'after">'
        + table(
            HEAD, rows, LOOKS, row_style=[""] * (len(rows) - 1) + ["font-style:italic"]
        )
        + "</div>"
        f"{_summary(result)}{_draws(distribution, settings.seed, picks)}</div>"
    )


def _row(
    name: str, before: float, after: float, times: str, count: str
) -> tuple[str, ...]:
    bars = Html(
        f'<div style="{TRACK}">{_bar(before, BEFORE)}{_bar(after, AFTER)}</div>'
    )
    token = Html(f'<span style="font-family:monospace">{escape(name)}</span>')
    return (
        token,
        bars,
        percent(before),
        "cut" if before and not after else percent(after),
        times,
        count,
    )


def _bar(share: float, look: str) -> str:
    return f'<div style="width:{100 * share:.2f}%;{look}"></div>'


def _given(distribution: Distribution) -> str:
    text = escape(distribution.text).replace("\n", "<br>")
    return (
        '<p style="margin:4px 0;line-height:1.4"><b>Given</b> <span '
        f'style="font-family:monospace">{text}▮</span>'
        f"<br><i>{escape(distribution.shows)}</i></p>"
    )


def _summary(result: BeforeAfter) -> str:
    """The bars' key, and the two numbers that sum a distribution up."""
    return (
        '<p style="margin:4px 0;line-height:1.5">Thin gray bar: before. Thick blue bar: after.<br>'
        f"<b>Entropy</b> {result.entropy_before:.2f} → <b>{result.entropy_after:.2f} bits</b>, as "
        "open as a fair "
        f"choice among {2**result.entropy_after:,.1f} tokens. "
        f"<b>Nucleus</b> {result.candidates:,} of {len(result.after):,} tokens can be drawn.</p>"
    )


def _draws(distribution: Distribution, seed: int, picks: list[int]) -> str:
    if not picks:
        return ""
    boxes = "".join(
        f'<span style="{DRAW}">{escape(label(distribution.token(i)))}</span>'
        for i in picks[-LISTED:]
    )
    return (
        f'<p style="margin:4px 0;line-height:1.5"><b>{len(picks)} draws</b> with seed {seed}'
        f"{', the last ones' if len(picks) > LISTED else ''}: {boxes}</p>"
    )


def request_of(
    distribution: Distribution, settings: Settings, model: str, limit: int
) -> dict[str, Any]:
    """The same settings as arguments of ``chat.completions.create``; the prompt is a user
    message.
    """
    messages = [{"role": "user", "content": distribution.question}]
    return {
        "model": model,
        "messages": messages,
        **settings.sent,
        "max_completion_tokens": limit,
    }


def settings_of(body: Mapping[str, Any]) -> Settings:
    """The settings of a request's body, the API's defaults where it names none."""
    given = {
        name: body[name] for name in (*DEFAULTS, "seed") if body.get(name) is not None
    }
    return Settings(**given)
