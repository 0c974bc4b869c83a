"""Retake the README's picture: a lab in JupyterLab, as a learner sees it. pytest runs this file
only if you name it.

See .github/CONTRIBUTING.md.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from support.chapter_page import ChapterPage

PICTURE = Path(__file__).parents[2] / ".github" / "images" / "sampling_lab.png"
COLORS = 64  # a third of the bytes, without a visible difference


def test_picture(open_chapter: Callable[..., ChapterPage]) -> None:
    """Chapter 02 is run and its lab is operated; the picture shows the resulting window."""
    page = open_chapter("02_parameters", width=1180)
    page.page.set_viewport_size({"width": 1180, "height": 820})
    page.run_all()
    lab = page.labs()[-1]
    cell = page.cell(lab)
    cell.get_by_label("prompt ends in").select_option(
        "The traffic light turned"
    )
    for _ in range(10):
        cell.locator(
            '.widget-hslider:has(label:text-is("temperature")) [role="slider"]'
        ).press("ArrowLeft")
    cell.get_by_role("button", name="Sample 20").press("Enter")
    cell.get_by_text("20 draws").wait_for()
    page.cell(lab)
    page.page.wait_for_timeout(500)  # rendering
    shot = Image.open(io.BytesIO(page.page.screenshot())).convert("RGB")
    PICTURE.parent.mkdir(exist_ok=True)
    shot.quantize(COLORS).save(PICTURE, optimize=True)
    assert PICTURE.stat().st_size < 150_000
