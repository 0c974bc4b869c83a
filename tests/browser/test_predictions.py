"""The field under a Predict: filled in before the cell runs, saved in the notebook, and shown next
to the output.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from nbformat import v4, write
from playwright.sync_api import Page, expect

from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import PANEL, ChapterPage
from support.lab_server import LabServer

MARKUP = "<img src=x onerror=alert(1)>"
FOCUSED = "() => document.activeElement.closest('.coursekit-predict') !== null"
SAVE = f"async () => {{ await {PANEL}.context.save(); }}"


@pytest.fixture
def page(lab: LabServer, open_chapter: Callable[..., ChapterPage]) -> Page:
    """A notebook with two predictions and an ordinary cell, opened by a learner and not yet run."""
    cells = [
        v4.new_markdown_cell("# A chapter"),
        v4.new_markdown_cell("Some text.\n\n**Predict.** What is 1 + 1?"),
        v4.new_code_cell("print(1 + 1)"),
        v4.new_markdown_cell(
            "**Explain.** It is 2. **Predict.** is no field here."
        ),
        v4.new_code_cell("print('no question')"),
        v4.new_markdown_cell("**Predict.** And 2 + 2?"),
        v4.new_code_cell("2 + 2"),
    ]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    write(notebook, lab.root / "notebooks" / "predictions.ipynb")
    opened = open_chapter("predictions", width=800).page
    opened.locator(".jp-MarkdownCell:visible").first.click()
    opened.keyboard.press("Escape")
    return opened


def test_a_prediction_is_made_kept_and_shown(
    page: Page, lab: LabServer
) -> None:
    """Shift+Enter moves into the field. In the field, it saves the prediction and runs the cell;
    Escape skips the prediction. The list at the end and the file contain predictions and outputs,
    and nothing is interpreted as HTML.
    """
    expect(page.locator(".coursekit-predict:visible")).to_have_count(2)
    field = page.get_by_label("Your prediction").first
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(field).to_be_focused()
    page.keyboard.type(f"3 {MARKUP}")
    page.keyboard.press("Shift+Enter")
    beside = page.locator(".coursekit-predicted:visible")
    expect(beside).to_have_text(f"You predicted: 3 {MARKUP}")

    # the explanation, the cell without a question, the second Predict
    for _ in range(3):
        page.keyboard.press("Shift+Enter")
    expect(page.get_by_label("Your prediction").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    assert not page.evaluate(FOCUSED)
    page.keyboard.press("Shift+Enter")  # runs the cell, and does not ask again

    rows = page.locator(".coursekit-predictions tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator("td")).to_have_text([f"3 {MARKUP}", "2"])
    page.evaluate(SAVE)
    saved = json.loads(
        (lab.root / "notebooks/predictions.ipynb").read_text("utf-8")
    )
    kept = [cell["metadata"].get("coursekit") for cell in saved["cells"]]
    assert [words for words in kept if words] == [
        {"prediction": f"3 {MARKUP}", "skipped": False},
        {"skipped": True},
    ]


def test_letters_are_typed_and_not_commands(page: Page) -> None:
    """In the field, a, b, d, d, and x are letters: JupyterLab deletes and adds nothing."""
    page.get_by_label("Your prediction").first.click()
    page.keyboard.type("ddabxz")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your prediction").first).to_have_value("ddabxz")
    assert page.evaluate(f"() => {PANEL}.content.widgets.length") == 7
    assert page.evaluate(f"() => {PANEL}.content.activeCellIndex") == 2


def test_a_prediction_gets_one_field(page: Page) -> None:
    """A cell that JupyterLab has not rendered yet, because it is out of sight, gets only one field,
    however often the notebook changes in the meantime.
    """
    page.evaluate(
        f"""() => {{
            const shared = {PANEL}.content.model.sharedModel;
            const add = (cell_type, source) => shared.insertCell(shared.cells.length, {{ cell_type, source }});
            add("markdown", "**Predict.** And 3 + 3?");
            for (const source of ["3 + 3", "4", "5"]) add("code", source);
        }}"""
    )
    expect(page.locator(".coursekit-predict:visible")).to_have_count(3)
