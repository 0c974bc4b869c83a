"""Charts for chapter 02: distributions at different temperatures, the two penalties, and tokens
colored by their probability.

Taught in 02 §2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ..foundation.palette import BLUE, GRAY, INK, ORANGE
from ..sampling import BeforeAfter
from .picture import Picture, canvas, figure, styled

# a probability of 0 … 1
CERTAINTY = LinearSegmentedColormap.from_list("certainty", [ORANGE, "white"])
LINES = (
    (BLUE, "-", "o"),
    (ORANGE, "--", "s"),
    (GRAY, ":", "^"),
    (INK, "-.", "D"),
)
FONT = "DejaVu Sans Mono"  # part of matplotlib
WIDTH, ROW, GAP = (
    8.0,
    0.36,
    0.04,
)  # inches: the picture's width, the height of a line of tokens, the space between two tokens
# inches: the width of a character at 10 points, and at 6.5 points
LETTER, DIGIT = 0.084, 0.056
LONGEST = 40  # maximum number of characters that are drawn of a token


@styled
def over_temperature(
    labels: Sequence[str], views: Mapping[float, BeforeAfter], *, prompt: str
) -> Picture:
    """Draw a distribution at several temperatures, as small multiples on one scale.

    labels  labels of the tokens that the views show, in the same order
    views   temperature -> what ``before_and_after()`` returns for the same logits
    prompt  the model's prompt

    The last bar in each panel stands for all other tokens together. Raises ValueError if a view
    does not show the labeled tokens.
    """
    if not views or any(
        len(view.shown) != len(labels) for view in views.values()
    ):
        raise ValueError(
            f"{len(labels)} labels do not match the tokens that the {len(views)} views show."
        )
    made = canvas(
        0.8 + 0.24 * (len(labels) + 1), title=f"The token after “{prompt}”"
    )
    panels = made.subplots(1, len(views), sharey=True, squeeze=False)[0]
    rows = range(len(labels) + 1)
    said = []
    for axes, (temperature, view) in zip(panels, views.items(), strict=True):
        shares = [*(float(view.after[i]) for i in view.shown), view.others[1]]
        axes.set(title=f"T = {temperature:g}\n{view.entropy_after:.1f} bits")
        bars = axes.barh(rows, shares, height=0.7, color=BLUE, edgecolor=BLUE)
        bars[-1].set(facecolor="white", edgecolor=GRAY)
        axes.set_xlim(0, 1.12)
        axes.set_ylim(len(labels) + 0.6, -0.6)
        axes.set_xticks((0, 0.5, 1), ("0%", "50%", "100%"))
        axes.grid(visible=False)
        said.append(
            f"T {temperature:g}: {labels[0].strip()} {shares[0]:.0%}, all others "
            f"{shares[-1]:.0%}"
        )
    panels[0].set_yticks(
        rows,
        [*map(_drawable, labels), "all others"],
        family=FONT,
        parse_math=False,
    )
    return Picture(
        made,
        f"Distribution of the token after “{prompt}” by temperature. {'; '.join(said)}.",
    )


@styled
def penalties(
    lines: Mapping[str, Sequence[float]],
    *,
    steps: Collection[str] = (),
    title: str = "What is subtracted from a logit",
) -> Picture:
    """Draw the penalties by how often a token occurs in the reply: a line for frequency, a step for
    presence.

    lines  name -> the penalty at a count of 0, 1, 2, … (from ``sampling.penalty()``)
    steps  the names of the lines to draw as steps

    Raises ValueError for no lines, or more than four.
    """
    if not 1 <= len(lines) <= len(LINES):
        raise ValueError(
            f"The picture can show 1 to {len(LINES)} lines; got {len(lines)}."
        )
    made, axes = figure(
        3.2,
        title=title,
        xlabel="occurrences of the token in the reply so far",
        ylabel="subtracted from the logit",
    )
    for (name, values), (color, dash, marker) in zip(
        lines.items(), LINES, strict=False
    ):
        shape = "steps-post" if name in steps else "default"
        axes.plot(
            range(len(values)),
            values,
            color=color,
            linestyle=dash,
            marker=marker,
            drawstyle=shape,
            label=name,
        )
    axes.axhline(0, color=GRAY, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    said = "; ".join(
        f"{name}: {', '.join(f'{value:g}' for value in values)}"
        for name, values in lines.items()
    )
    return Picture(made, f"{title}, at counts 0, 1, 2, and so on. {said}.")


@styled
def colored_tokens(
    replies: Mapping[str, Sequence[tuple[str, float]]],
    perplexities: Mapping[str, float],
) -> Picture:
    """Draw replies token by token. Each box is pale if the model was sure and orange if it was not,
    with the percentage below.

    replies       name -> (token, probability) in order
    perplexities  name -> perplexity, for the same names

    Raises ValueError for a reply without tokens.
    """
    if not replies or not all(replies.values()):
        raise ValueError(
            "There is no token to draw: each reply needs log-probabilities."
        )
    made = Figure()
    made.set_layout_engine("none")
    axes = made.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    y, said = 0.1, []
    for name, tokens in replies.items():
        perplexity = perplexities[name]
        number = (
            f"{perplexity:,.2f}" if perplexity < 100 else f"{perplexity:,.0f}"
        )
        heading = f"{name}: perplexity {number}"
        y = _draw_reply(axes, heading, tokens, y)
        least = min(share for _, share in tokens)
        said.append(
            f"{heading}, {len(tokens)} tokens, the least certain at {least:.2g}"
        )
    # inches, from the top-left corner
    height = y + 0.1
    made.set_size_inches(WIDTH, height)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    return Picture(
        made,
        f"Replies with each token colored by its probability. {'; '.join(said)}.",
    )


def _draw_reply(
    axes: Axes, heading: str, tokens: Sequence[tuple[str, float]], y: float
) -> float:
    """Draw a heading and, below it, lines with a box for each token. Returns where the lines
    end.
    """
    axes.text(
        GAP,
        y + 0.6 * ROW,
        heading,
        fontsize=10.5,
        va="center",
        parse_math=False,
    )
    x = WIDTH
    for token, share in tokens:
        text, below = _drawable(token), _percent(share)
        width = max(LETTER * len(text), DIGIT * len(below)) + 0.06
        if x + width > WIDTH:
            x, y = GAP, y + ROW
        box = Rectangle(
            (x, y),
            width,
            ROW - GAP,
            facecolor=CERTAINTY(share),
            edgecolor=GRAY,
            linewidth=0.6,
        )
        axes.add_patch(box)
        for label, down, size in ((text, 0.19, 10.0), (below, 0.295, 6.5)):
            axes.text(
                x + width / 2,
                y + down,
                label,
                fontsize=size,
                family=FONT,
                ha="center",
                parse_math=False,
            )
        x += width + GAP
    return y + ROW


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0095 else "<1%"


def _drawable(token: str) -> str:
    """Return a token's text in characters that the font has. Spaces at its ends are made visible,
    and long text is cut.
    """
    text = token[:LONGEST].replace("\n", "⏎").replace("\t", "→")
    text = "·" * (len(text) - len(text.lstrip(" "))) + text.lstrip(" ")
    return "".join(c if c == " " or _has(c) else "□" for c in text) + (
        "…" if len(token) > LONGEST else ""
    )


@cache
def _has(character: str) -> bool:
    return character.isprintable() and bool(
        get_font(findfont(FONT)).get_char_index(ord(character))
    )
