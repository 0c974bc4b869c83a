"""The budget gauge: its numbers, its drawing, and controls that change both."""

from __future__ import annotations

import gc
import tracemalloc
from xml.etree import ElementTree

import pytest

from coursekit.pricing import Usage, dollars, price_of
from coursekit.reasoning import Split
from coursekit.widgets.budget_gauge import (
    LEAST,
    MOST,
    ON,
    BudgetGauge,
    GaugeSetting,
    outcomes,
    view,
)


def bill(hidden: int, visible: int) -> Split:
    usage = {"prompt_tokens": 50, "completion_tokens": hidden + visible}
    return Split(
        Usage(50, hidden + visible, reasoning=hidden),
        price_of(usage, "o4-mini", ON),
    )


NEEDS = {
    "snail": {"low": bill(128, 10), "high": bill(1216, 10)},
    "cron <b>": {"low": bill(192, 1)},
}


def rectangles(html: str) -> list[tuple[float, float]]:
    """(left, width) of each part of a bar, in percent, in the order drawn."""
    drawing = ElementTree.fromstring(html).find("svg")
    # type: ignore[union-attr,arg-type]
    return [
        (float(r.get("x").rstrip("%")), float(r.get("width").rstrip("%")))
        for r in drawing.findall("rect")
    ]


def rows(html: str) -> list[list[str]]:
    return [
        [cell.text or "" for cell in row]
        for row in ElementTree.fromstring(html).iter("tr")
    ]


def test_each_effort_is_reckoned_with_the_budget() -> None:
    """With a budget of 200 tokens, 128 hidden tokens leave room and 1,216 do not; either way, what
    was written is billed.
    """
    found = outcomes(NEEDS, GaugeSetting("snail", 200), "o4-mini")
    assert {effort: each.filled.ending for effort, each in found.items()} == {
        "low": "whole",
        "high": "empty",
    }
    used = {"prompt_tokens": 50, "completion_tokens": 200}
    assert found["high"].cost == dollars(price_of(used, "o4-mini", ON).total)


@pytest.mark.parametrize(("longer", "hidden"), [(0.25, 32), (1, 128), (4, 512)])
def test_thinking_longer_takes_more(longer: float, hidden: int) -> None:
    """The factor multiplies the hidden tokens and leaves the text unchanged."""
    filled = outcomes(NEEDS, GaugeSetting("snail", 1000, longer), "o4-mini")[
        "low"
    ].filled
    assert (filled.hidden, filled.visible) == (hidden, 10)


def test_the_view_says_what_becomes_of_the_answer() -> None:
    """The gauge names the efforts that fit and the cost of an empty answer, and every ending has a
    word and a sign.
    """
    shown = view(NEEDS, GaugeSetting("snail", 200), "o4-mini")
    assert "200 tokens: enough for a complete answer with low." in shown
    assert "with high, you pay $0.00094 for nothing." in shown
    assert rows(shown) == [
        ["Effort", "Hidden", "Visible", "Free", "Missing", "Cost", "Ends"],
        ["low", "128", "10", "62", "0", "$0.00066", "✔ whole answer"],
        ["high", "200", "0", "0", "1,026", "$0.00094", "∅ no text"],
    ]
    assert "not enough for a complete answer" in view(
        NEEDS, GaugeSetting("snail", 50), "o4-mini"
    )
    assert "✂ cut" in view(NEEDS, GaugeSetting("snail", 130), "o4-mini")


def test_the_bars_are_to_scale() -> None:
    """All rows share one scale, on which the largest budget or need spans the drawing, and the
    parts are drawn end to end.
    """
    low, high = [], []
    parts = rectangles(view(NEEDS, GaugeSetting("snail", 200), "o4-mini"))
    low, high = parts[:3], parts[3:5]
    scale = 100 / 1226
    for row, tokens in ((low, (128, 10, 62)), (high, (200, 1026))):
        x = 0.0
        for (left, width), count in zip(row, tokens, strict=True):
            assert left == pytest.approx(x, abs=0.1)
            assert width == pytest.approx(count * scale, abs=0.1)
            x += count * scale


def test_questions_and_efforts_are_shown_as_text() -> None:
    """A learner's name for a question or an effort cannot become markup."""
    needs = {"q": {"<script>x</script>": bill(10, 1)}}
    shown = view(needs, GaugeSetting("q", 100), "o4-mini")
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_controls_move_the_view() -> None:
    """Each control changes the view to the one for its setting."""
    lab = BudgetGauge(NEEDS, "o4-mini")
    for control, value in (
        (lab.budget, 1300),
        (lab.longer, 1.5),
        (lab.question, "cron <b>"),
    ):
        before = lab.shown.value
        control.value = value
        assert lab.shown.value == view(NEEDS, lab.setting, "o4-mini") != before
    assert lab.setting == GaugeSetting("cron <b>", 1300, 1.5)


def test_every_control_has_a_label_and_a_range() -> None:
    """Each control has a label that says what it sets, and the budget slider covers the chapter's
    range.
    """
    lab = BudgetGauge(NEEDS, "o4-mini")
    assert [
        control.description
        for control in (lab.question, lab.budget, lab.longer)
    ] == [
        "Question",
        "Budget, tokens",
        "Thinks × as long",
    ]
    assert (lab.budget.min, lab.budget.max) == (LEAST, MOST)


def test_without_a_kernel_the_first_view_is_shown() -> None:
    """The stored output has the drawing as HTML, and a line of text for places without HTML."""
    lab = BudgetGauge(NEEDS, "o4-mini")
    bundle = lab._repr_mimebundle_()
    assert bundle["text/html"] == view(NEEDS, GaugeSetting("snail"), "o4-mini")
    assert repr(lab) == "The budget gauge (run the notebook to use it)"


def test_a_gauge_needs_something_to_measure() -> None:
    """An error says so if there are no questions, or if a question has no bill."""
    for needs in ({}, {"q": {}}):
        with pytest.raises(ValueError, match="at least one question"):
            BudgetGauge(needs, "o4-mini")


@pytest.mark.slow
def test_moving_it_keeps_no_memory() -> None:
    """Moving a slider 300 times leaves less than 100 KB in memory."""
    lab = BudgetGauge(NEEDS, "o4-mini")

    def moves(count: int) -> None:
        for i in range(count):
            lab.budget.value = LEAST + 50 * (i % 100)

    moves(100)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    moves(300)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 100_000
