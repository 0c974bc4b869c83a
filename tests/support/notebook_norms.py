"""The norms of the course's notebooks. Each yields one sentence for each place that breaks it.

Some of them cover what nbval 0.11 misses: it passes a ``raises-exception`` cell that raises nothing
and a skipped cell, and it misreads Output widgets, @interact, clear_output, updated displays, and a
trailing semicolon.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

MOST_BYTES = 300_000
MOST_LINES = 24  # in a code cell, including comments and empty lines
# in an exercise's cell: the docstring is the specification, and comments explain the solution
MOST_LINES_SOLVED = 40
UNSEEN_BY_NBVAL = {
    "Output",
    "interact",
    "interactive",
    "interactive_output",
    "clear_output",
    "update_display",
}
UNCHECKED = re.compile(
    r"nbval[-_](skip|ignore[-_]output)|pytest_validate_ignore_output|skip-execution",
    re.IGNORECASE,
)
KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{16,}")
MACHINE = re.compile(
    r"(/home/|/root/|/tmp/|/Users/|/var/folders/|[A-Z]:\\Users)|\bat 0x[0-9a-f]+"
)


@dataclass(frozen=True)
class Notebook:
    """A notebook on disk."""

    path: Path
    title: str  # of its lesson

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells, each with its ``source`` as one string."""
        return [
            {**cell, "source": "".join(cell["source"])}
            for cell in json.loads(self.text)["cells"]
        ]

    @property
    def code(self) -> list[dict[str, Any]]:
        return [cell for cell in self.cells if cell["cell_type"] == "code"]

    @property
    def prose(self) -> str:
        """All Markdown, without fenced code."""
        joined = "\n\n".join(
            cell["source"]
            for cell in self.cells
            if cell["cell_type"] == "markdown"
        )
        return re.sub(
            r"^(```|~~~).*?^\1", "", joined, flags=re.MULTILINE | re.DOTALL
        )


Norm = Callable[[Notebook], Iterator[str]]


def small(notebook: Notebook) -> Iterator[str]:
    """It has at most 300 KB."""
    size = notebook.path.stat().st_size
    if size > MOST_BYTES:
        yield f"it has {size} bytes"


def ids(notebook: Notebook) -> Iterator[str]:
    """Each cell has its own ID (nbformat 4.5)."""
    seen = [cell.get("id") for cell in notebook.cells]
    if None in seen:
        yield "a cell has no id"
    yield from (
        f"the id {double} stands twice"
        for double in sorted({i for i in seen if i and seen.count(i) > 1})
    )


def metadata(notebook: Notebook) -> Iterator[str]:
    """Its kernel is python3, and it stores neither versions nor widget state."""
    said = json.loads(notebook.text)["metadata"]
    if said.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not python3"
    if said.get("language_info") != {"name": "python"}:
        yield "language_info says more than the name"
    if "widgets" in said:
        yield "widget state is stored"


def short_cells(notebook: Notebook) -> Iterator[str]:
    """A code cell has at most 24 lines, a solved exercise's cell at most 40, and none is empty.
    (Ruff checks the length of lines.)
    """
    for cell in notebook.code:
        lines = len(cell["source"].splitlines())
        if not cell["source"].strip():
            yield f"{_name(cell)} is empty"
        solved = cell["metadata"].get("nbgrader", {}).get("solution", False)
        if lines > (MOST_LINES_SOLVED if solved else MOST_LINES):
            yield f"{_name(cell)} has {lines} lines"


def executed(notebook: Notebook) -> Iterator[str]:
    """Every code cell was run, in order, starting at 1."""
    counts = [cell["execution_count"] for cell in notebook.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}"


def checked(notebook: Notebook) -> Iterator[str]:
    """No cell is marked to be skipped or not to be compared."""
    for cell in notebook.code:
        if UNCHECKED.search(cell["source"]) or UNCHECKED.search(
            " ".join(_tags(cell))
        ):
            yield f"{_name(cell)} wants to be skipped or not compared"


def raising(notebook: Notebook) -> Iterator[str]:
    """A cell ends in an error if and only if it is tagged raises-exception."""
    for cell in notebook.code:
        raised = any(
            output["output_type"] == "error" for output in cell["outputs"]
        )
        if raised != ("raises-exception" in _tags(cell)):
            yield (
                f"{_name(cell)} "
                f"{'ends in an error' if raised else 'is tagged raises-exception and raises nothing'}"
            )


