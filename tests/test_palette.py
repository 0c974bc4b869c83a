"""The colors contrast with their backgrounds, by WCAG 2's contrast ratio."""

from __future__ import annotations

import pytest

from coursekit.foundation import palette


def luminance(color: str) -> float:
    """Relative luminance of "#RRGGBB", 0 to 1 (WCAG 2.2, definition "relative luminance")."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio, from 1 to 21."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    """Black on white is 21 to 1, and a color on itself is 1 to 1."""
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast(palette.BLUE, palette.BLUE) == 1


def test_text_can_be_read() -> None:
    """Text on a card has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    texts = {
        "INK": palette.INK,
        "RIGHT": palette.RIGHT,
        "WRONG": palette.WRONG,
        "MUTED": palette.MUTED,
    }
    assert {
        name: ratio
        for name, text in texts.items()
        if (ratio := contrast(text, palette.CARD)) < 4.5
    } == {}


@pytest.mark.parametrize(
    "page", ["#FFFFFF", "#111111"], ids=["JupyterLab Light", "JupyterLab Dark"]
)
def test_lines_can_be_seen_in_both_themes(page: str) -> None:
    """What a lab draws directly on the page has a contrast of at least 3 to 1, in light and in dark
    mode (WCAG 2.2, 1.4.11).
    """
    drawn = {
        "GRAY": palette.GRAY,
        "BLUE": palette.BLUE,
        "GREEN": palette.GREEN,
        "RED": palette.RED,
    }
    assert {
        name: ratio
        for name, color in drawn.items()
        if (ratio := contrast(color, page)) < 3
    } == {}
