"""Every chapter as learners use it: opened and read in JupyterLab, with its labs operated by
keyboard.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from nbformat import v4, write

from coursekit.course import lessons
from coursekit.workshop.authoring.refresh import KERNEL
from support.chapter_page import ChapterPage, cells_for
from support.lab_server import LabServer
from support.waiting import until

OpenChapter = Callable[..., ChapterPage]
STORED_LAB = (
    "(run the notebook to use it)"  # what a lab leaves in a stored notebook
)
# The capstone has no lab, and test_capstone_chapter runs it from top to bottom.
STEMS = [lesson.stem for lesson in lessons() if lesson.stem != "09_capstone"]

LAB = """import ipywidgets as widgets
size = widgets.IntSlider(3, 0, 9, description="size")
shown = widgets.HTML()
def draw(change=None): shown.value = "<b>" + "*" * size.value + "</b>"
size.observe(draw, "value"); draw()
widgets.VBox([size, shown])"""


# -k 01_basics names the notebook and its unit tests, without paying for the browser.
@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: stem[:2])
def test_a_chapter_is_shown_and_its_labs_move(
    stem: str, open_chapter: OpenChapter
) -> None:
    """The page has no errors, no request leaves this machine, and each lab responds to the keyboard
    and passes axe.

    nbval has run every cell. Here, the stored outputs are scrolled through, and only the labs run,
    with the cells that they need.
    """
    chapter = open_chapter(stem)
    cells = chapter.cells
    for index in range(0, len(cells), 4):
        chapter.cell(index)
    stored = [
        index
        for index, cell in enumerate(cells)
        if STORED_LAB in json.dumps(cell["outputs"])
    ]
    sources = [
        cell["source"] if cell["type"] == "code" else "" for cell in cells
    ]
    chapter.run(cells_for(sources, stored))
    assert chapter.labs() == stored
    for index in stored:
        controls = chapter.controls(index).all()
        until(
            lambda i=index, found=controls: any(
                chapter.operate(i, one, seconds=0.5) for one in found
            )
        )
        assert chapter.barriers(index) == []
    assert chapter.errors == []
    assert chapter.outside == []


def test_the_test_sees_what_goes_wrong(
    lab: LabServer, open_chapter: OpenChapter
) -> None:
    """The test notices a cell that fails, a cell that should fail and does not, a request to
    another machine, an error on the page, and a lab that does not react.
    """
    away = "<img src='http://127.0.0.1:9/away.png'>"
    broken = "setTimeout(() => { throw new Error('broken page') })"
    cells = [
        v4.new_markdown_cell("# Toy" + "\n\nFar down.\n" * 60),
        v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
        v4.new_code_cell("1", metadata={"tags": ["raises-exception"]}),
        v4.new_code_cell(
            f'from IPython.display import HTML\nHTML("""{away}""")'
        ),
        v4.new_code_cell(
            f'from IPython.display import Javascript\nJavascript("""{broken}""")'
        ),
        v4.new_code_cell(LAB),
        v4.new_code_cell("undefined"),
    ]
    write(
        v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL}),
        lab.root / "notebooks" / "toy.ipynb",
    )
    toy = open_chapter("toy", width=800)
    toy.run_all()
    assert toy.failures() == [
        "code cell 1: raised nothing",
        "code cell 5: NameError: name 'undefined' is not defined",
    ]
    assert toy.labs() == [5]
    handle = toy.controls(5).first
    assert toy.operate(5, handle)
    assert "****" in toy.cell(5).inner_text()
    assert not toy.operate(5, handle, keys="Shift", seconds=0.5)
    assert set(toy.outside) == {"http://127.0.0.1:9/away.png"}
    assert toy.errors == ["broken page"]
