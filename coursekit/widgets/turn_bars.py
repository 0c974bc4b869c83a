"""A conversation in drawings quick enough for a slider: its turns as stacked bars with the cost so
far, and the context of one turn, message by message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from ..conversation.forecasting import ContextMessage
from ..foundation.markup import legend, rect, round_numbers, svg, text
from ..foundation.palette import BLUE, GRAY, GREEN, ORANGE, RED
from ..pricing import Usage, dollars

WIDTH, HEIGHT = 760, 270  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 62, 62, 14, 34  # margins
COLORS = {"cached": GREEN, "input": BLUE, "output": ORANGE}
DOTS = (
    '<defs><pattern id="coursekit-dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    f'<rect width="6" height="6" fill="{COLORS["cached"]}"/>'
    '<circle cx="3" cy="3" r="1.2" fill="white"/></pattern></defs>'
)
# told apart by more than color
FILLS = COLORS | {"cached": "url(#coursekit-dots)"}
CSS_DOTS = "background-image:radial-gradient(white 22%,transparent 26%);background-size:6px 6px"
KEYS = {
    "in, from the cache": f"background-color:{GREEN};{CSS_DOTS}",
    "in, billed in full": f"background-color:{BLUE}",
    "out": f"background-color:{ORANGE}",
}
FORGOTTEN = f'fill="none" stroke="{GRAY}" stroke-dasharray="3 2"'
# the height of a row of messages, and of the words above it
BAND, BETWEEN = (
    26,
    18,
)


def turn_bars(
    turns: Sequence[Usage], spent: Sequence[Decimal], alt: str
) -> str:
    """The turns as SVG with its legend, as HTML.

    turns  the tokens of each turn, at least one
    spent  US dollars after each of them
    alt    what the picture shows, in words
    """
    most = max(turn.prompt + turn.completion for turn in turns)
    step = (WIDTH - LEFT - RIGHT) / len(turns)
    scale = (HEIGHT - TOP - BOTTOM) / most
    bars = dict.fromkeys(COLORS, "")
    for number, turn in enumerate(turns):
        x, bottom, width = (
            LEFT + (number + 0.08) * step,
            float(HEIGHT - BOTTOM),
            0.84 * step,
        )
        for name, tokens in _parts(turn):
            height = tokens * scale
            bars[name] += (
                f"M{x:.1f} {bottom:.1f}h{width:.1f}v{-height:.1f}h{-width:.1f}z"
            )
            bottom -= height
    paths = "".join(
        f'<path d="{path}" fill="{FILLS[name]}"/>'
        for name, path in bars.items()
        if path
    )
    scales = _scales(most, float(spent[-1]), len(turns), step)
    line = {
        "cost so far (right)": f"height:0;border-top:3px solid {RED};vertical-align:4px"
    }
    return legend(KEYS | line) + svg(
        alt, WIDTH, HEIGHT, DOTS + scales + paths + _line(spent, step)
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
    floor, frame, whole = (
        HEIGHT - BOTTOM,
        HEIGHT - TOP - BOTTOM,
        float(spent[-1]) or 1.0,
    )
    points = [f"{LEFT:.1f},{floor:.1f}"]
    for number, amount in enumerate(spent):
        y = floor - float(amount) / whole * frame
        points.append(f"{LEFT + (number + 0.5) * step:.1f},{y:.1f}")
    return "".join(  # a pale edge keeps the line visible on the bars
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" '
        f'stroke-width="{width}"/>'
        for color, width in (("white", 4), (RED, 2))
    )


def _scales(most: int, whole: float, turns: int, step: float) -> str:
    """Tokens on the left, dollars on the right, turns below."""
    floor, frame = HEIGHT - BOTTOM, HEIGHT - TOP - BOTTOM
    parts = []
    for tokens in round_numbers(most):
        y = floor - tokens / most * frame
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRAY}" '
            f'stroke-width="{0.3 if tokens else 1}"/>'
        )
        parts.append(text(LEFT - 6, y + 4, f"{tokens:,.0f}", "end"))
    for amount in round_numbers(whole) if whole else []:
        y = floor - amount / whole * frame
        parts.append(
            text(WIDTH - RIGHT + 6, y + 4, dollars(Decimal(str(amount))))
        )
    for number in {
        1,
        *(round(number) for number in round_numbers(turns) if number >= 1),
    }:
        parts.append(
            text(
                LEFT + (number - 0.5) * step, floor + 15, str(number), "middle"
            )
        )
    parts.append(text(WIDTH / 2, HEIGHT - 4, "turn", "middle"))
    return "".join(parts)


def context_strip(
    messages: Sequence[ContextMessage], reply: int, window: int, longest: int
) -> str:
    """The messages of one turn as blocks, as HTML with a legend: the whole conversation and, below
    it, what is sent, against the wall of the context window.

    reply    tokens of the reply to come
    window   tokens of the model's context window
    longest  tokens of the longest row that is to be drawn on the same scale
    """
    scale = WIDTH / (longest * 1.02)
    below = BETWEEN + BAND + BETWEEN
    said, sent = 0.0, 0.0
    parts = [
        text(
            0,
            12,
            f"the conversation, {len(messages)} messages and the next reply",
        ),
        text(0, below - 5, "sent in this turn"),
    ]
    for message in messages:
        width = message.tokens * scale
        fresh = (message.tokens - message.cached) * scale
        parts.append(_blocks(said, BETWEEN, width - fresh, fresh, message.sent))
        said += width
        if message.sent:
            parts.append(
                _blocks(sent, below, width - fresh, fresh, message.sent)
            )
            sent += width
    for x, y in ((said, BETWEEN), (sent, below)):
        parts.append(
            rect(
                x, y, reply * scale, BAND, f'fill="{ORANGE}" fill-opacity="0.5"'
            )
        )
    parts.append(_wall(window, scale, below))
    tokens = sum(message.tokens for message in messages if message.sent)
    forgotten = sum(not message.sent for message in messages)
    alt = (
        f"{len(messages)} messages: {forgotten} forgotten, the others sent as {tokens:,} tokens, "
        f"{sum(message.cached for message in messages):,} of them from the cache; "
        f"the context window has {window:,}."
    )
    keys = {"forgotten": f"border:1px dashed {GRAY}"}
    return legend(keys) + svg(
        alt, WIDTH, below + BAND + 16, DOTS + "".join(parts), font=12
    )


def _blocks(x: float, y: float, cached: float, fresh: float, sent: bool) -> str:
    """One message: its cached part, then the rest; a hollow block for one that is forgotten."""
    if not sent:
        return rect(x, y, fresh, BAND, FORGOTTEN)
    edge = 'stroke="white" stroke-width="0.5"'
    drawn = (
        rect(x, y, cached, BAND, f'fill="{FILLS["cached"]}" {edge}')
        if cached
        else ""
    )
    return drawn + rect(
        x + cached, y, fresh, BAND, f'fill="{FILLS["input"]}" {edge}'
    )


def _wall(window: int, scale: float, y: float) -> str:
    """The end of the context window; an arrow if it is farther away than the drawing is wide."""
    x = window * scale
    if x <= WIDTH:
        return rect(x - 3, y - 4, 4, BAND + 8, f'fill="{RED}"') + text(
            x - 6, y + BAND + 14, f"the wall: {window:,} tokens", "end"
        )
    far = f"the wall of {window:,} tokens is {x / WIDTH:.1f} times this width away →"
    return text(WIDTH, y + BAND + 14, far, "end")
