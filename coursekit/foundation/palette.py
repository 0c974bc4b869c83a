"""The colors of every picture, lab and verdict, in one place. No meaning hangs on a color alone.

Okabe and Ito's colors (2008), which the common kinds of color blindness can tell apart, mark data.
BLUE, GREEN, RED and GRAY stand out from white and from black, so a lab draws lines with them on the
page itself; areas in the paler ones have a label. Text takes the page's own color, or one of the
dark ones here on a CARD.
"""

from __future__ import annotations

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
)
GRAY, PALE = "#767676", "#DDDDDD"  # lines to be seen, and lines to stay behind

# a verdict stands on a card of its own, in a light and a dark notebook alike
CARD, INK = (
    "#FAFAFA",
    "#222222",
)
RIGHT, WRONG, MUTED = "#00694D", "#A63C00", "#555555"  # text on a card
