"""Draw the cost: the guess that is drawn, and the truth, which is hidden until it is requested."""

from __future__ import annotations

import itertools
import re

import pytest

from coursekit.widgets.cost_guess import MARKS, CostGuess, costs, view

GUESS = [0.1, 0.2, 0.3, 0.4, 0.5]


def test_the_truth_is_the_chapter_s() -> None:
    """50 turns of 30, 60, and 180 tokens send 306,300 tokens and receive 9,000, which costs $0.86
    with gpt-4o.
    """
    true = costs()
    assert len(true) == 50
    assert float(true[-1]) == pytest.approx(306_300 * 2.5e-6 + 9_000 * 1e-5)


def test_the_truth_is_hidden_until_it_is_revealed() -> None:
    """Before Reveal, the drawing and its description contain only the guess; after it, they also
    contain the curve and the difference.
    """
    assert "0.86" not in view(GUESS, revealed=False)
    assert view(GUESS, revealed=False).count("<polyline") == 1
    html = view(GUESS, revealed=True)
    assert html.count("<polyline") == 2
    assert "You said $0.50; it is $0.86." in html
    assert "the cost grows 3.6-fold" in html


def test_the_line_goes_through_the_guess() -> None:
    """The curve has a point for the start and one for each slider, at the height of its cost."""
    (points,) = re.findall(r'points="([^"]*)"', view(GUESS, revealed=False))
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == len(MARKS) + 1
    steps = [before - after for before, after in itertools.pairwise(heights)]
    assert steps == pytest.approx([steps[0]] * 5, abs=0.15)


def test_the_controls_draw() -> None:
    """Each slider moves the line, the button reveals and hides the truth, and all of them have
    labels.
    """
    lab = CostGuess()
    assert lab.shown.value == view([0] * 5, revealed=False)
    for slider, dollars in zip(lab.guess, GUESS, strict=True):
        slider.value = dollars
    assert lab.shown.value == view(GUESS, revealed=False)
    lab.reveal.value = True
    assert lab.shown.value == view(GUESS, revealed=True)
    lab.reveal.value = False
    assert lab.shown.value == view(GUESS, revealed=False)
    assert all(control.description for control in (*lab.guess, lab.reveal))


def test_it_leaves_a_picture_that_gives_nothing_away() -> None:
    """The stored notebook has the empty drawing, with a description for screen readers."""
    html = CostGuess()._repr_mimebundle_()["text/html"]
    assert 'aria-label="Your guess: $0.00 at turn 10' in html
    assert "$0.86" not in html
