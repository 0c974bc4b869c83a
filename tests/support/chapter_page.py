"""A notebook open in JupyterLab in a real browser, and what a learner does with it.

JupyterLab keeps only the cells near the visible area in the page. So the contents of a cell are
read from the notebook's model, and a cell is scrolled into view before anything in it is used.
"""

from __future__ import annotations

import ast
import symtable
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ElementHandle, Locator, Page

from support.lab_server import LabServer
from support.waiting import HANG, until

LOADING = RUNNING = 1000 * HANG  # milliseconds
WIDGET = "application/vnd.jupyter.widget-view+json"

CONTROLS = ':is([role="slider"], textarea, input[type="text"], select, button):not(:disabled)'

PANEL = "window.jupyterapp.shell.currentWidget"
SOON = """async (work, limit) => Promise.race([work, new Promise((_, fail) =>
  setTimeout(() => fail(new Error(`not done after ${limit} ms`)), limit))])"""
OPEN = f"""async path => {{ await ({SOON})(window.jupyterapp.commands.execute('docmanager:open',
  {{path, factory: 'Notebook'}}), {LOADING}); }}"""
CLOSE = f"""async () => {{ const panel = {PANEL}; await panel.sessionContext.shutdown(); panel.dispose(); }}"""
READY = f"""() => ({SOON})((async () => {{
  await {PANEL}.context.ready; await {PANEL}.sessionContext.ready; }})(), {LOADING})"""
RUN_ALL = f"() => ({SOON})(window.jupyterapp.commands.execute('notebook:run-all-cells'), {RUNNING})"
RUN = f"""index => {{ const cells = {PANEL}.content; cells.deselectAll(); cells.activeCellIndex = index;
  return ({SOON})(window.jupyterapp.commands.execute('notebook:run-cell'), {RUNNING}); }}"""
STATE = f"""() => JSON.stringify([{PANEL}.sessionContext.session.kernel.status,
  {PANEL}.content.widgets.map(cell => cell.model).filter(cell => cell.type === 'code')
    .map(cell => [cell.executionState, cell.outputs.length])])"""
CELLS = f"""() => {PANEL}.content.widgets.map(widget => widget.model).map(cell => ({{
  type: cell.type, source: cell.sharedModel.getSource(), tags: cell.getMetadata('tags') || [],
  outputs: cell.type === 'code' ? cell.outputs.toJSON() : [],
}}))"""
SCROLL_TO = (
    f"async index => {{ await {PANEL}.content.scrollToItem(index, 'start'); }}"
)
TOO_WIDE = """(area, parts) => [...area.querySelectorAll(parts)]
  .filter(part => part.getBoundingClientRect().right > area.getBoundingClientRect().right + 1)
  .map(part => part.outerHTML.slice(0, 80))"""
SHOWN = """area => { const copy = area.cloneNode(true);
  copy.querySelectorAll('.widget-slider, .widget-readout').forEach(part => part.remove()); return copy.innerHTML; }"""


