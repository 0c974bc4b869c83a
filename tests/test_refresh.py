"""coursekit refresh: which parts of a notebook's outputs are stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import v4

from coursekit.workshop import CommandError
from coursekit.workshop.authoring.refresh import refresh_notebook, sanitized

WriteNotebook = Callable[..., Path]


def outputs(path: Path) -> list[list[dict[str, object]]]:
    return [
        cell["outputs"]
        for cell in json.loads(path.read_text())["cells"]
        if cell["cell_type"] == "code"
    ]


def test_a_second_refresh_changes_nothing(
    write_notebook: WriteNotebook,
) -> None:
    """If a notebook with addresses, widgets, pictures, errors, and streams is refreshed twice, the
    file stays the same.
    """
    path = write_notebook(
        v4.new_markdown_cell("# Title"),
        "import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three')",
        "object()",
        "import ipywidgets\nipywidgets.IntSlider(3)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        v4.new_code_cell(
            "1 / 0",
            metadata={
                "tags": ["raises-exception"],
                "execution": {"iopub.status.busy": "now"},
            },
        ),
    )
    assert refresh_notebook(path)
    first = path.read_bytes()
    assert not refresh_notebook(path)
    assert path.read_bytes() == first

    told, thing, widget, picture, error = outputs(path)
    assert [output["text"] for output in told] == [
        ["one\n", "three\n"],
        ["two\n"],
    ]
    assert thing[0]["data"] == {"text/plain": ["<object at 0x...>"]}
    assert list(widget[0]["data"]) == ["text/plain"], (
        "a widget's model lives in a kernel only"
    )
    assert "image/png" in picture[0]["data"]
    assert error[0]["traceback"] == ["ZeroDivisionError: division by zero"], (
        "no paths, no line numbers"
    )


def test_what_a_refreshed_notebook_says_of_itself(
    write_notebook: WriteNotebook,
) -> None:
    """Cell IDs stay, execution counts start at 1, and neither versions nor times are stored."""
    path = write_notebook(
        "1",
        v4.new_code_cell(
            "2",
            metadata={
                "execution": {"iopub.status.busy": "now"},
                "tags": ["mine"],
            },
        ),
    )
    refresh_notebook(path)
    notebook = json.loads(path.read_text())
    assert [cell["id"] for cell in notebook["cells"]] == ["cell-0", "cell-1"]
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2]
    assert notebook["cells"][1]["metadata"] == {"tags": ["mine"]}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (
            "x = 1\nx / 0",
            r"notebooks/01_basics.ipynb, cell \[2\] failed: ZeroDivisionError: division by zero",
        ),
        (
            "import warnings\nwarnings.warn('old')",
            r"cell \[2\] warns, .*UserWarning: old",
        ),
        (
            v4.new_code_cell("1", metadata={"tags": ["raises-exception"]}),
            r"cell \[2\] is tagged raises-exception",
        ),
        (
            "from IPython.display import clear_output\nprint(1)\nclear_output()",
            r"cell \[2\] removes output .* clear_output",
        ),
        (
            "from IPython.display import clear_output\nprint(1)\nclear_output(wait=True)\nprint(2)",
            "with clear_output",
        ),
        (
            "shown = display('Pa', display_id=True)\nshown.update('Paris.')",
            "with an update of a display",
        ),
        ("import os\nos._exit(1)", r"cell \[2\] killed its kernel"),
    ],
)
def test_a_notebook_that_cannot_be_stored_stays_as_it_was(
    write_notebook: WriteNotebook, cell: object, message: str
) -> None:
    """If a cell fails, warns, or does not raise as its tag says, the message names the cell, and
    the file is unchanged.
    """
    path = write_notebook("print('before')", cell)
    before = path.read_bytes()
    with pytest.raises(CommandError, match=message):
        refresh_notebook(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path], "no leftovers"


def test_kernels_see_no_key_and_no_proxy(
    write_notebook: WriteNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells run in replay mode, without waiting, and without the owner's keys, proxies, and
    settings.
    """
    for name in (
        "OPENAI_API_KEY",
        "OTHER_API_KEY",
        "HTTPS_PROXY",
        "http_proxy",
        "COURSEKIT_BASE_URL",
        "OPENAI_BASE_URL",
    ):
        monkeypatch.setenv(name, "http://secret.example")
    monkeypatch.setenv("COURSEKIT_MODE", "live")
    path = write_notebook(
        "import os\nprint([k for k, v in os.environ.items() if 'secret' in v], "
        "os.environ['COURSEKIT_MODE'])"
    )
    refresh_notebook(path)
    assert outputs(path)[0][0]["text"] == ["[] replay\n"]


def test_sanitized_leaves_everything_else() -> None:
    """Addresses and the kernel's file names are replaced; colors, IDs, and short numbers are
    not.
    """
    assert sanitized("<A at 0x7f3a9c0d1e50>") == "<A at 0x...>"
    assert sanitized("/tmp/ipykernel_71/2153.py:1: X") == "<cell>:1: X"
    for text in ("0x1f", "#ff00aa", "gpt-4o-2024-08-06", "id 7f3a9c0d1e50"):
        assert sanitized(text) == text
