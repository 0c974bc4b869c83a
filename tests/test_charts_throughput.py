"""The timeline in chapter 05, checked by its artists."""

from __future__ import annotations

import pytest
from matplotlib.collections import PathCollection

from coursekit.charts.throughput import gantt
from coursekit.throughput import STRATEGIES, Load, Span, simulate

RUN = [Span(0, 2), Span(1, 1.1, 429), Span(2, 3), Span(2.5, 4, 500)]


def test_a_bar_runs_from_the_request_to_its_answer() -> None:
    """Each answered request is a bar in its own row, with the first request on top."""
    (axes,) = gantt({"run": RUN}).figure.axes
    bars = [
        (
            bar.get_x(),
            round(bar.get_width(), 6),
            bar.get_y() + bar.get_height() / 2,
        )
        for bar in axes.patches
    ]
    assert bars == [(0, 2, 1), (2, 1, 3)]
    assert axes.get_ylim() == (5, 0)


def test_a_429_is_a_cross_and_another_failure_a_triangle() -> None:
    """Refused requests differ by shape as well as by color, are drawn at the moment they were sent,
    and are in the legend.
    """
    (axes,) = gantt({"run": RUN}).figure.axes
    marks = {
        c.get_label(): c
        for c in axes.collections
        if isinstance(c, PathCollection)
    }
    assert {label: c.get_offsets().tolist() for label, c in marks.items()} == {
        "429, refused": [[1, 2]],
        "failed": [[2.5, 4]],
    }
    shapes = [c.get_paths()[0].vertices.tolist() for c in marks.values()]
    assert shapes[0] != shapes[1]
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        "answered",
        "429, refused",
        "failed",
    ]


def test_all_runs_share_one_scale_of_time() -> None:
    """Four panels share one axis, so that a short run looks short. The alternative text gives
    the result of each.
    """
    picture = gantt({name: simulate(name, Load()) for name in STRATEGIES})
    assert len({axes.get_xlim() for axes in picture.figure.axes}) == 1
    assert "paced: 60 of 60 answered, no 429, 61.5 s" in picture.alt
    assert "semaphore: 34 of 60 answered, 26 × 429, 10.8 s" in picture.alt
    assert [axes.get_title(loc="left") for axes in picture.figure.axes][1] == (
        "unbounded: 30 of 60 answered, 30 × 429, 1.5 s"
    )


def test_the_legend_stays_with_the_first_panel() -> None:
    """The legend is complete even if crosses appear only in later panels."""
    first, second = gantt(
        {"good": [Span(0, 1)], "bad": [Span(0, 0.1, 429)]}
    ).figure.axes
    assert (
        len(first.get_legend().get_texts()) == 2 and second.get_legend() is None
    )


def test_the_same_picture_has_the_same_bytes() -> None:
    """The picture is stored in a notebook, so it must not change by itself."""
    assert gantt({"run": RUN}).png() == gantt({"run": RUN}).png()


@pytest.mark.parametrize("runs", [{}, {"run": []}, {"run": [Span(0, 1)] * 401}])
def test_nothing_to_draw_is_an_error(runs: dict[str, list[Span]]) -> None:
    """An empty list of runs, an empty run, and a run with more rows than pixels are rejected."""
    with pytest.raises(ValueError, match="1 to 400"):
        gantt(runs)