def barriers(page: Page, area: str = "html") -> list[str]:
    """The barriers that axe finds in an area (a CSS selector): the rule and the element."""
    found = Axe().run(page, area)
    return [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


class ChapterPage:
    """``page`` is Playwright's; ``errors`` are the page's own; ``outside`` lists the addresses on
    other machines that it requested.
    """

    def __init__(self, page: Page, server: LabServer, path: str) -> None:
        self.page, self.path = page, path
        self.errors: list[str] = []
        self.outside: list[str] = []
        inside = (
            server.url,
            server.url.replace("http", "ws"),
            "data:",
            "blob:",
        )
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "request": lambda request: self._seen(request.url, inside),
            "websocket": lambda socket: self._seen(socket.url, inside),
            "pageerror": lambda error: self.errors.append(str(error)),
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)
        page.evaluate(OPEN, path)
        page.wait_for_function(f"!!{PANEL}?.context", timeout=LOADING)
        page.evaluate(READY)
        self._panel.locator(".jp-Cell").first.wait_for(timeout=LOADING)

    @property
    def _panel(self) -> Locator:
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")

    def close(self) -> None:
        """Shut the kernel down and close the notebook. JupyterLab stays open for the next one."""
        for event, listener in self._listeners.items():
            self.page.remove_listener(event, listener)
        self.page.evaluate(CLOSE)

    def run_all(self) -> None:
        """Run every cell."""
        self.page.evaluate(RUN_ALL)
        self._settle()

    def run(self, indexes: Iterable[int]) -> None:
        """Run the cells at these positions."""
        for index in indexes:
            self.page.evaluate(RUN, index)
        self._settle()

    def _settle(self) -> None:
        """The command ends with the last reply. Outputs may arrive a moment later, so wait until
        nothing changes.
        """
        before = ""
        while (
            now := str(self.page.evaluate(STATE))
        ) != before or not now.startswith('["idle"'):
            before = now
            self.page.wait_for_timeout(150)

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Every cell's current type, source, tags, and outputs in the browser."""
        return list(self.page.evaluate(CELLS))

    def failures(self) -> list[str]:
        """The errors of cells that are not tagged raises-exception, and the tagged cells without
        one.
        """
        found = []
        for number, cell in enumerate(
            cell for cell in self.cells if cell["type"] == "code"
        ):
            errors = [
                f"{o['ename']}: {o['evalue']}"
                for o in cell["outputs"]
                if o["output_type"] == "error"
            ]
            if "raises-exception" in cell["tags"]:
                errors = [] if errors else ["raised nothing"]
            found += [f"code cell {number}: {error}" for error in errors]
        return found

    def labs(self) -> list[int]:
        """The positions of the cells that show widgets."""
        return [
            i
            for i, cell in enumerate(self.cells)
            if any(WIDGET in o.get("data", {}) for o in cell["outputs"])
        ]

    def cell(self, index: int) -> Locator:
        """The cell at this position, scrolled to the top of the window and rendered."""
        self.page.evaluate(SCROLL_TO, index)
        found = self._panel.locator(
            f'.jp-Cell[data-windowed-list-index="{index}"]'
        )
        found.wait_for(state="visible")
        return found

    def type(self, index: int, source: str) -> None:
        """Type a source into the editor that has the focus, that of the cell at this position, and
        wait until the cell has it: the editor reads a moment later what was typed, and a cell that
        is run before that is empty.
        """
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        until(lambda: self.cells[index]["source"] == source)

    def controls(self, index: int) -> Locator:
        """The controls in the widgets of the cell at this position: sliders, text fields, menus,
        and buttons.
        """
        found = (
            self.cell(index).locator(".jp-Cell-outputArea").locator(CONTROLS)
        )
        found.first.wait_for(state="visible")
        return found

    def operate(
        self,
        index: int,
        control: Locator,
        keys: str = "",
        seconds: float = HANG,
    ) -> bool:
        """Operate a control by keyboard. Returns whether anything else in the cell's output changes
        within ``seconds``.
        """
        area = self.cell(index).locator(".jp-Cell-outputArea").element_handle()
        assert area is not None
        before = _shown(area)
        control.focus()
        for key in (keys or _keys(control)).split():
            self.page.keyboard.press(key)
        return soon(lambda: _shown(area) != before, seconds)

    def barriers(self, index: int) -> list[str]:
        """What axe finds in the output of the cell at this position."""
        self.cell(index)
        area = (
            f'.jp-Cell[data-windowed-list-index="{index}"] .jp-Cell-outputArea'
        )
        return barriers(
            self.page, f".jp-NotebookPanel:not(.lm-mod-hidden) {area}"
        )

    def cut_off(self, index: int, parts: str) -> list[str]:
        """Which of these parts (a CSS selector) in a cell's output are wider than the output, at
        1280 and at 800 pixels.
        """
        found = []
        for width in (1280, 800):
            self.page.set_viewport_size({"width": width, "height": 1000})
            self.page.wait_for_timeout(200)
            area = self.cell(index).locator(".jp-OutputArea-output").first
            assert area.locator(parts).count(), f"no {parts} in cell {index}"
            found += [
                f"{part} at {width}" for part in area.evaluate(TOO_WIDE, parts)
            ]
        return found

    def screenshots(self, folder: Path) -> list[Path]:
        """Take one picture per screenful, from the top to the end."""
        folder.mkdir(parents=True, exist_ok=True)
        window = self._panel.locator(".jp-WindowedPanel-outer").first
        window.evaluate("window => { window.scrollTop = 0; }")
        pictures: list[Path] = []
        top = -1.0
        while len(pictures) < 80:
            # rendering of what was scrolled into view
            self.page.wait_for_timeout(400)
            pictures.append(
                folder / f"{Path(self.path).stem}-{len(pictures) + 1:02}.png"
            )
            self.page.screenshot(path=pictures[-1])
            reached = window.evaluate(
                "w => { w.scrollTop += w.clientHeight * 0.9; return w.scrollTop; }"
            )
            if reached == top:
                break
            top = reached
        return pictures

    def _seen(self, url: str, inside: tuple[str, ...]) -> None:
        if not url.startswith(inside):
            self.outside.append(url)


def _keys(control: Locator) -> str:
    """The key that a learner would press on this control to change something."""
    tag = control.evaluate("element => element.tagName")
    # A closed menu does not get the arrow keys: JupyterLab uses them to go to the next cell.
    keys = {
        "TEXTAREA": "End x",
        "INPUT": "End x",
        "SELECT": "Space ArrowDown Enter",
        "BUTTON": "Enter",
    }
    return keys.get(tag, "ArrowRight")


def _shown(area: ElementHandle) -> str:
    return str(area.evaluate(SHOWN))


def soon(true: Callable[[], bool], seconds: float = HANG) -> bool:
    """Whether this becomes true within ``seconds``; only a hang takes as long as the default."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def cells_for(sources: list[str], wanted: Iterable[int]) -> list[int]:
    """The positions of the ``wanted`` cells and of the cells before them that last bind a name they
    use, in order.
    """
    wanted = set(wanted)
    used: set[str] = set()
    found = []
    for index in range(max(wanted, default=-1), -1, -1):
        bound, free = _names(sources[index])
        if index in wanted or bound & used:
            used = (used - bound) | free
            found.append(index)
    return found[::-1]


def _names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell binds, and the names it reads that must be bound before; empty if the
    cell is not Python.
    """
    try:
        cell = compile(
            source,
            "cell",
            "exec",
            ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
    except SyntaxError:
        return set(), set()
    bound: set[str] = set()
    free: set[str] = set()
    for statement in cell.body:
        table = symtable.symtable(ast.unparse(statement), "cell", "exec")
        own = {
            name.get_name()
            for name in table.get_symbols()
            if name.is_assigned() or name.is_imported()
        }
        # these read first; a loop binds first
        assigns = isinstance(statement, ast.Assign | ast.AugAssign)
        free |= _globals_read(table) - bound - (set() if assigns else own)
        bound |= own
    return bound, free


def _globals_read(table: symtable.SymbolTable) -> set[str]:
    read = {
        name.get_name()
        for name in table.get_symbols()
        if name.is_referenced() and name.is_global()
    }
    return read.union(*map(_globals_read, table.get_children()))
