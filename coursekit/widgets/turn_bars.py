"""Drawings of a conversation that are fast enough for a slider: its turns as stacked bars with the
cost so far, and the context of one turn, message by message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ..conversation.forecasting import ContextMessage
from ..foundation.markup import legend, rect, round_numbers, svg, text
from ..foundation.palette import BLUE, GRAY, GREEN, ORANGE, RED
from ..pricing import Usage, dollars
from .plot import Plot

WIDTH, HEIGHT = 760, 270  # size of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 62, 62, 14, 34  # margins
COLORS = {"cached": GREEN, "input": BLUE, "output": ORANGE}
DOTS = (
    '<defs><pattern id="coursekit-dots" width="6" height="6" patternUnits="userSpaceOnUse">'
    f'<rect width="6" height="6" fill="{COLORS["cached"]}"/>'
    '<circle cx="3" cy="3" r="1.2" fill="white"/></pattern></defs>'
)
# distinguished by more than color
FILLS = COLORS | {"cached": "url(#coursekit-dots)"}
CSS_DOTS = "background-image:radial-gradient(white 22%,transparent 26%);background-size:6px 6px"
KEYS = {
    "in, from the cache": f"background-color:{GREEN};{CSS_DOTS}",
    "in, billed in full": f"background-color:{BLUE}",
    "out": f"background-color:{ORANGE}",
    "cost so far (right)": f"height:0;border-top:3px solid {RED};vertical-align:4px",
}
FORGOTTEN = f'fill="none" stroke="{GRAY}" stroke-dasharray="3 2"'
BAND, BETWEEN = (
    26,
    18,
)  # the height of a row of messages, and of the words above the row


def turn_bars(
    turns: Sequence[Usage], spent: Sequence[Decimal], alt: str
) -> str:
    """Return the turns as an SVG drawing with its legend, as HTML.

    turns  the tokens in each turn; at least one turn
    spent  US dollars spent after each turn
    alt    what the picture shows, in words
    """
    most = max(turn.prompt + turn.completion for turn in turns)
    plot = Plot(
        WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, last=len(turns), most=most
    )
    bars = dict.fromkeys(COLORS, "")
    for number, turn in enumerate(turns):
        x, width = plot.x(number + 0.08), plot.x(0.84) - LEFT
        below, bottom = 0, plot.y(0)
        # from the bottom up; what the cache holds is the beginning of a prompt
        parts = {
            "cached": turn.cached,
            "input": turn.prompt - turn.cached,
            "output": turn.completion,
        }
        for name, tokens in parts.items():
            below += tokens
            height = bottom - plot.y(below)
            bars[name] += (
                f"M{x:.1f} {bottom:.1f}h{width:.1f}v{-height:.1f}h{-width:.1f}z"
            )
            bottom -= height
    paths = "".join(
        f'<path d="{path}" fill="{FILLS[name]}"/>'
        for name, path in bars.items()
    )
    whole = float(spent[-1])
    money = replace(plot, most=whole or 1.0)
    points = [(0.0, 0.0)]
    for number, amount in enumerate(spent):
        points.append((number + 0.5, float(amount)))
    # a pale edge keeps the line visible on the bars
    line = money.line(points, "white", 4) + money.line(points, RED, 2)
    numbers = {
        1,
        *(round(each) for each in round_numbers(len(turns)) if each >= 1),
    }
    scales = plot.levels("{:,.0f}".format) + plot.below(numbers, "turn", -0.5)
    for each in round_numbers(whole) if whole else ():
        written = dollars(Decimal(str(each)))
        scales += text(WIDTH - RIGHT + 6, money.y(each) + 4, written)
    return legend(KEYS) + svg(alt, WIDTH, HEIGHT, DOTS + scales + paths + line)


def context_strip(
    messages: Sequence[ContextMessage], reply: int, window: int, longest: int
) -> str:
    """Return the messages in one turn as blocks, as HTML with a legend: the whole conversation and,
    below it, the part that is sent, next to the wall of the context window.

    reply    tokens in the reply to come
    window   tokens in the model's context window
    longest  tokens in the longest row that has to be drawn to the same scale
    """
    scale = WIDTH / (longest * 1.02)
    below = BETWEEN + BAND + BETWEEN
    sent = [message for message in messages if message.sent]
    tokens = sum(message.tokens for message in sent)
    cached = sum(message.cached for message in messages)
    alt = (
        f"{len(messages)} messages: {len(messages) - len(sent)} forgotten, the others sent as "
        f"{tokens:,} tokens, {cached:,} of them from the cache; "
        f"the context window has {window:,}."
    )
    heading = f"the conversation, {len(messages)} messages and the next reply"
    parts = (
        text(0, 12, heading)
        + text(0, below - 5, "sent in this turn")
        + _band(messages, reply, scale, BETWEEN)
        + _band(sent, reply, scale, below)
        + _wall(window, scale, below)
    )
    keys = {"forgotten": f"border:1px dashed {GRAY}"}
    return legend(keys) + svg(
        alt, WIDTH, below + BAND + 16, DOTS + parts, font=12
    )


def _band(
    messages: Sequence[ContextMessage], reply: int, scale: float, y: float
) -> str:
    """Draw the messages and the reply in a row. Each message has its cached part first, then the
    rest; a forgotten message is a hollow block.
    """
    edge = 'stroke="white" stroke-width="0.5"'
    x, parts = 0.0, ""
    for message in messages:
        cached = message.cached * scale
        fresh = (message.tokens - message.cached) * scale
        if cached:
            look = f'fill="{FILLS["cached"]}" {edge}'
            parts += rect(x, y, cached, BAND, look)
        look = f'fill="{FILLS["input"]}" {edge}' if message.sent else FORGOTTEN
        parts += rect(x + cached, y, fresh, BAND, look)
        x += cached + fresh
    look = f'fill="{ORANGE}" fill-opacity="0.5"'
    return parts + rect(x, y, reply * scale, BAND, look)


def _wall(window: int, scale: float, y: float) -> str:
    """Draw the end of the context window, or an arrow if the end is beyond the drawing's width."""
    x = window * scale
    if x <= WIDTH:
        return rect(x - 3, y - 4, 4, BAND + 8, f'fill="{RED}"') + text(
            x - 6, y + BAND + 14, f"the wall: {window:,} tokens", "end"
        )
    far = f"the wall of {window:,} tokens is {x / WIDTH:.1f} times this width away →"
    return text(WIDTH, y + BAND + 14, far, "end")
