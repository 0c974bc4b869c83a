"""The browser edition, served on this machine and driven in a browser that reaches nothing else."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

READY = 120_000  # milliseconds for the page and its kernel on a busy machine
# Opens a notebook, sets the environment of its kernel, and runs its code cells one by one, so that an error stops
# none of those after it. Returns the notebook as it then is, and the seconds until the kernel was ready.
RUN = """async ([path, environment]) => {
    const app = window.jupyterapp;
    await app.started;
    const began = performance.now();
    const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.sessionContext.ready;
    const kernel = panel.sessionContext.session.kernel;
    const code = 'import os; os.environ.update(' + JSON.stringify(environment) + ')';
    await kernel.requestExecute({code}).done;
    const ready = performance.now();
    const cells = panel.content.model.cells;
    for (let index = 0; index < cells.length; index++) {
        if (cells.get(index).type !== 'code') continue;
        panel.content.activeCellIndex = index;
        await app.commands.execute('notebook:run-cell');
    }
    const ran = performance.now();
    const notebook = panel.content.model.toJSON();
    await panel.context.save();
    await panel.sessionContext.shutdown();
    await app.commands.execute('application:close-all');
    return {notebook, ready: (ready - began) / 1000, ran: (ran - ready) / 1000};
}"""


class Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  as the class defines it
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".whl": "application/zip",
    }

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of the folder's files, on this machine only."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Edition:
    """JupyterLite at an address, in one page of a browser; ``blocked`` are requests elsewhere."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.address, self.blocked = address, list[str]()
        self.context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.context.route("**/*", self._only_here)
        self.page: Page = self.context.new_page()

    def open(self, path: str = "") -> None:
        """Open JupyterLite, or a notebook in it."""
        self.page.goto(
            f"{self.address}/lab/index.html" + (f"?path={path}" if path else "")
        )
        self.page.wait_for_selector("#jp-main-dock-panel", timeout=READY)

    def run(self, path: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Run a notebook: ``notebook`` (as JSON), ``ready`` and ``ran``, in seconds."""
        result: dict[str, Any] = self.page.evaluate(RUN, [path, dict(environment)])
        return result

    def _only_here(self, route: Route) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.blocked.append(route.request.url)
            route.abort()
