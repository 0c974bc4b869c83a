"""Charts for chapter 03: what the turns in a conversation send, how much of it the cache holds, and
what it all costs.

Taught in 03 §4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import add

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from ..foundation.palette import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE, RED
from ..pricing import Usage, dollars
from .picture import (
    ABOVE,
    Picture,
    figure,
    in_dollars,
    note,
    part_look,
    rows_of,
    stacked_rows,
    styled,
)

THOUSANDS = StrMethodFormatter("{x:,.0f}")
LINES = (
    (BLUE, "-"),
    (RED, "--"),
    (GREEN, "-."),
    (PURPLE, ":"),
    (ORANGE, (0, (6, 1, 1, 1, 1, 1))),
)


@styled
def tokens_per_turn(
    turns: Sequence[Usage],
    spent: Sequence[Decimal],
    *,
    title: str = "Tokens sent and received in each turn",
) -> Picture:
    """Draw a stacked bar for each turn, and the running total of the cost as a line with its own
    axis on the right.

    turns  the tokens in each turn, in order
    spent  US dollars spent after each turn

    Raises ValueError if there are no turns, or if the two differ in length.
    """
    if not turns or len(turns) != len(spent):
        raise ValueError(
            f"{len(turns)} turns and {len(spent)} amounts do not match: give one amount for each "
            "turn."
        )
    numbers = range(1, len(turns) + 1)
    made, axes = figure(3.8, title=title, xlabel="turn", ylabel="tokens")
    parts = {  # from the bottom up; what the cache holds is the beginning of a prompt
        "cached": [turn.cached for turn in turns],
        "input": [turn.prompt - turn.cached for turn in turns],
        "output": [turn.completion for turn in turns],
    }
    below = [0] * len(turns)
    for name, heights in parts.items():
        if any(heights):
            look = part_look(name)
            axes.bar(
                numbers, heights, bottom=below, width=0.8, label=name, **look
            )
        below = [*map(add, below, heights)]
    money = axes.twinx()
    money.set_ylabel("US dollars so far")
    money.grid(visible=False)
    money.spines["right"].set(visible=True, color=GRAY)
    line = money.plot(
        numbers,
        [float(amount) for amount in spent],
        color=INK,
        linewidth=1.8,
        label="cost so far (right)",
    )
    end = (len(turns), float(spent[-1]))
    note(money, dollars(spent[-1]), end, -4, 4, ha="right", va="bottom")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.set_xlim(0.3, len(turns) + 0.7)
    in_dollars(money.yaxis)
    for each in (axes, money):
        each.set_ylim(bottom=0)
        each.margins(y=0.12)
    handles, _ = axes.get_legend_handles_labels()
    axes.legend(handles=[*handles, *line], loc="upper left")
    used = sum(turns, Usage(0, 0))
    return Picture(
        made,
        f"{title}: the prompt has {turns[0].prompt:,} tokens in turn 1 and {turns[-1].prompt:,} "
        f"in turn {len(turns)}. "
        f"In total, {used.prompt:,} tokens in ({used.cached:,} cached) and "
        f"{used.completion:,} out, for {dollars(spent[-1])}.",
    )


@styled
def policies(
    prompts: Mapping[str, Sequence[int]],
    *,
    title: str = "What each policy sends",
) -> Picture:
    """Draw the tokens in each turn's prompts, with a line for each memory policy. The policy's name
    and total are at the line's end.

    prompts  name of the policy -> prompt tokens in each turn; at most five policies, each with at
             least one turn

    Raises ValueError for none, for more than five, or for a policy without a turn.
    """
    if not 0 < len(prompts) <= len(LINES) or not all(prompts.values()):
        raise ValueError(
            f"Give 1 to {len(LINES)} policies, each with at least one turn; got "
            f"{list(prompts)}."
        )
    made, axes = figure(3.8, title=title, xlabel="turn", ylabel="tokens in")
    for (name, tokens), (color, dashes) in zip(
        prompts.items(), LINES, strict=False
    ):
        axes.plot(
            range(1, len(tokens) + 1),
            tokens,
            color=color,
            linestyle=dashes,
            linewidth=2,
            label=name,
        )
    _name_the_ends(axes, prompts)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.set_xlim(left=1)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", handlelength=3.5)
    said = "; ".join(
        f"{name}: {tokens[-1]:,} in turn {len(tokens)}, {_sum(tokens)}"
        for name, tokens in prompts.items()
    )
    return Picture(made, f"{title}, in tokens of the prompt. {said}.")


@styled
def cached_part(
    prompts: Mapping[str, Usage],
    *,
    title: str = "How much of the prompt the cache can hold",
) -> Picture:
    """Draw a bar for each prompt: first the part that can be read from the cache, and then the
    rest, which is billed in full.

    prompts  the prompt's label -> its tokens

    Raises ValueError if there are no prompts.
    """
    if not prompts:
        raise ValueError("There is no prompt to draw: give at least one.")
    made, axes = figure(1.1 + 0.42 * len(prompts), title=title, xlabel="tokens")
    cached = [prompt.cached for prompt in prompts.values()]
    fresh = [prompt.prompt - prompt.cached for prompt in prompts.values()]
    parts = {
        "cached": ("from the cache", cached),
        "input": ("billed in full", fresh),
    }
    stacked_rows(axes, parts)
    said = []
    for row, (name, prompt) in enumerate(prompts.items()):
        share = f"{prompt.cached:,} of {prompt.prompt:,}"
        note(axes, share, (prompt.prompt, row), right=5)
        said.append(f"{name}: {share} tokens")
    rows_of(axes, list(prompts))
    axes.margins(x=0.2)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.legend(ncols=2, **ABOVE)
    return Picture(made, f"{title}. {'; '.join(said)}.")


def _name_the_ends(axes: Axes, prompts: Mapping[str, Sequence[int]]) -> None:
    """Write the total of each line at its end; ends that are close together are moved apart,
    upward.
    """
    highest = max(max(tokens) for tokens in prompts.values())
    free = 0.0
    for tokens in sorted(prompts.values(), key=lambda line: line[-1]):
        height = max(float(tokens[-1]), free)
        free = height + highest * 0.075
        note(
            axes,
            _sum(tokens),
            (len(tokens), height),
            right=6,
            annotation_clip=False,
        )


def _sum(tokens: Sequence[int]) -> str:
    return f"{sum(tokens):,} in total"
