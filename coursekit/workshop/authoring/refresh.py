"""``coursekit refresh``: run notebooks and store their outputs, so that a second run changes
nothing.

It stores only what a reader without a kernel can use and another machine would also store: no
times, no widget models, no paths of this machine. Any other output is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from ...foundation.files import write_if_changed
from .. import CommandError, notebooks_of, repository_or_error
from ..commands.environment import offline_environment
from .execution import CHANGED, execute, may_raise
from .readme import refresh_readme

SANITIZE = Path(__file__).parents[1] / "testing" / "sanitize.cfg"
KERNEL = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
# the metadata of a stored notebook
RUN_BY = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
WARNING = re.compile(r"^.*Warning: .*$", re.MULTILINE)
WIDGET = "application/vnd.jupyter.widget-view+json"  # shows a model that only a running kernel has


def refresh(names: Sequence[str]) -> int:
    """Refresh the named lessons, or all, and what README.md says about the course.

    Stops at the first notebook that cannot be stored; it is unchanged.
    """
    root = repository_or_error()
    for path in notebooks_of(root, names):
        changed = refresh_notebook(path)
        print(
            f"{path.parent.name}/{path.name}  {'refreshed' if changed else 'unchanged'}",
            flush=True,
        )
    if refresh_readme(root):
        print("README.md  refreshed")
    return 0


def refresh_notebook(path: Path) -> bool:
    """Run one notebook and store it. Returns whether its file changed. Raises CommandError and
    leaves the file unchanged.
    """
    executed = execute(path, offline_environment())
    return write_if_changed(
        path, stored_text(executed, f"{path.parent.name}/{path.name}")
    )


def stored_text(notebook: Any, where: str) -> str:
    """The file's text for an executed notebook. Raises CommandError if an output must not be
    stored.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata |= RUN_BY
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        place = f"{where}, cell [{cell.execution_count}]"
        if change := cell.metadata.pop(CHANGED, ""):
            raise CommandError(
                f"{place} removes output that it has shown, with {change}. `coursekit test` "
                "sees everything that was shown, and would reject the stored output. Print "
                "only the final state, or show what moves in a widget."
            )
        cell.outputs = [_stored(output, place) for output in cell.outputs]
        raised = any(output.output_type == "error" for output in cell.outputs)
        if may_raise(cell) and not raised:
            raise CommandError(
                f"{place} is tagged raises-exception but raised nothing. Remove the tag, or "
                "fix the cell."
            )
    return text_of(notebook)


def text_of(notebook: Any) -> str:
    """The text of a notebook's file."""
    return str(nbformat.writes(notebook)) + "\n"


def _stored(output: Any, place: str) -> Any:
    if output.output_type == "stream":
        warned = WARNING.search(output.text)
        if output.name == "stderr" and warned:
            raise CommandError(
                f"{place} warns, and a warning is not stored: {warned[0].strip()}  Fix its cause."
            )
        output.text = sanitized(output.text)
    elif output.output_type == "error":
        # A traceback's paths and line numbers differ from machine to machine: its last line is
        # kept.
        output.evalue = sanitized(output.evalue)
        output.traceback = [f"{output.ename}: {output.evalue}"]
    else:
        output.data.pop(WIDGET, None)
        if plain := output.data.get("text/plain"):
            output.data["text/plain"] = sanitized(plain)
    return output


def sanitized(text: str) -> str:
    """The text without what differs from run to run, which nbval replaces before it compares."""
    for pattern, replacement in _PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


_PATTERNS = re.findall(
    r"^regex: (.*)$\n^replace: (.*)$",
    SANITIZE.read_text(encoding="ascii"),
    re.MULTILINE,
)
