"""Run a notebook from top to bottom in a fresh kernel of this Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)

from .. import CommandError

# a cell's metadata, never stored: how it takes back what it has shown
CHANGED = "coursekit_changed"
TAKES_BACK = {
    "clear_output": "clear_output()",
    "update_display_data": "an update of a display",
}


class Client(NotebookClient):
    """Notes in a cell's metadata where it takes back what it has shown. Nothing is noted of what
    goes into a widget.
    """

    def process_message(
        self, msg: dict[str, Any], cell: Any, cell_index: int
    ) -> Any:
        kind = msg["msg_type"]
        if (
            kind in TAKES_BACK
            and not self.output_hook_stack[msg["parent_header"].get("msg_id")]
        ):
            cell.metadata[CHANGED] = TAKES_BACK[kind]
        return super().process_message(msg, cell, cell_index)


def execute(
    path: Path,
    environment: Mapping[str, str],
    seconds_per_cell: int = 60,
    began: Callable[[int, int], None] | None = None,
    *,
    goes_on: bool = False,
) -> Any:
    """The notebook at ``path`` (an nbformat node) with new outputs; the file is unchanged.

    began    called as each code cell begins, with its number (from 1) and how many there are
    goes_on  True: the cells after one that fails run as well; see ``failed_cells``

    Raises CommandError, naming notebook and cell, if a cell fails that is not tagged
    ``raises-exception``.
    """
    notebook = nbformat.read(path, as_version=4)
    # no folders searched: only this Python's own kernel is left
    here = KernelSpecManager(kernel_dirs=[])
    client = Client(
        notebook,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=here),
        resources={"metadata": {"path": str(path.parent)}},
        timeout=seconds_per_cell,
        allow_errors=goes_on,
        interrupt_on_timeout=goes_on,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        # not each kernel's remark that loopback is not encrypted
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    number = 0

    def count(**_: Any) -> None:
        nonlocal number
        number += 1
        if began is not None:
            began(
                number, sum(cell.cell_type == "code" for cell in notebook.cells)
            )

    client.on_cell_execute = count
    where = f"{path.parent.name}/{path.name}"
    try:
        return client.execute(env=dict(environment), cleanup_kc=True)
    except CellExecutionError as error:
        raise CommandError(
            f"{where}, cell [{number}] failed: {error.ename}: {error.evalue}"
        ) from error
    except CellTimeoutError as error:
        raise CommandError(
            f"{where}, cell [{number}] did not end within {seconds_per_cell} s."
        ) from error
    except DeadKernelError as error:
        raise CommandError(
            f"{where}, cell [{number}] killed its kernel."
        ) from error


def failed_cells(notebook: Any) -> list[tuple[int, str]]:
    """The cells that failed without the tag ``raises-exception``: number (from 1) and error."""
    failed = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        if "raises-exception" in cell.metadata.get("tags", []):
            continue
        errors = [
            output for output in cell.outputs if output.output_type == "error"
        ]
        failed += [
            (number, f"{error.ename}: {error.evalue}") for error in errors
        ]
    return failed
