"""The timeline in chapter 04, checked by its artists."""

from __future__ import annotations

import pytest

from coursekit.charts.picture import Picture
from coursekit.charts.streaming import timeline
from coursekit.streaming import Timing

STREAMED = Timing([0.4, 0.5, 0.9], 1.0)
WHOLE = Timing([1.2], 1.2)


def drawn() -> Picture:
    return timeline({"streamed": STREAMED, "not streamed": WHOLE})


def test_each_text_is_marked_when_it_came() -> None:
    """A lane has a mark for each arrival, at its time and at the lane's height."""
    (axes,) = drawn().figure.axes
    marks = [line.get_xydata().tolist() for line in axes.lines]
    assert marks == [[[0.4, 0], [0.5, 0], [0.9, 0]], [[1.2, 1]]]


def test_the_wait_is_a_bar_up_to_the_first_text() -> None:
    """A lane's hatched bar starts when the request is sent and ends when the first text arrives."""
    (axes,) = drawn().figure.axes
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [
        (0, 0.4),
        (0, 1.2),
    ]
    assert all(bar.get_hatch() for bar in axes.patches)


def test_brackets_measure_first_token_and_total() -> None:
    """One bracket extends from the request to the first token, and another to the end. A reply in
    one piece has only one bracket.
    """
    (axes,) = drawn().figure.axes
    notes = [note for note in axes.texts if note.get_text()]
    spans = [
        (note.xy[0], note.xyann[0])
        for note in axes.texts
        if not note.get_text()
    ]
    assert [note.get_text() for note in notes] == [
        "first token 0.40 s",
        "total 1.00 s",
        "first token and total 1.20 s",
    ]
    assert spans == [(0, 0.4), (0, 1.0), (0, 1.2)]


def test_lanes_stand_in_their_order_on_one_axis_from_zero() -> None:
    """The first lane is on top, time starts at 0 and extends past the longest total, and the legend
    names both marks.
    """
    (axes,) = drawn().figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "streamed",
        "not streamed",
    ]
    bottom, top = axes.get_ylim()
    assert bottom > 1 > 0 > top
    left, right = axes.get_xlim()
    assert left == 0
    assert right >= 1.2
    assert axes.get_xlabel() == "seconds since the request was sent"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "waiting",
        "text arrives",
    ]


def test_the_alternative_text_tells_the_picture() -> None:
    """For each lane, the alternative text says when the text began and when it was complete."""
    assert drawn().alt == (
        "Timeline, When the text arrives. streamed: text in 3 pieces starting at 0.40 s, complete at "
        "1.00 s. "
        "not streamed: text in one piece, complete at 1.20 s."
    )


@pytest.mark.parametrize("timing", [Timing(), Timing([0.1])])
def test_a_stream_that_was_not_read_is_refused(timing: Timing) -> None:
    """A lane without arrivals or without a total is a clear error, not an empty picture."""
    with pytest.raises(ValueError, match="'mine' has no timing"):
        timeline({"mine": timing})
