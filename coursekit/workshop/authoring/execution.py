"""Run a notebook from top to bottom in a fresh kernel of this Python."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import traitlets
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import (
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)

from .. import CommandError

LOOK = 0.5  # seconds between two looks at a cell that is running
# a cell's metadata, never stored: how it removed output; the limit, if that ended it
CHANGED, OVER = "coursekit_changed", "coursekit_over"
TAKES_BACK = {
    "clear_output": "clear_output()",
    "update_display_data": "an update of a display",
}


class Client(NotebookClient):
    """Notes in a cell's metadata that it removes output it has shown (except inside a widget), and
    ends a cell that makes no progress.

    seconds       that a cell may run without progress
    progress      returns something that changes when a cell makes progress; None: it is not watched
    allow_errors  True: a cell over its limit is interrupted. If False, or if the cell ignores that:
                  CellTimeoutError
    """

    seconds = traitlets.Float()
    progress = traitlets.Any()

    async def async_execute_cell(
        self, cell: Any, cell_index: int, *args: Any, **options: Any
    ) -> Any:
        run = asyncio.ensure_future(
            super().async_execute_cell(cell, cell_index, *args, **options)
        )
        with contextlib.suppress(RuntimeError, NotImplementedError):
            # nbclient's own handler ends the kernel twice, and the reason is lost
            this = asyncio.current_task()
            assert this is not None
            asyncio.get_running_loop().add_signal_handler(
                signal.SIGINT, this.cancel
            )
        try:
            while True:
                await self._while_progressing(run)
                if run.done():
                    return await run
                if not self.allow_errors or OVER in cell.metadata:
                    # a kernel that is busy does not read a request to end
                    self.shutdown_kernel = "immediate"
                    raise CellTimeoutError
                cell.metadata[OVER] = self.seconds
                assert self.km is not None
                await ensure_async(self.km.interrupt_kernel())
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    async def _while_progressing(self, run: asyncio.Future[Any]) -> None:
        """Return when the cell has run to its end, or is over its limit."""
        before, since = None, time.monotonic()
        while not run.done():
            now = self.progress() if self.progress else before
            if now != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > self.seconds:
                return
            await asyncio.wait([run], timeout=LOOK)

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
    seconds: float = 60.0,
    began: Callable[[int, int], None] | None = None,
    *,
    progress: Callable[[], object] | None = None,
    goes_on: bool = False,
) -> Any:
    """The notebook at ``path`` (an nbformat node) with new outputs; the file is unchanged.

    seconds   that a cell may take; with ``progress``, since that last changed
    began     called as each code cell begins, with its number (from 1) and how many there are
    progress  returns something that changes when a cell makes progress, such as a count of answers
    goes_on   True: the cells after a failed one run as well; see ``failed_cells``

    Raises CommandError, naming notebook and cell, if a cell without the tag ``raises-exception``
    fails; KeyboardInterrupt at Ctrl-C, with the kernel ended.
    """
    notebook = nbformat.read(path, as_version=4)
    # no folders searched: only this Python's own kernel is left
    here = KernelSpecManager(kernel_dirs=[])
    client = Client(
        notebook,
        seconds=seconds,
        progress=progress,
        timeout=None,
        allow_errors=goes_on,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=here),
        resources={"metadata": {"path": str(path.parent)}},
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
            f"{where}, cell [{number}] {over(seconds, progress is not None)}"
        ) from error
    except asyncio.CancelledError as error:
        raise KeyboardInterrupt from error
    except DeadKernelError as error:
        raise CommandError(
            f"{where}, cell [{number}] killed its kernel."
        ) from error


def over(seconds: float, progress: bool) -> str:
    """What happened to a cell that was over its limit, and what to do."""
    if progress:
        return (
            f"had no new answer for {seconds:g} s. If the model or the machine is slow, run the "
            "command again later; else find out what the cell is waiting for."
        )
    return (
        f"did not end within {seconds:g} s. Run it in JupyterLab to see what it is waiting for: a "
        "recording's times (speed=), input(), or a loop."
    )


def failed_cells(notebook: Any) -> list[tuple[int, str]]:
    """The cells that failed without the tag ``raises-exception``, or were over their limit of
    progress: number (from 1) and error.
    """
    failed = []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        if OVER in cell.metadata:
            failed.append((number, over(cell.metadata[OVER], progress=True)))
        elif not may_raise(cell):
            failed += [
                (number, f"{output.ename}: {output.evalue}")
                for output in cell.outputs
                if output.output_type == "error"
            ]
    return failed


def may_raise(cell: Any) -> bool:
    """Whether a cell is tagged as one that raises an exception."""
    return "raises-exception" in cell.metadata.get("tags", [])
