"""The turns of a conversation as stacked bars, with a line for the cost so far: SVG, quick enough
for a slider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from ..foundation.palette import BLUE, GRAY, GREEN, ORANGE, RED
from ..pricing import Usage, dollars
from .svg import svg, text

WIDTH, HEIGHT = 760, 270  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 62, 62, 14, 34  # margins
COLORS = {"cached": GREEN, "input": BLUE, "output": ORANGE}
LABELS = {
    "cached": "in, from the cache",
    "input": "in, billed in full",
    "output": "out",
}
LINE = RED
DOTS = (
    '<pattern id="coursekit-dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    f'<rect width="6" height="6" fill="{COLORS["cached"]}"/><circle cx="3" cy="3" r="1.2" '
    'fill="white"/></pattern>'
)
FILLS = COLORS | {"cached": "url(#coursekit-dots)"}  # told apart by more than color


def turn_bars(turns: Sequence[Usage], spent: Sequence[Decimal], alt: str) -> str:
    """The picture as SVG with its legend, as HTML.

    turns  the tokens of each turn, at least one
    spent  US dollars after each of them
    alt    what the picture shows, in words
    """
    most = max(turn.prompt + turn.completion for turn in turns)
    step = (WIDTH - LEFT - RIGHT) / len(turns)
    scale = (HEIGHT - TOP - BOTTOM) / most
    bars = dict.fromkeys(COLORS, "")
    for number, turn in enumerate(turns):
        bottom = float(HEIGHT - BOTTOM)
        for name, tokens in _parts(turn):
            height = tokens * scale
            bars[name] += (
                f"M{LEFT + (number + 0.08) * step:.1f} {bottom:.1f}h{0.84 * step:.1f}v{-height:.1f}"
            )
            bars[name] += f"h{-0.84 * step:.1f}z"
            bottom -= height
    paths = "".join(
        f'<path d="{path}" fill="{FILLS[name]}"/>'
        for name, path in bars.items()
        if path
    )
    scales = _scales(most, spent[-1], len(turns), step)
    return _legend() + svg(
        alt, WIDTH, HEIGHT, f"<defs>{DOTS}</defs>{scales}{paths}{_line(spent, step)}"
    )


def _parts(turn: Usage) -> Iterable[tuple[str, int]]:
    """From the bottom up; the cache holds a prompt's beginning."""
    return (
        ("cached", turn.cached),
        ("input", turn.prompt - turn.cached),
        ("output", turn.completion),
    )


def _line(spent: Sequence[Decimal], step: float) -> str:
    """The cost so far, from 0 to the whole at the top of the frame."""
    whole = float(spent[-1]) or 1.0
    points = [(LEFT, HEIGHT - BOTTOM)] + [
        (
            LEFT + (number + 0.5) * step,
            HEIGHT - BOTTOM - float(amount) / whole * (HEIGHT - TOP - BOTTOM),
        )
        for number, amount in enumerate(spent)
    ]
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return "".join(  # a pale edge keeps the line visible on the bars
        f'<polyline points="{shown}" fill="none" stroke="{color}" stroke-width="{width}"/>'
        for color, width in (("white", 4), (LINE, 2))
    )


def _scales(most: int, whole: Decimal, turns: int, step: float) -> str:
    """Tokens on the left, dollars on the right, turns below."""
    floor, said = HEIGHT - BOTTOM, []
    for tokens in _round_numbers(most):
        y = floor - tokens / most * (floor - TOP)
        said.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRAY}" '
            f'stroke-width="{0.3 if tokens else 1}"/>'
        )
        said.append(text(LEFT - 6, y + 4, f"{tokens:,}", "end"))
        said.append(
            text(WIDTH - RIGHT + 6, y + 4, dollars(whole * tokens / most), "start")
        )
    for number in (1, *(number for number in _round_numbers(turns) if number > 1)):
        said.append(
            text(LEFT + (number - 0.5) * step, floor + 15, str(number), "middle")
        )
    said.append(text(WIDTH / 2, HEIGHT - 4, "turn", "middle"))
    return "".join(said)


def _round_numbers(most: int) -> range:
    """From 0 to at most ``most``, in steps of 1, 2 or 5 and zeros: four to nine of them where there
    is room.
    """
    power = 10 ** (len(str(most)) - 1)
    step = next(
        (
            step
            for step in (power, power // 2, power // 5)
            if step and most // step >= 4
        ),
        1,
    )
    return range(0, most + 1, step)


def _legend() -> str:
    square = "display:inline-block;width:12px;height:12px;margin:0 4px 0 14px;vertical-align:-1px"
    dots = "background-image:radial-gradient(white 22%,transparent 26%);background-size:6px 6px"
    keys = "".join(
        "<span "
        f'style="{square};background-color:{color};{dots if name == "cached" else ""}"></span>'
        f"{LABELS[name]}"
        for name, color in COLORS.items()
    )
    line = (
        f'<span style="{square};height:0;border-top:3px solid '
        f'{LINE};vertical-align:4px"></span>cost so far (right)'
    )
    return f'<div style="line-height:1.6">Tokens: {keys}{line}</div>'