def seen_by_nbval(notebook: Notebook) -> Iterator[str]:
    """It uses nothing that produces output that nbval misreads."""
    for cell in notebook.code:
        used = {
            node.id if isinstance(node, ast.Name) else node.attr
            for node in nodes(cell, ast.Name, ast.Attribute)
        }
        used |= {
            alias.name
            for node in nodes(cell, ast.ImportFrom)
            for alias in node.names
        }
        yield from (
            f"{_name(cell)} uses {name}"
            for name in sorted(used & UNSEEN_BY_NBVAL)
        )
        if any(
            word.arg == "display_id"
            for node in nodes(cell, ast.Call)
            for word in node.keywords
        ):
            yield f"{_name(cell)} updates a display"
        if cell["source"].rstrip().endswith(";"):
            yield f"{_name(cell)} ends with a semicolon"


def self_contained(notebook: Notebook) -> Iterator[str]:
    """It does not change the import path or the working directory, install anything, run a shell,
    or wait for input.
    """
    for cell in notebook.code:
        if re.search(
            r"^\s*(!|%pip|%conda|%cd|%%bash|%%sh|%%script)",
            cell["source"],
            re.MULTILINE,
        ):
            yield f"{_name(cell)} runs a shell command or a magic that installs or moves"
        paths = {ast.unparse(node) for node in nodes(cell, ast.Attribute)}
        paths |= {
            f"{node.id}()"
            for call in nodes(cell, ast.Call)
            for node in [call.func]
            if isinstance(node, ast.Name)
        }
        yield from (
            f"{_name(cell)} uses {bad}"
            for bad in sorted(
                paths & {"sys.path", "os.chdir", "os.system", "input()"}
            )
        )


def no_key(notebook: Notebook) -> Iterator[str]:
    """Nothing in its outputs or sources looks like an API key."""
    if found := KEY.search(notebook.text):
        yield f"{found[0][:6]}... looks like a key"


def of_no_machine(notebook: Notebook) -> Iterator[str]:
    """No output contains a path or an address from the machine it was made on, a widget's model, or
    a warning.
    """
    for cell in notebook.code:
        for output in cell["outputs"]:
            text = json.dumps(
                {**output, "data": _readable(output)}, ensure_ascii=False
            )
            if found := MACHINE.search(text):
                yield f"{_name(cell)} shows {found[0]}"
            if "application/vnd.jupyter.widget-view+json" in output.get(
                "data", {}
            ):
                yield f"{_name(cell)} stores a widget's model"
            if output.get("name") == "stderr" and "Warning" in text:
                yield f"{_name(cell)} stores a warning"


def headings(notebook: Notebook) -> Iterator[str]:
    """It begins with its lesson's title as the only first-level heading, and skips no level."""
    found = re.findall(r"^(#{1,6}) +(.+)$", notebook.prose, re.MULTILINE)
    levels = [len(marks) for marks, _ in found]
    first = notebook.cells[0]
    if first["cell_type"] != "markdown" or not first["source"].startswith("# "):
        yield "it does not begin with a title"
    if levels.count(1) != 1:
        yield f"it has {levels.count(1)} first-level headings"
    if found and notebook.title not in found[0][1]:
        yield f"its title {found[0][1]!r} does not name the lesson, {notebook.title!r}"
    yield from (
        f"{found[i + 1][1]!r} skips a level"
        for i in range(len(levels) - 1)
        if levels[i + 1] > levels[i] + 1
    )


def predictions(notebook: Notebook) -> Iterator[str]:
    """A prediction is a line ``**Predict.** …`` in a Markdown cell directly before the code cell
    that answers it.
    """
    cells = notebook.cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        predicts = re.findall(r"\*\*Predict\b", cell["source"])
        if cell["cell_type"] != "markdown" or not predicts:
            continue
        if (
            len(
                re.findall(r"^\*\*Predict\.\*\* ", cell["source"], re.MULTILINE)
            )
            != 1
            or len(predicts) > 1
        ):
            yield f"cell {cell['id']} needs exactly one line that starts with **Predict.**"
        if following is None or following["cell_type"] != "code":
            yield f"no code cell follows the prediction in cell {cell['id']}"


