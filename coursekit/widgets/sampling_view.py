"""The sampling lab's output: a next-token distribution before and after the parameters are applied,
and the garden of texts that can grow from it. All are pure functions that return HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np

from ..foundation.markup import NAME, NUMBER, Markup, rect, svg, table, text
from ..foundation.palette import BLUE, GRAY
from ..logits import Distribution, load_distribution
from ..sampling import BeforeAfter, before_and_after, probabilities, sample
from .token_text import label, percent, visible

TOP = 10  # tokens in the table
LISTED = 20  # maximum number of draws that are written out
DEFAULTS = {  # the API's
    "temperature": 1.0,
    "top_p": 1.0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
}
MONO = "font-family:monospace"
WIDE = f"{NAME};width:100%;min-width:60px"
TRACK = "margin:2px 0;background:rgba(128,128,128,0.15)"
BEFORE, AFTER = f"height:4px;background:{GRAY}", f"height:9px;background:{BLUE}"
DRAW = f"display:inline-block;margin:1px;padding:0 4px;border:1px solid {GRAY};{MONO}"

# The garden, in units of its drawing: a column for each token that can be added, and in it a block
# for each text, whose height is the text's probability. Blocks that would be thinner than THIN are
# part of the rest.
WIDTH, HEIGHT, DEPTH, THIN, LEGIBLE = 720, 280, 4, 2.5, 12
COLUMN = WIDTH / DEPTH
EDGE = (
    "<p><b>The edge of the garden.</b> There is no recording beyond this text. "
    "<b>Step back</b> and take another path.</p>"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The lab's parameters, with the API's names, ranges, and defaults."""

    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int = 1

    @property
    def sampling(self) -> dict[str, float]:
        """The parameters that reshape the distribution."""
        return {name: getattr(self, name) for name in DEFAULTS}

    @property
    def sent(self) -> dict[str, float]:
        """The settings as request parameters: temperature and seed always, and the others if they
        differ from the default.
        """
        values = asdict(self)
        always = ("temperature", "seed")
        return {
            name: values[name]
            for name in values
            if name in always or values[name] != DEFAULTS[name]
        }

    def __str__(self) -> str:
        return ", ".join(
            f"{name} {value:g}" for name, value in self.sent.items()
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text in the garden.

    path    the tokens that the block adds to the prompt; "" at the end: any of the tokens without a
            block
    share   the probability of the path's last token, given the others
    top     the distance from the top of the drawing; ``height`` is the text's probability times
            HEIGHT
    """

    path: tuple[str, ...]
    share: float
    top: float
    height: float


def compared(distribution: Distribution, settings: Settings) -> BeforeAfter:
    """Return the numbers behind the bars."""
    logits, counts = distribution.logits, distribution.counts
    return before_and_after(logits, counts, top=TOP, **settings.sampling)


def drawn(result: BeforeAfter, seed: int, draws: int) -> list[int]:
    """Return the first ``draws`` tokens that this seed draws, as indices into the distribution."""
    indices = sample(result.after, np.random.default_rng(seed), draws)
    return [int(index) for index in indices]


def view(
    start: Distribution,
    settings: Settings,
    draws: int = 0,
    path: tuple[str, ...] = (),
) -> str:
    """Return the text with its garden; the most probable next tokens before and after, the total of
    all others, entropy, and nucleus; and the draws.

    start  the distribution after the prompt, to which the tokens of ``path`` have been added
    draws  how many tokens to sample with the seed; 0: none

    The result is HTML with all text escaped.
    """
    distribution = start.garden.after(start, path)
    prompt = escape(start.text).replace("\n", "<br>")
    grown = escape("".join(path)).replace("\n", "⏎<br>")
    shown = (
        f'<p style="margin:4px 0;line-height:1.4"><b>Given</b> <span style="{MONO}">{prompt}'
        f"<b>{grown}</b>▮</span><br><i>{escape(start.shows)}</i></p>"
    )
    if start.name == start.garden.root:
        shown += garden(start, settings, path)
    if distribution is None:
        shown += EDGE
    else:
        result = compared(distribution, settings)
        picks = drawn(result, settings.seed, draws)
        shown += (
            _bars(distribution, result, picks)
            + _summary(result)
            + _draws(distribution, settings.seed, picks)
        )
    return (
        f'<div class="coursekit-sampling" style="line-height:1.4">{shown}</div>'
    )


def _bars(
    distribution: Distribution, result: BeforeAfter, picks: list[int]
) -> str:
    """Return a row for each token, and one for all others, with a column of counts if there are
    any.
    """
    times, counts = Counter(picks), distribution.counts
    columns = {
        "Next token": NAME,
        "Probability": WIDE,
        "Before": NUMBER,
        "After": NUMBER,
    }
    shown = [int(index) for index in result.shown]
    rows = [
        _shares(
            label(distribution.token(index)),
            float(result.before[index]),
            float(result.after[index]),
        )
        for index in shown
    ]
    others = f"{len(distribution.logits) - len(rows):,} others"
    rows.append(_shares(others, *result.others))
    further: dict[str, list[Any]] = {}
    if picks:
        further["Drawn"] = [times.pop(index, 0) for index in shown]
        further["Drawn"].append(times.total())
    if counts[result.shown].any():
        further["In the reply"] = [counts[index] or "" for index in shown]
        further["In the reply"].append("")
    for numbers in further.values():
        for cells, number in zip(rows, numbers, strict=True):
            cells.append(str(number))
    columns |= dict.fromkeys(further, NUMBER)
    return table(
        list(columns),
        rows,
        list(columns.values()),
        style="width:100%",
        row_style=[""] * len(shown) + ["font-style:italic"],
    )


def _shares(name: str, before: float, after: float) -> list[str]:
    return [
        Markup(
            f'<span style="{MONO};white-space:nowrap">{escape(name)}</span>'
        ),
        Markup(
            f'<div style="{TRACK}"><div style="width:{100 * before:.2f}%;{BEFORE}"></div>'
            f'<div style="width:{100 * after:.2f}%;{AFTER}"></div></div>'
        ),
        percent(before),
        "cut" if before and not after else percent(after),
    ]


def _summary(result: BeforeAfter) -> str:
    """Return the key for the bars, and the two numbers that summarize a distribution."""
    return (
        '<p style="margin:4px 0;line-height:1.5">Thin gray bar: before. Thick blue bar: after.<br>'
        f"<b>Entropy</b> {result.entropy_before:.2f} → <b>{result.entropy_after:.2f} bits</b>, "
        f"as uncertain as a fair choice among {2**result.entropy_after:,.1f} tokens. "
        f"<b>Nucleus</b> {result.candidates:,} of {len(result.after):,} tokens can be drawn.</p>"
    )


def _draws(distribution: Distribution, seed: int, picks: list[int]) -> str:
    if not picks:
        return ""
    boxes = "".join(
        f'<span style="{DRAW}">{escape(label(distribution.token(index)))}</span>'
        for index in picks[-LISTED:]
    )
    last = ", the latest ones" if len(picks) > LISTED else ""
    return (
        f'<p style="margin:4px 0;line-height:1.5"><b>{len(picks)} draws</b> with seed '
        f"{seed}{last}: {boxes}</p>"
    )


def garden(
    start: Distribution, settings: Settings, path: tuple[str, ...]
) -> str:
    """Return the texts that can grow from the prompt, as a drawing with its key; ``path`` has a
    frame.
    """
    blocks = list(blocks_of(start, settings))
    texts = [block for block in blocks if block.path[-1]]
    likely = max(texts, key=lambda block: (len(block.path), block.height))
    alt = (
        f"Continuations of “{start.text}”, up to {DEPTH} tokens: a column for each token, "
        "with blocks whose height is the probability of their text. The most likely of the "
        f"longest texts adds “{''.join(likely.path)}”, {percent(likely.height / HEIGHT)}."
    )
    key = (
        "The height of a block is the probability of its text; gray is the rest. If nothing "
        "follows a block, nothing is recorded there."
    )
    parts = "".join(_drawn(block, path) for block in blocks)
    picture = svg(alt, WIDTH, HEIGHT, parts, font=12)
    return f'{picture}<p style="margin:2px 0"><i>{key}</i></p>'


def blocks_of(start: Distribution, settings: Settings) -> Iterator[Block]:
    """Return the garden's blocks, each before the blocks that continue it."""
    sampling = tuple(settings.sampling.values())
    waiting = [Block((), 1.0, 0.0, HEIGHT)]
    while waiting:
        parent = waiting.pop()
        if parent.path:
            yield parent
        if len(parent.path) == DEPTH or (parent.path and not parent.path[-1]):
            continue
        top, left = parent.top, 1.0
        for token, share in _likely(start.name, parent.path, sampling):
            if share * parent.height < THIN:
                break
            block = Block(
                (*parent.path, token), share, top, share * parent.height
            )
            waiting.append(block)
            top, left = top + block.height, left - share
        if top > parent.top:
            waiting.append(
                Block((*parent.path, ""), left, top, left * parent.height)
            )


@lru_cache(maxsize=1024)
def _likely(
    name: str, path: tuple[str, ...], sampling: tuple[float, ...]
) -> list[tuple[str, float]]:
    """Return the most probable tokens after a path under these settings; none if the path is not
    stored.
    """
    start = load_distribution(name)
    distribution = start.garden.after(start, path)
    if distribution is None:
        return []
    settings = dict(zip(DEFAULTS, sampling, strict=True))
    after = probabilities(distribution.logits, distribution.counts, **settings)
    best = np.argsort(-after, kind="stable")[:20]
    return [
        (distribution.token(int(index)), float(after[index])) for index in best
    ]


def _drawn(block: Block, path: tuple[str, ...]) -> str:
    x, depth = COLUMN * (len(block.path) - 1), len(block.path)
    token = block.path[-1]
    color, opacity = (BLUE, 0.3) if token else (GRAY, 0.15)
    stroke, width = (GRAY, 0.5)
    if block.path == path[:depth]:
        stroke, width = ("currentColor", 2)
    look = f'fill="{color}" fill-opacity="{opacity}" stroke="{stroke}" stroke-width="{width}"'
    height = max(0.5, block.height - 0.5)
    drawn = rect(x + 1, block.top, COLUMN - 2, height, look)
    if block.height >= LEGIBLE:
        words = f"{visible(token) or 'the rest'} {percent(block.share)}"
        drawn += text(x + 7, block.top + block.height / 2 + 4, words)
    return drawn


def request_of(
    distribution: Distribution,
    settings: Settings,
    model: str,
    limit: int,
    grown: str = "",
) -> dict[str, Any]:
    """Return the settings as arguments for ``chat.completions.create``. The prompt, with the text
    that has ``grown`` from it, is a user message.
    """
    messages = [{"role": "user", "content": distribution.question + grown}]
    return {
        "model": model,
        "messages": messages,
        **settings.sent,
        "max_completion_tokens": limit,
    }


def settings_of(body: Mapping[str, Any]) -> Settings:
    """Return the settings in a request's body, with the API's defaults for missing ones."""
    names = (*DEFAULTS, "seed")
    return Settings(
        **{name: body[name] for name in names if body.get(name) is not None}
    )
