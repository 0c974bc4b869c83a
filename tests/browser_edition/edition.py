"""The browser edition, served on this machine and tested in a browser that can reach nothing
else.
"""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request

# No name is resolved, so a request to another machine fails. (Playwright's routes would bypass the service worker.)
ONLY_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
READY = 120_000  # milliseconds for the page and its kernel on a busy machine
# Opens a notebook, sets its kernel's environment, and runs its code cells one by one, so that an
# error does not stop the cells after it. Returns the notebook with its outputs, and the seconds
# until the kernel was ready.
RUN = """async ([path, environment]) => {
    const app = window.jupyterapp;
    const within = (seconds, done, what) => Promise.race([done, new Promise((_, stop) =>
        setTimeout(() => stop(new Error(`not done within ${seconds} s: ${what}`)), seconds * 1000))]);
    await app.started;
    const began = performance.now();
    const panel = await app.commands.execute('docmanager:open', {path, factory: 'Notebook'});
    await panel.context.ready;
    await panel.sessionContext.ready;
    const kernel = panel.sessionContext.session.kernel;
    const code = 'import os; os.environ.update(' + JSON.stringify(environment) + ')';
    await within(300, kernel.requestExecute({code}).done, 'kernel');
    const ready = performance.now();
    const cells = panel.content.model.cells;
    try {
        for (let index = 0; index < cells.length; index++) {
            if (cells.get(index).type !== 'code') continue;
            panel.content.activeCellIndex = index;
            await within(300, app.commands.execute('notebook:run-cell'), index);
        }
        const ran = performance.now();
        const notebook = panel.content.model.toJSON();
        return {notebook, ready: (ready - began) / 1000, ran: (ran - ready) / 1000};
    } finally {
        await panel.context.save();
        await panel.sessionContext.shutdown();
        await app.commands.execute('application:close-all');
    }
}"""

# A new kernel for the code, in the chapters' folder.
START = """async () => {
    const app = window.jupyterapp;
    await app.started;
    window.session = await app.serviceManager.sessions.startNew(
        {path: 'notebooks/printed.ipynb', name: 'printed', type: 'notebook', kernel: {name: 'python'}});
}"""
# What the code prints in that kernel, or its traceback.
PRINTED = """async (code) => {
    const future = window.session.kernel.requestExecute({code});
    let shown = '';
    future.onIOPub = ({content}) => { shown += content.text ?? (content.traceback ?? []).join('\\n'); };
    await future.done;
    return shown;
}"""
STOP = "() => window.session.shutdown()"


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
    """The address of a server for the folder's files, reachable only from this machine."""
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
    """JupyterLite at an address, on one page in a browser; ``elsewhere`` lists requests to other
    addresses.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.address, self.elsewhere = address, list[str]()
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 800}
        )
        self.context.on("request", self._note)
        self.page: Page = self.context.new_page()

    def open(self, path: str = "") -> None:
        """Open JupyterLite, or a notebook in it."""
        self.page.goto(
            f"{self.address}/lab/index.html" + (f"?path={path}" if path else "")
        )
        self.page.wait_for_selector("#jp-main-dock-panel", timeout=READY)
        self.page.wait_for_function(
            "navigator.serviceWorker.controller !== null", timeout=READY
        )

    def run(self, path: str, environment: Mapping[str, str]) -> dict[str, Any]:
        """Run a notebook. Returns ``notebook`` (as JSON), and ``ready`` and ``ran`` in seconds."""
        result: dict[str, Any] = self.page.evaluate(
            RUN, [path, dict(environment)]
        )
        return result

    def printed(self, code: str) -> str:
        """What code prints in a new kernel in the chapters' folder."""
        with self.kernel() as printed:
            return printed(code)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[str], str]]:
        """A new kernel. When it is called with code, it returns what the code prints."""
        self.page.evaluate(START)
        try:
            yield lambda code: self.page.evaluate(PRINTED, code)
        finally:
            self.page.evaluate(STOP)

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)
