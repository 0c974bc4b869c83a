"""The throughput lab: its numbers, its picture, and controls that change both."""

from __future__ import annotations

import gc
import re
import tracemalloc

import pytest

from coursekit.throughput import (
    STRATEGIES,
    Load,
    least_seconds,
    outcome_of,
    simulate,
)
from coursekit.widgets.throughput_lab import (
    CROSS,
    ThroughputLab,
    gantt_svg,
    view,
)

LOADS = [
    Load(),
    Load(concurrency=60, latency=0.1),
    Load(requests=1, rpm=500),
    Load(latency=10, tpm=5_000, tokens=3000),
]


def rows(html: str) -> list[list[str]]:
    """The cells of the table, row by row."""
    return [
        re.findall(r"<t[dh][^>]*>([^<]*)</t", row)
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


@pytest.mark.parametrize("load", LOADS)
def test_the_table_tells_what_each_strategy_came_to(load: Load) -> None:
    """The numbers for sent, answered, and refused requests, seconds, and requests in flight are the
    simulation's.
    """
    told = rows(view(load))[1:]
    for strategy, row in zip(STRATEGIES, told, strict=True):
        came = outcome_of(simulate(strategy, load))
        assert row == [
            strategy,
            str(load.requests),
            str(came.answered),
            str(came.refused),
            f"{came.seconds:,.1f}",
            f"{came.in_flight:,.1f}",
        ]
    assert f"before {least_seconds(load):,.1f} s" in view(load)


def test_littles_law_is_told_with_its_numbers() -> None:
    """The lab shows concurrency divided by latency, the two limits, and which of the three
    binds.
    """
    said = view(
        Load(concurrency=5, latency=0.3, rpm=500, tpm=30_000, tokens=600)
    )
    assert "5 in flight / 0.3 s = 1,000 requests a minute" in said
    assert (
        "RPM allows 500; TPM allows 30,000 / 600 = 50.0" in said
        and "The binding limit: TPM." in said
    )
    assert "stays below them by itself" in view(Load(concurrency=1, latency=10))


def test_every_answer_is_a_bar_and_every_429_a_cross() -> None:
    """Answers and refusals differ by shape, not only by color, and the alternative text counts
    them.
    """
    runs = {strategy: simulate(strategy, Load()) for strategy in STRATEGIES}
    drawn = gantt_svg(runs)
    bars = re.findall(r'<path d="([^"]*)" fill="#0072B2"/>', drawn)
    assert [panel.count("z") for panel in bars] == [60, 30, 34, 60]
    assert drawn.count(f'<path d="{CROSS}"/>') == 30 + 26
    assert (
        'aria-label="Requests on a timeline. sequential: 60 answered, no 429, 90.0 s; unbounded'
        in drawn
    )


@pytest.mark.parametrize("load", LOADS)
def test_everything_is_drawn_inside_the_picture(load: Load) -> None:
    """No bar, cross, or label is outside the drawing, and the scale has at most ten numbers."""
    drawn = gantt_svg(
        {strategy: simulate(strategy, load) for strategy in STRATEGIES}
    )
    places = [
        (float(x), float(y))
        for found in (
            r"M([\d.]+) ([\d.]+)h",
            r'<text x="([\d.]+)%?" y="([\d.]+)"',
            r'<svg x="([\d.]+)%" y="([\d.]+)"',
        )
        for x, y in re.findall(found, drawn)
    ]
    height = float(re.findall(r'height="(\d+)"', drawn)[0])
    assert all(0 <= x <= 100 and 0 <= y <= height for x, y in places)
    assert 2 <= drawn.count('fill-opacity="0.4"') <= 10


def test_the_view_is_well_formed() -> None:
    """Every tag is closed, so that nothing affects the rest of the notebook."""
    html = view(Load())
    for tag in ("div", "p", "svg", "table", "tr", "td", "b", "text"):
        assert len(re.findall(rf"<{tag}[ >]", html)) == html.count(f"</{tag}>")
    assert "<script" not in html


def test_every_control_moves_the_view() -> None:
    """Moving a slider redraws the lab, and the view is the one for the controls' values."""
    lab = ThroughputLab()
    for name, value in {
        "concurrency": 40,
        "latency": 0.3,
        "rpm": 15,
        "tpm": 9_000,
        "tokens": 1_500,
    }.items():
        before = lab.shown.value
        getattr(lab, name).value = value
        assert lab.shown.value != before
        assert lab.shown.value == view(lab.load)
    assert lab.load == Load(60, 40, 0.3, 15, 9_000, 1_500)


def test_every_control_is_labelled() -> None:
    """Each slider has a label with its unit."""
    controls = ThroughputLab().children[0].children
    assert [control.description for control in controls] == [
        "In flight at once",
        "Latency, seconds",
        "RPM limit",
        "TPM limit",
        "Tokens per request",
    ]


def test_without_widgets_the_first_view_is_shown() -> None:
    """The notebook has the picture and its numbers on the web, in print, and for screen readers."""
    bundle = ThroughputLab()._repr_mimebundle_()
    assert bundle["text/html"] == view(Load())


@pytest.mark.slow
def test_drawing_keeps_no_memory() -> None:
    """Drawing again and again leaves nothing behind."""
    view(Load())
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for rpm in range(5, 25):
            view(Load(rpm=rpm))
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 300_000
    finally:
        tracemalloc.stop()
