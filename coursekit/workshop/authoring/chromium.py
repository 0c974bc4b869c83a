"""Where to find the Chromium that the browser tests drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
)


def chromium() -> Path | None:
    """The program named by CHROMIUM, else the first one found, else None."""
    named = os.environ.get("CHROMIUM")
    places = [named] if named else [*map(shutil.which, NAMES), *PLACES]
    paths = map(Path, filter(None, places))
    return next((path for path in paths if path.is_file()), None)
