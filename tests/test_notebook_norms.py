"""Each notebook norm finds what it is meant to find, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from nbformat import v4

from coursekit.workshop.authoring.refresh import KERNEL
from support import notebook_norms as norms
from support.notebook_norms import Norm, Notebook

WriteNotebook = Callable[..., Path]
GOOD = {"kernelspec": KERNEL, "language_info": {"name": "python"}}


def code(
    source: str, *outputs: Any, tags: Sequence[str] = (), count: int | None = 1
) -> Any:
    return v4.new_code_cell(
        source,
        outputs=list(outputs),
        execution_count=count,
        metadata={"tags": list(tags)},
    )


def text(value: str) -> Any:
    return v4.new_markdown_cell(value)


def shown(**data: str) -> Any:
    return v4.new_output(
        "display_data",
        {name.replace("_", "/"): value for name, value in data.items()},
    )


def error() -> Any:
    return v4.new_output("error", ename="E", evalue="e", traceback=["E: e"])


def problems(norm: Norm, path: Path) -> list[str]:
    return list(norm(Notebook(path, "Title")))


FINE = [
    text(
        "# 1 · Title\n\nSee [it](../LICENSE) and [a page](https://example.com).\n\n## Part\n\n![a "
        "cat](../cat.png)"
    ),
    code("import os\nvalue = os.environ['HOME'];  interaction = 1", count=1),
    code("1 / 0", error(), tags=["raises-exception"], count=2),
    code("def (", error(), tags=["raises-exception"], count=3),
    code(
        "%matplotlib inline\nawait x",
        shown(
            text_html='<img alt="two lines" src="data:image/png;base64,/tmp/">'
        ),
        count=4,
    ),
    code(
        "print('sk-...')",
        v4.new_output("stream", name="stderr", text="a log line\n"),
        count=5,
    ),
    text("```\n# no heading\n![](no-image.png)\n```\n\n### Smaller"),
    text(
        "**Explain.** So it is.\n\n**Predict.** And now?\n\n1. This\n2. or that"
    ),
    code("2", count=6),
    text(
        "From 5 dollars to $6, `$a` and `$b`.\n\n$$x = 1$$\n\nAnd $7.\n\n| a | b |\n| --- | --- |\n| 1 "
        "| |"
    ),
    code(
        "1",
        shown(text_html='<b class="mathjax_ignore">$5 or $6</b><i>$7</i>'),
        count=7,
    ),
]


@pytest.mark.parametrize("norm", norms.NORMS, ids=lambda norm: norm.__name__)
def test_a_good_notebook_has_no_problem(
    norm: Norm, write_notebook: WriteNotebook, tmp_path: Path
) -> None:
    """A norm does not complain about what is allowed."""
    (tmp_path / "LICENSE").touch()
    (tmp_path / "cat.png").touch()
    assert problems(norm, write_notebook(*FINE, metadata=GOOD)) == []


@pytest.mark.parametrize(
    ("norm", "cells", "problem"),
    [
        (norms.small, [text("x" * 300_001)], "bytes"),
        (norms.metadata, [text("x")], "its kernel is not python3"),
        (norms.metadata, [text("x")], "language_info says more"),
        (norms.short_cells, [code("x\n" * 25)], "cell [1] has 25 lines"),
        (norms.short_cells, [code(" \n")], "cell [1] is empty"),
        (
            norms.executed,
            [code("1"), code("2", count=None)],
            "execution counts are [1, None]",
        ),
        (norms.executed, [code("1", count=2)], "execution counts are [2]"),
        (
            norms.checked,
            [code("# NBVAL_SKIP\n1")],
            "cell [1] wants to be skipped",
        ),
        (
            norms.checked,
            [code("1", tags=["nbval-ignore-output"])],
            "cell [1] wants to be skipped",
        ),
        (
            norms.checked,
            [code("1", tags=["skip-execution"])],
            "cell [1] wants to be skipped",
        ),
        (
            norms.raising,
            [code("1", tags=["raises-exception"])],
            "raises nothing",
        ),
        (norms.raising, [code("1", error())], "cell [1] ends in an error"),
        (
            norms.seen_by_nbval,
            [code("import ipywidgets as w\nw.Output()")],
            "cell [1] uses Output",
        ),
        (
            norms.seen_by_nbval,
            [code("@interact(x=1)\ndef f(x): ...")],
            "cell [1] uses interact",
        ),
        (
            norms.seen_by_nbval,
            [code("from IPython.display import clear_output")],
            "cell [1] uses clear_output",
        ),
        (
            norms.seen_by_nbval,
            [code("display(1, display_id='a')")],
            "cell [1] updates a display",
        ),
        (
            norms.seen_by_nbval,
            [code("plt.plot(x);\n")],
            "cell [1] ends with a semicolon",
        ),
        (
            norms.self_contained,
            [code("import sys\nsys.path.append('..')")],
            "cell [1] uses sys.path",
        ),
        (
            norms.self_contained,
            [code("name = input('?')")],
            "cell [1] uses input()",
        ),
        (
            norms.self_contained,
            [code("%pip install openai")],
            "cell [1] runs a shell command",
        ),
        (norms.self_contained, [code("!ls")], "cell [1] runs a shell command"),
        (
            norms.no_key,
            [code("key = 'sk-" + "proj-abcdefghijklmnop'")],
            "sk-pro... looks like a key",
        ),
        (
            norms.of_no_machine,
            [code("1", shown(text_plain="/home/me/x.py"))],
            "cell [1] shows /home/",
        ),
        (
            norms.of_no_machine,
            [code("1", shown(text_html="<b>at 0x7f12ab</b>"))],
            "cell [1] shows at 0x7f12ab",
        ),
        (
            norms.of_no_machine,
            [
                code(
                    "1",
                    v4.new_output(
                        "stream", name="stderr", text="UserWarning: x"
                    ),
                )
            ],
            "a warning",
        ),
        (norms.headings, [text("Hello")], "does not begin with a title"),
        (
            norms.headings,
            [text("# Title"), text("# Another")],
            "it has 2 first-level headings",
        ),
        (
            norms.headings,
            [text("# Something else")],
            "does not name the lesson",
        ),
        (norms.headings, [text("# Title\n\n### Deep")], "'Deep' skips a level"),
        (
            norms.predictions,
            [text("It is easy. **Predict.** What?"), code("1")],
            "needs exactly one line that starts with **Predict.**",
        ),
        (
            norms.predictions,
            [text("**Predict.** This?\n\n**Predict.** Or that?"), code("1")],
            "needs exactly one line that starts with **Predict.**",
        ),
        (
            norms.predictions,
            [text("**Predict.** What?"), text("So."), code("1")],
            "no code cell follows the prediction",
        ),
        (
            norms.predictions,
            [text("**Predict.** What?")],
            "no code cell follows",
        ),
        (
            norms.alt_texts,
            [text("![](cat.png)")],
            "![](cat.png) has no alt text",
        ),
        (
            norms.alt_texts,
            [code("1", shown(text_html='<img src="x" alt="">'))],
            "has no alt text",
        ),
        (
            norms.alt_texts,
            [code("1", shown(image_png="iVBOR"))],
            "cell [1] shows a bare image",
        ),
        (
            norms.table_heads,
            [text("See:\n\n| a | |\n| --- | --- |\n| 1 | 2 |")],
            "the head | a | | has an empty cell",
        ),
        (
            norms.table_heads,
            [
                code(
                    "1",
                    shown(text_html='<table><th scope="col"> </th></table>'),
                )
            ],
            "is an empty head",
        ),
        (
            norms.no_chance_formula,
            [text("From $5\nto $6.")],
            "has two dollar signs",
        ),
        (
            norms.no_chance_formula,
            [text("From \\$5 to \\$6.")],
            "has two dollar signs",
        ),
        (
            norms.no_chance_formula,
            [code("1", shown(text_html="<b>$5 or $6</b>"))],
            "in an output has two dollar signs",
        ),
        (
            norms.links,
            [text("[next](02_nowhere.ipynb#top)")],
            "the link to 02_nowhere.ipynb leads nowhere",
        ),
    ],
)
def test_a_norm_names_what_breaks_it(
    norm: Norm, cells: list[Any], problem: str, write_notebook: WriteNotebook
) -> None:
    """What is not allowed is reported with its place."""
    assert any(
        problem in found for found in problems(norm, write_notebook(*cells))
    )


def test_ids_must_be_there_and_differ(write_notebook: WriteNotebook) -> None:
    """A missing ID and a duplicate ID are reported."""
    path = write_notebook("1", "2", "3")
    path.write_text(
        path.read_text()
        .replace('"cell-1"', '"cell-0"')
        .replace('   "id": "cell-2",\n', "")
    )
    assert problems(norms.ids, path) == [
        "a cell has no id",
        "the id cell-0 stands twice",
    ]
