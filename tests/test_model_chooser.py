"""The model chooser in chapter 08: its table, and controls that all change it."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from matplotlib.text import Text

from coursekit.charts.choosing import (
    GONE,
    LEAVING,
    SERVED,
    price_and_context,
    state_of,
)
from coursekit.choosing import CANDIDATES, NEEDS, Task, judge
from coursekit.widgets.model_chooser import (
    ANY,
    DAYS,
    OUT,
    REMAINS,
    ModelChooser,
    view,
)

ON = datetime.date(2026, 11, 22)


def rows(html: str) -> list[list[str]]:
    """The table's cells, row by row, without the header."""
    return [
        re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", row)
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html)[1:]
    ]


def test_the_table_has_a_row_for_each_model() -> None:
    """The mark, name, cost, time, context, last day, and objections for every candidate, with the
    remaining ones first.
    """
    table = rows(view(Task()))
    assert len(table) == len(CANDIDATES)
    assert table[0] == [
        "✓ gpt-6-luna (none)",
        "$0.25",
        "no data",
        "1,050,000",
        "none set",
        "",
    ]
    assert table[-1] == [
        "✗ o4-mini",
        "$4.62",
        "8.2",
        "200,000",
        "2026-10-22",
        "shut down since 2026-10-23",
    ]
    assert [row[0][0] for row in table] == [REMAINS] * 15 + [OUT]


def test_the_headline_counts_and_names_the_cheapest() -> None:
    """The line says how many models remain and what the cheapest one costs, or that none remains
    and what to do.
    """
    assert (
        "<b>15 of 16 models remain.</b> The cheapest is gpt-6-luna: $0.25 for 1,000 requests."
        in view(Task())
    )
    assert (
        "<b>No model remains.</b> Loosen a limit or drop a requirement."
        in view(Task(max_cost=Decimal("1e-9")))
    )
    alone = Task(
        needs=frozenset({"temperature", "stop"}),
        prompt=250_000,
        max_seconds=3.3,
    )
    assert "<b>1 model remains.</b>" in view(alone)


def test_every_control_moves_the_table() -> None:
    """Each slider and each box changes what is shown. The last position of a limit's slider means
    no limit.
    """
    lab = ModelChooser(
        Task(prompt=1000, hidden=500, needs=frozenset({"reasoning"}))
    )
    for control, value in [
        (lab.prompt, 300_000),
        (lab.reply, 20_000),
        (lab.hidden, 30_000),
        (lab.budget, Decimal(1)),
        (lab.seconds, 5),
        (lab.on, DAYS[3]),
    ]:
        before, start = lab.shown.value, control.value
        control.value = value
        assert lab.shown.value != before, control.description
        control.value = start
        assert lab.shown.value == before
    for need in NEEDS.keys() - {"schema"}:  # which every candidate has
        before = lab.shown.value
        lab.needs[need].value = not lab.needs[need].value
        assert lab.shown.value != before, need
        lab.needs[need].value = not lab.needs[need].value
    assert lab.budget.options[-1][1] == lab.seconds.options[-1][1] == ANY


def test_the_controls_say_the_task() -> None:
    """The controls show the settings with which the lab was made."""
    task = Task(
        prompt=10_000,
        reply=100,
        hidden=2_000,
        max_cost=Decimal("0.003"),
        max_seconds=5.0,
        needs=frozenset({"schema", "stop"}),
        on=DAYS[2],
    )
    assert ModelChooser(task).task == task
    assert ModelChooser().task == Task()


def test_where_no_widget_can_be_shown_the_table_is() -> None:
    """The stored output is the first table, for the web, print, and screen readers."""
    lab = ModelChooser()
    assert lab._repr_mimebundle_()["text/html"] == view(Task())
    assert all(
        control.description
        for control in (lab.prompt, lab.budget, *lab.needs.values())
    )


def test_the_picture_marks_the_dead_by_shape() -> None:
    """Models that are available, being retired, or shut down have different markers. A model that
    was shut down also has its date.
    """
    judged = judge(Task())
    picture = price_and_context(judged, call="a call", on=ON)
    axes = picture.figure.axes[0]
    markers = {line.get_label(): line.get_marker() for line in axes.lines[-3:]}
    assert len({*markers.values()}) == 3 and markers.keys() == {
        SERVED,
        LEAVING,
        GONE,
    }
    labels = [text.get_text() for text in axes.texts]
    assert len(labels) == len(judged) and "o4-mini †2026-10-23" in labels
    assert [
        state_of(each, ON)
        for each in judged
        if each.name in ("gpt-6-luna", "gpt-4o", "o4-mini")
    ] == [
        SERVED,
        LEAVING,
        GONE,
    ]
    drawn = {
        line.get_marker()
        for line in axes.lines
        if float(line.get_ydata()[0:1].sum() or 0) == 0.00462
    }
    assert drawn == {markers[GONE]}


def test_labels_of_one_column_do_not_cover_each_other() -> None:
    """The labels of points with equal cost do not overlap."""
    axes = price_and_context(judge(Task()), call="a call", on=ON).figure.axes[0]
    axes.figure.canvas.draw()
    places = [axes.transData.transform(text.xyann) for text in axes.texts]
    tall = max(Text.get_window_extent(text).height for text in axes.texts)
    near = [
        (a, b)
        for i, a in enumerate(places)
        for b in places[:i]
        if a[0] == b[0] and abs(a[1] - b[1]) < tall
    ]
    assert near == []


def test_the_pictures_alt_text_tells_it_all() -> None:
    """The alternative text gives each model's cost, context, and state."""
    alt = price_and_context(
        judge(Task()), call="1,000 tokens in, 300 out", on=ON
    ).alt
    assert alt.startswith(
        "Cost of 1,000 tokens in, 300 out and context window by model on 2026-11-22, cheapest "
        "first: "
    )
    assert "o4-mini $0.0046, 200,000 tokens, shut down" in alt
    with pytest.raises(ValueError, match="each with a context window"):
        price_and_context([], call="x", on=ON)
