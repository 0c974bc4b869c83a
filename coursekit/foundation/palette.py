"""The colors for all pictures, labs, and verdicts, in one place. No meaning depends on color alone.

Okabe and Ito's colors (2008), which people with the common kinds of color blindness can tell apart,
mark data. BLUE, GREEN, RED, and GRAY stand out from both white and black, so a lab uses them for
lines drawn directly on the page; areas in the paler colors have a label. Text has the page's own
color, or one of the dark colors here if it is on a CARD.
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
# prominent lines, and lines in the background
GRAY, PALE = "#767676", "#DDDDDD"

# a verdict has its own card, in light and dark notebooks alike
CARD, INK = (
    "#FAFAFA",
    "#222222",
)
RIGHT, WRONG, MUTED = "#00694D", "#A63C00", "#555555"  # text on a card
