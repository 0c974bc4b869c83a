"""Chapter 05: requests on a timeline, for each way of sending them. Taught in 05, "The picture"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from ..foundation.palette import BLUE, INK, ORANGE, RED
from ..throughput import Span, outcome_of
from .picture import LABEL, LEGEND, Picture, canvas, grid_along_x, style

LABELS = ("answered", "429, refused", "failed")
MOST = 400  # requests of a run; more would be drawn thinner than a pixel


def gantt(
    runs: Mapping[str, Sequence[Span]], *, title: str = "Requests on a timeline"
) -> Picture:
    """A panel for each run on one scale of time: a bar from each request to its answer, a cross
    where it was refused.

    runs  name of the run -> its requests in the order in which they were sent, at least one, at
          most 400 each

    A cross is status 429; a triangle any other status but 200. Raises ValueError without a run, and
    for a run that is empty or too long.
    """
    if not runs or not all(0 < len(spans) <= MOST for spans in runs.values()):
        raise ValueError(
            f"Give at least one run, each of 1 to {MOST} requests; these have "
            f"{[len(spans) for spans in runs.values()]}."
        )
    made = canvas(0.9 + 1.25 * len(runs), title=title)
    panels = made.subplots(len(runs), sharex=True, squeeze=False)[:, 0]
    longest = max(outcome_of(spans).seconds for spans in runs.values())
    said = []
    for axes, (name, spans) in zip(panels, runs.items(), strict=True):
        said.append(_panel(axes, name, spans))
    panels[-1].set_xlabel("seconds", fontsize=LABEL, color=INK)
    panels[-1].set_xlim(-longest * 0.01, longest * 1.02)
    shown = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    labels = [label for label in LABELS if label in shown]
    panels[0].legend(
        [shown[label] for label in labels],
        labels,
        loc="lower right",
        bbox_to_anchor=(1, 1.0),
        ncols=3,
        **LEGEND,
    )
    return Picture(made, f"{title}. {'; '.join(said)}.")


def in_words(name: str, spans: Sequence[Span]) -> str:
    """A run in a line: "paced: 60 of 60 answered, no 429, 61.5 s"."""
    outcome = outcome_of(spans)
    refused = f"{outcome.refused} × 429" if outcome.refused else "no 429"
    answered = f"{outcome.answered} of {len(spans)} answered"
    return f"{name}: {answered}, {refused}, {outcome.seconds:,.1f} s"


def _panel(axes: Axes, name: str, spans: Sequence[Span]) -> str:
    style(axes)
    said = in_words(name, spans)
    axes.set_title(said, loc="left", fontsize=LABEL, color=INK, pad=4)
    rows = range(1, len(spans) + 1)
    answered = [
        (row, span)
        for row, span in zip(rows, spans, strict=True)
        if span.status == 200
    ]
    axes.barh(
        [row for row, _ in answered],
        [span.end - span.start for _, span in answered],
        left=[span.start for _, span in answered],
        height=0.9,
        color=BLUE,
        edgecolor=BLUE,
        linewidth=0.7,
        label="answered",
    )
    marks = {"429, refused": ("x", RED, [429]), "failed": ("^", ORANGE, None)}
    for label, (shape, color, statuses) in marks.items():
        at = [
            (span.start, row)
            for row, span in zip(rows, spans, strict=True)
            if (
                span.status in statuses
                if statuses
                else span.status not in (200, 429)
            )
        ]
        if at:
            axes.scatter(
                [x for x, _ in at],
                [row for _, row in at],
                marker=shape,
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
