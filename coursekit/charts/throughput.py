"""Chart for chapter 05: requests on a timeline, for each way of sending them.

Taught in 05, "The picture".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from ..foundation.palette import BLUE, ORANGE, RED
from ..throughput import Span, outcome_of
from .picture import ABOVE, LABEL, Picture, canvas, grid_along_x, styled

# What happened to a request -> marker and color; an answered request is a bar.
MARKS = {"429, refused": ("x", RED), "failed": ("^", ORANGE)}
LABELS = {200: "answered", 429: "429, refused"}  # any other status: "failed"
MOST = 400  # requests in a run; more would be thinner than a pixel


@styled
def gantt(
    runs: Mapping[str, Sequence[Span]], *, title: str = "Requests on a timeline"
) -> Picture:
    """Draw a panel for each run, all on one time scale: a bar from each request to its answer, or a
    cross where the request was refused.

    runs  name of the run -> its requests in the order in which they were sent, 1 to 400 for each
          run

    A cross means status 429, and a triangle means any other status but 200. Raises ValueError if
    there are no runs, and for a run that is empty or too long.
    """
    if not runs or not all(0 < len(spans) <= MOST for spans in runs.values()):
        raise ValueError(
            f"Give at least one run, each of 1 to {MOST} requests; got "
            f"{[len(spans) for spans in runs.values()]}."
        )
    made = canvas(0.9 + 1.25 * len(runs), title=title)
    panels = made.subplots(len(runs), sharex=True, squeeze=False)[:, 0]
    longest = max(outcome_of(spans).seconds for spans in runs.values())
    said = []
    for axes, (name, spans) in zip(panels, runs.items(), strict=True):
        said.append(_panel(axes, name, spans))
    panels[-1].set_xlabel("seconds")
    panels[-1].set_xlim(-longest * 0.01, longest * 1.02)
    shown: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        shown |= dict(zip(labels, handles, strict=True))
    found = [label for label in ("answered", *MARKS) if label in shown]
    handles = [shown[label] for label in found]
    panels[0].legend(handles, found, ncols=3, **ABOVE)
    return Picture(made, f"{title}. {'; '.join(said)}.")


def in_words(name: str, spans: Sequence[Span]) -> str:
    """Describe a run in one line: "paced: 60 of 60 answered, no 429, 61.5 s"."""
    outcome = outcome_of(spans)
    refused = f"{outcome.refused} × 429" if outcome.refused else "no 429"
    answered = f"{outcome.answered} of {len(spans)} answered"
    return f"{name}: {answered}, {refused}, {outcome.seconds:,.1f} s"


def _panel(axes: Axes, name: str, spans: Sequence[Span]) -> str:
    said = in_words(name, spans)
    axes.set_title(said, fontsize=LABEL, pad=4)
    rows: dict[str, list[int]] = {"answered": []}
    for row, span in enumerate(spans, 1):
        rows.setdefault(LABELS.get(span.status, "failed"), []).append(row)
    answered = rows.pop("answered")
    axes.barh(
        answered,
        [spans[row - 1].end - spans[row - 1].start for row in answered],
        left=[spans[row - 1].start for row in answered],
        height=0.9,
        color=BLUE,
        edgecolor=BLUE,
        linewidth=0.7,
        label="answered",
    )
    for label, at in rows.items():
        marker, color = MARKS[label]
        axes.scatter(
            [spans[row - 1].start for row in at],
            at,
            marker=marker,
            s=12,
            linewidths=1.0,
            color=color,
            label=label,
            zorder=3,
        )
    axes.set_ylim(len(spans) + 1, 0)  # the first request on top
    axes.set_yticks([1, len(spans)])
    grid_along_x(axes)
    return said
