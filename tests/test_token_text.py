"""How labs write tokens and probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coursekit.widgets.token_text import LONGEST, label, percent, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" a\n\tb", "·a⏎→b"),
        (
            "\u202e",
            "U+202E",
        ),  # would change the direction of everything that follows
        ("\u200d\x00", "U+200DU+0000"),
        ("\u00a0", "U+00A0"),
        ("\u0301", "◌\u0301"),  # a lone accent would sit on the frame
        ("é€漢", "é€漢"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_made_visible(text: str, shown: str) -> None:
    """Spaces become signs, invisible and directional characters become their numbers, and a lone
    accent gets a carrier.
    """
    assert visible(text) == shown


@given(st.text())
def test_a_label_is_one_short_line(text: str) -> None:
    """A label is never empty, never breaks a line, and says where it was cut."""
    shown = label(text)
    assert shown
    assert len(shown.splitlines()) == 1
    assert shown.endswith("…") == (len(text) > LONGEST or text.endswith("…"))


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.4809, "48%"),
        (0.0314, "3.1%"),
        (0.0999, "10%"),
        (0.0004, "<0.1%"),
        (0.9999, ">99.9%"),
        (0.994, "99.4%"),
        (0.1, "10%"),
    ],
)
def test_a_probability_has_about_two_digits(
    probability: float, shown: str
) -> None:
    """Only certainty is 100%, and only the impossible is 0%."""
    assert percent(probability) == shown
