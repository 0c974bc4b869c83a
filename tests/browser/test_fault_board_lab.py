"""The fault board in a real browser: choose by keyboard, run, and see exactly which requests were
sent.
"""

from __future__ import annotations

from collections.abc import Callable

from nbformat import v4, write
from playwright.sync_api import expect

from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage
from support.lab_server import LabServer

START = """from coursekit.widgets.fault_board import FaultBoard
FaultBoard()"""


def test_choose_predict_run(
    lab: LabServer, open_chapter: Callable[..., ChapterPage]
) -> None:
    """At first there are nine requests. Another choice asks for a prediction, and Run shows that
    choice's attempts within the cell's width.
    """
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell(START)], metadata={"kernelspec": KERNEL}
    )
    write(notebook, lab.root / "notebooks" / "faults.ipynb")
    page = open_chapter("faults")
    page.run_all()
    cell = page.cell(0)
    board = cell.locator(".coursekit-faults")
    expect(board.locator("tbody tr")).to_have_count(9)
    expect(board).to_contain_text("1.00 s ⚠ asked 2 s")
    assert page.operate(
        0,
        cell.get_by_label("Handled by"),
        keys="Space ArrowDown ArrowDown Enter",
    )
    expect(cell.get_by_text("Predict:")).to_be_visible()
    cell.get_by_role("button", name="Run").press("Enter")
    expect(board.locator("tbody tr")).to_have_count(4)

    cell.get_by_label("What goes wrong").select_option("429 no money left")
    expect(cell.get_by_label("It lasts")).to_be_disabled()
    cell.get_by_role("button", name="Run").press("Enter")
    expect(board.locator("tbody tr")).to_have_count(1)
    expect(board).to_contain_text(
        "Gave up after 1 attempt. The account is out of credit."
    )

    cell.get_by_label("What goes wrong").select_option("the answer breaks off")
    cell.get_by_label("It lasts").select_option("one request")
    cell.get_by_role("button", name="Run").press("Enter")
    expect(board).to_contain_text("1 billed answer lost in transit")
    expect(board).to_contain_text("The capital of France is Paris.")

    cell.get_by_label("What goes wrong").select_option("429 rate limit")
    cell.get_by_label("It lasts").select_option("20 s")
    cell.get_by_label("Handled by").select_option(
        "retry anything after 1 s (5 retries)"
    )
    cell.get_by_role("button", name="Run").press("Enter")
    expect(board).to_contain_text(
        "6 HTTP requests, 5 sent earlier than the server asked"
    )
    expect(board.get_by_label("the log")).to_contain_text(
        "429 Too Many Requests"
    )
    assert page.errors == []
    assert page.outside == []
    assert page.cut_off(0, "table") == []