def alt_texts(notebook: Notebook) -> Iterator[str]:
    """Every image in prose and in outputs has an alternative text."""
    html = [notebook.prose]
    for cell in notebook.code:
        for output in cell["outputs"]:
            html.append("".join(output.get("data", {}).get("text/html", "")))
            if any(
                kind.startswith("image/") for kind in output.get("data", {})
            ):
                yield f"{_name(cell)} shows a bare image; show it as HTML with an alternative text"
    for text in html:
        yield from (
            f"{image[:60]} has no alt text"
            for image in re.findall(r"<img\b[^>]*>", text)
            if not _alt(image)
        )
    yield from (
        f"![]({target}) has no alt text"
        for target in re.findall(r"!\[\s*\]\(([^)]*)\)", notebook.prose)
    )


def table_heads(notebook: Notebook) -> Iterator[str]:
    """No table column in prose or in outputs has an empty header: a screen reader reads the header
    with every cell.
    """
    for text in [notebook.prose, *_shown(notebook)]:
        heads = re.findall(r"^(\|.*\|) *\n\|[ :|-]+\| *$", text, re.MULTILINE)
        yield from (
            f"the head {head} has an empty cell"
            for head in heads
            if re.search(r"\| *\|", head)
        )
        yield from (
            f"{empty} is an empty head"
            for empty in re.findall(r"<th\b[^>]*>\s*</th>", text)
        )


def no_chance_formula(notebook: Notebook) -> Iterator[str]:
    """No paragraph or text in an output has two dollar signs for money: JupyterLab turns the text
    between them into a formula, even after a backslash.
    """
    for paragraph in re.split(r"\n\s*\n", notebook.prose):
        text = re.sub(r"(`+).*?\1|\$\$.*?\$\$", "", paragraph, flags=re.DOTALL)
        if text.count("$") > 1:
            yield f"{paragraph[:60]!r} has two dollar signs; write dollars or cents"
    for html in _shown(notebook):
        if "mathjax_ignore" not in html:
            for text in re.findall(r">([^<]*)<", html):
                if text.count("$") > 1:
                    yield (
                        f"{text[:60]!r} in an output has two dollar signs; give its box the "
                        "class mathjax_ignore"
                    )


def links(notebook: Notebook) -> Iterator[str]:
    """A link to a file in the repository leads to a file that exists."""
    for target in re.findall(r"\]\(([^)\s]+)\)", notebook.prose):
        file = target.partition("#")[0]
        if (
            file
            and ":" not in file
            and not (notebook.path.parent / file).exists()
        ):
            yield f"the link to {file} leads nowhere"


NORMS: list[Norm] = [
    small,
    ids,
    metadata,
    short_cells,
    executed,
    checked,
    raising,
    seen_by_nbval,
    self_contained,
    no_key,
    of_no_machine,
    headings,
    predictions,
    alt_texts,
    table_heads,
    no_chance_formula,
    links,
]


def _name(cell: dict[str, Any]) -> str:
    return f"cell [{cell['execution_count']}]"


def _tags(cell: dict[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", []))


def nodes(cell: dict[str, Any], *kinds: type[ast.AST]) -> list[Any]:
    """A cell's syntax nodes of these kinds; none for a cell that is not meant to parse."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(cell["source"]))
    except SyntaxError:
        return []
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _readable(output: dict[str, Any]) -> dict[str, str]:
    """An output's texts, without pixels, which can spell anything."""
    data = {
        kind: "".join(value)
        for kind, value in output.get("data", {}).items()
        if kind.startswith("text/")
    }
    return {
        kind: re.sub(r"base64,[^\"']*", "", text) for kind, text in data.items()
    }


def _shown(notebook: Notebook) -> list[str]:
    """Each output that is HTML or Markdown."""
    data = [
        output.get("data", {})
        for cell in notebook.code
        for output in cell["outputs"]
    ]
    return [
        "".join(each[kind])
        for each in data
        for kind in ("text/html", "text/markdown")
        if kind in each
    ]


def _alt(image: str) -> bool:
    found = re.search(r"""\balt=(["'])(.*?)\1""", image)
    return bool(found and found[2].strip())
