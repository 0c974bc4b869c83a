"""The pictures in chapter 02, checked by their artists."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.patches import Rectangle

from coursekit import sampling
from coursekit.charts.parameters import (
    CERTAINTY,
    WIDTH,
    colored_tokens,
    over_temperature,
    penalties,
)
from coursekit.charts.picture import Picture
from coursekit.logits import load_distribution
from support.html_reader import HOSTILE

LIGHT = load_distribution("traffic_light")
TEMPERATURES = (0, 0.5, 1, 2)
VIEWS = {
    t: sampling.before_and_after(LIGHT.logits, temperature=t, top=5)
    for t in TEMPERATURES
}
LABELS = [LIGHT.token(index) for index in VIEWS[1].shown]
REPLIES = {
    "sure": [("Yes", 0.99), (".", 1.0)],
    "not sure": [(" may", 0.2), ("be\n", 0.004)],
}
PERPLEXITIES = {"sure": 1.005, "not sure": 12_345.6}


def boxes(picture: Picture) -> list[Rectangle]:
    return [
        patch
        for patch in picture.figure.axes[0].patches
        if isinstance(patch, Rectangle)
    ]


def texts(picture: Picture) -> list[str]:
    return [text.get_text() for text in picture.figure.axes[0].texts]


def test_each_temperature_has_a_panel_of_the_same_tokens_on_the_same_scale() -> (
    None
):
    """A panel's bars are the tokens' probabilities at its temperature, and the last bar is all
    other tokens.
    """
    panels = over_temperature(LABELS, VIEWS, prompt=LIGHT.text).figure.axes
    assert len(panels) == 4
    for axes, view in zip(panels, VIEWS.values(), strict=True):
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == pytest.approx(
            [*view.after[view.shown], view.others[1]]
        )
        assert axes.get_xlim() == panels[0].get_xlim()
        # the most probable on top
        assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        "·green",
        "·red",
        "·blue",
        "·pink",
        "·yellow",
        "all others",
    ]


def test_a_panel_s_title_is_its_temperature_and_entropy() -> None:
    """Above each panel are the temperature and the entropy in bits, as sampling computes it."""
    panels = over_temperature(LABELS, VIEWS, prompt=LIGHT.text).figure.axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == [
        f"T = {t:g}\n{view.entropy_after:.1f} bits" for t, view in VIEWS.items()
    ]


def test_the_alternative_text_tells_how_the_distribution_flattens() -> None:
    """For people who cannot see the panels, the text gives the first token's share and that of the
    others at each temperature.
    """
    alt = over_temperature(LABELS, VIEWS, prompt=LIGHT.text).alt
    assert "T 0: green 100%, all others 0%" in alt
    assert "T 2: green 7%, all others 84%" in alt


def test_labels_that_do_not_fit_are_refused() -> None:
    """Too few labels, or a missing view, is a clear error, not a wrong picture."""
    with pytest.raises(ValueError, match="2 labels do not match the tokens"):
        over_temperature(LABELS[:2], VIEWS, prompt="")
    with pytest.raises(ValueError, match="the 0 views"):
        over_temperature(LABELS, {}, prompt="")


def test_penalties_are_a_line_and_a_step() -> None:
    """The penalty at each count is a marked point, the curves in ``steps`` are drawn as steps, and
    the axes have labels.
    """
    lines = {"frequency": [0, 0.5, 1.0], "presence": [0, 1.5, 1.5]}
    picture = penalties(lines, steps=["presence"])
    (axes,) = picture.figure.axes
    frequency, presence = axes.lines[:2]
    assert list(frequency.get_ydata()) == [0, 0.5, 1.0]
    assert list(presence.get_ydata()) == [0, 1.5, 1.5]
    assert (frequency.get_drawstyle(), presence.get_drawstyle()) == (
        "default",
        "steps-post",
    )
    assert frequency.get_marker() != presence.get_marker()
    assert frequency.get_linestyle() != presence.get_linestyle()
    assert axes.get_xlabel() == "occurrences of the token in the reply so far"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "frequency",
        "presence",
    ]
    assert picture.alt.endswith("frequency: 0, 0.5, 1; presence: 0, 1.5, 1.5.")


@pytest.mark.parametrize(
    "lines", [{}, {str(number): [0] for number in range(5)}]
)
def test_a_number_of_lines_that_cannot_be_told_apart_is_refused(
    lines: dict[str, list[float]],
) -> None:
    """No curves, or more than there are colors and markers, is an error."""
    with pytest.raises(ValueError, match="1 to 4 lines"):
        penalties(lines)


def test_each_token_is_a_box_of_its_probability() -> None:
    """A box has the color of its token's probability, with the percentage below it, so that color
    is not the only sign.
    """
    picture = colored_tokens(REPLIES, PERPLEXITIES)
    shares = [share for tokens in REPLIES.values() for _, share in tokens]
    assert [box.get_facecolor() for box in boxes(picture)] == [
        CERTAINTY(share) for share in shares
    ]
    assert texts(picture) == [
        "sure: perplexity 1.00",
        "Yes",
        "99%",
        ".",
        "100%",
        "not sure: perplexity 12,346",
        "·may",
        "20%",
        "be⏎",
        "<1%",
    ]
    assert picture.alt == (
        "Replies with each token colored by its probability. sure: perplexity 1.00, 2 tokens, the "
        "least certain at 0.99; "
        "not sure: perplexity 12,346, 2 tokens, the least certain at 0.004."
    )


def test_a_long_reply_breaks_into_lines() -> None:
    """No box extends beyond the edge or covers another one."""
    picture = colored_tokens(
        {"long": [(f" word{number}", 0.5) for number in range(60)]},
        {"long": 2.0},
    )
    corners = [
        (box.get_x(), box.get_y(), box.get_width()) for box in boxes(picture)
    ]
    assert all(x > 0 and x + width <= WIDTH for x, _, width in corners)
    assert len({y for _, y, _ in corners}) > 3
    for (x, y, width), (next_x, next_y, _) in pairwise(corners):
        assert next_y > y or next_x > x + width


@pytest.mark.slow
def test_any_token_can_be_drawn() -> None:
    """The picture is drawn whatever the tokens: math signs do not become a formula, a missing glyph
    is a box, and a long token is cut.
    """
    tokens = [*HOSTILE, "$x^2$ \\frac{", "日本", "x" * 1000]
    for start in range(0, len(tokens), 4):
        shown = [*tokens[start : start + 4], " "]
        reply = [(token, 0.5) for token in shown]
        picture = colored_tokens({"any": reply}, {"any": 2.0})
        assert picture.png().startswith(b"\x89PNG")
        assert max(len(text) for text in texts(picture)[1:]) <= 41
        panels = over_temperature((shown * 5)[:5], VIEWS, prompt="$x$")
        assert panels.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("replies", [{}, {"empty": []}])
def test_a_reply_without_tokens_is_refused(
    replies: dict[str, list[tuple[str, float]]],
) -> None:
    """If there is nothing to draw, a clear error says so."""
    with pytest.raises(ValueError, match="no token to draw"):
        colored_tokens(replies, {"empty": 1.0})
