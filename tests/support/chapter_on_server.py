"""A chapter in live mode on some server: what each cell did, and whether a failure is the server's
fault or ours.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from coursekit.workshop.commands.environment import offline_environment

# Errors that say what this server, or its model, cannot do or does not have.
REFUSED = {
    "BadRequestError",
    "NotFoundError",
    "UnprocessableEntityError",
    "InternalServerError",
    "PermissionDeniedError",
}
LACKS = {
    "NoPrice",
    "UnknownTokenizer",
    "NotCountable",
    "ModelNotServed",
    "AssertionError",
}
ANSWER = {
    "UnusableReply",
    "NoReply",
    "NoRoom",
    "IncompleteStream",
    "JSONDecodeError",
    "ValidationError",
    "LengthFinishReasonError",
    "ContentFilterFinishReasonError",
}
NOT_WHOLE = "not whole: finish_reason"  # chapter 04's own reader


@dataclass(frozen=True)
class Cell:
    """A code cell's number, its result, and the error's first line.

    what  "runs", "refused" (by the server), "lacks" (said by coursekit), "answer" (this model's
          answer cannot be used), "follows" (it uses what a failed cell would have made), "slow",
          or "fails"
    """

    number: int
    what: str
    error: str = ""


def run_chapter(
    path: Path, environment: Mapping[str, str], seconds: int = 240
) -> list[Cell]:
    """Run a notebook to its end, giving each cell at most this many seconds."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        ),
        resources={"metadata": {"path": str(path.parent)}},
        timeout=seconds,
        allow_errors=True,
        store_widget_state=False,
        interrupt_on_timeout=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(env=dict(environment), cleanup_kc=True)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells: list[Cell] = []
    unmade: set[str] = set()
    for number, cell in enumerate(code, 1):
        errors = [
            output for output in cell.outputs if output.output_type == "error"
        ]
        if not errors or "raises-exception" in cell.metadata.get("tags", []):
            cells.append(Cell(number, "runs"))
            continue
        line = f"{errors[0].ename}: {errors[0].evalue}"
        made, used = _names(cell.source)
        said = (
            "UnusableReply"
            if errors[0].evalue.startswith(NOT_WHOLE)
            else errors[0].ename
        )
        cells.append(Cell(number, _kind(said, bool(unmade & used)), line[:300]))
        unmade |= made
    return cells


def _names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell's code assigns or fills (``bills[name] = …``), and the names that it
    reads.
    """
    made, used = set(), set()
    for node in ast.walk(
        compile(
            source,
            "cell",
            "exec",
            ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
    ):
        if isinstance(node, ast.Name):
            (made if isinstance(node.ctx, ast.Store) else used).add(node.id)
        target = node
        while isinstance(target, ast.Subscript | ast.Attribute):
            target = target.value
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store)
            and isinstance(target, ast.Name)
        ):
            made.add(target.id)
    return made, used


def _kind(name: str, follows: bool) -> str:
    for what, names in (
        ("refused", REFUSED),
        ("lacks", LACKS),
        ("answer", ANSWER),
        ("slow", {"KeyboardInterrupt"}),
    ):
        if name in names:
            return what
    return "follows" if follows else "fails"


def server_environment(
    url: str, model: str, key: str = "none"
) -> dict[str, str]:
    return offline_environment() | {
        "COURSEKIT_MODE": "live",
        "COURSEKIT_MODEL": model,
        "OPENAI_BASE_URL": url,
        "OPENAI_API_KEY": key,
        "NO_PROXY": "*",
    }


def counts(cells: list[Cell]) -> Counter[str]:
    return Counter(cell.what for cell in cells)
