"""Labels for tokens, probabilities, and counts in labs: invisible characters are made visible, and
long text is cut.
"""

from __future__ import annotations

import unicodedata

VISIBLE = {" ": "·", "\n": "⏎", "\t": "→"}
LONGEST = 40  # characters of a token that are shown


def visible(text: str) -> str:
    """Return a token's text with its spaces and invisible characters made visible (not yet
    escaped).
    """
    shown = "".join(
        VISIBLE.get(c)
        or (f"U+{ord(c):04X}" if unicodedata.category(c)[0] in "CZ" else c)
        for c in text
    )
    return f"◌{shown}" if shown and unicodedata.combining(shown[0]) else shown


def label(text: str) -> str:
    """Return a token on one line, visible, and cut if it is long; "(empty)" for a token without
    text.
    """
    if not text:
        return "(empty)"
    return visible(text[:LONGEST]) + ("…" if len(text) > LONGEST else "")


def plural(count: int, thing: str) -> str:
    """Return a count with its noun: "1 token", "1,200 tokens"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def percent(probability: float) -> str:
    """Format a probability between 0 and 1 with about two digits: "48%", "3.1%", "<0.1%",
    ">99.9%".
    """
    if 0 < probability < 0.001:
        return "<0.1%"
    if 0.999 < probability < 1:
        return ">99.9%"
    whole = probability in (0, 1) or 0.0995 <= probability < 0.99
    return f"{100 * probability:.0f}%" if whole else f"{100 * probability:.1f}%"
