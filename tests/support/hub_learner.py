"""A learner on the hub, as their browser acts: forms, cookies, XSRF tokens, JupyterLab's requests,
and kernel channels.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2
import nbformat
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

PATIENCE = 180.0  # seconds for a server's start and for one cell


class Refused(Exception):
    """The hub or a server did not return what was requested."""


@dataclass
class Learner:
    """One name and one password for the hub at ``url``. Close with ``await learner.close()``."""

    url: str
    name: str
    password: str
    http: httpx2.AsyncClient = field(init=False)
    kernels: list[Kernel] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = httpx2.AsyncClient(
            base_url=self.url,
            follow_redirects=True,
            timeout=60.0,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the browser. The server and the kernels keep running."""
        for kernel in self.kernels:
            await kernel.close()
        await self.http.aclose()

    async def log_in(self) -> None:
        """Fill in the form, which has the XSRF token in a hidden field. Raises Refused."""
        page = await self.http.get("/hub/login")
        hidden = re.search(r'name="_xsrf"\s+value="([^"]+)"', page.text)
        assert hidden, page.text[:500]
        form = {
            "username": self.name,
            "password": self.password,
            "_xsrf": hidden[1],
        }
        answer = await self.http.post(
            "/hub/login", data=form, follow_redirects=False
        )
        if answer.status_code != 302:
            raise Refused(f"{answer.status_code} at login")

    async def start(self) -> float:
        """Start the server, wait for it, and open JupyterLab. Returns the seconds until JupyterLab
        answered. Raises Refused.

        The hub notices after a while that a server has died. Until then, the learner clicks again.
        """
        began = time.monotonic()
        while True:
            await self.http.get("/hub/spawn")
            page = await self.http.get(
                f"/user/{self.name}/lab/tree/notebooks/00_start_here.ipynb"
            )
            if page.status_code == 200 and page.url.path.startswith(
                f"/user/{self.name}/"
            ):
                assert "jupyter-config-data" in page.text, page.text[:500]
                return time.monotonic() - began
            if time.monotonic() - began > PATIENCE:
                raise Refused(
                    f"no server for {self.name}: {page.status_code} {page.url}"
                )
            await asyncio.sleep(0.5)

    def _token(self) -> str:
        """The XSRF token that the server set for its own path, as JupyterLab's script reads it."""
        for cookie in self.http.cookies.jar:
            if cookie.name == "_xsrf" and cookie.path == f"/user/{self.name}/":
                return str(cookie.value)
        raise Refused("no XSRF cookie of the own server")

    async def api(
        self, method: str, path: str, body: Any = None, *, of: str = ""
    ) -> httpx2.Response:
        """Send one of JupyterLab's requests, to the learner's own server or to the server ``of``
        somebody else.
        """
        headers = {"X-XSRFToken": self._token()}
        return await self.http.request(
            method,
            f"/user/{of or self.name}/api/{path}",
            json=body,
            headers=headers,
        )

    async def read(self, path: str) -> Any:
        """One of the learner's notebooks, as an nbformat node."""
        answer = await self.api("GET", f"contents/{path}?content=1")
        answer.raise_for_status()
        return nbformat.from_dict(answer.json()["content"])

    async def save(self, path: str, notebook: Any) -> httpx2.Response:
        return await self.api(
            "PUT", f"contents/{path}", {"type": "notebook", "content": notebook}
        )

    async def open_kernel(self, path: str) -> Kernel:
        """A session for a notebook, and its kernel's channel."""
        answer = await self.api(
            "POST",
            "sessions",
            {
                "path": path,
                "type": "notebook",
                "name": "",
                "kernel": {"name": "python3"},
            },
        )
        if answer.status_code != 201:
            raise Refused(
                f"{answer.status_code} for a session: {answer.text[:300]}"
            )
        return await self.connect(answer.json()["kernel"]["id"])

    async def connect(self, kernel: str) -> Kernel:
        """The channel of a running kernel. Like a browser, it sends cookies and the page's
        origin.
        """
        session = uuid.uuid4().hex
        path = f"/user/{self.name}/api/kernels/{kernel}/channels?session_id={session}&_xsrf={quote(self._token())}"
        headers = {"Cookie": self._cookies(path), "Origin": self.url}
        request = HTTPRequest(
            self.url.replace("http", "ws", 1) + path, headers=headers
        )
        self.kernels.append(
            Kernel(
                kernel,
                session,
                await websocket_connect(request, max_message_size=2**28),
            )
        )
        return self.kernels[-1]

    def _cookies(self, path: str) -> str:
        fits = [
            cookie
            for cookie in self.http.cookies.jar
            if path.startswith(cookie.path)
        ]
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in fits)

    async def run(self, path: str) -> list[str]:
        """Open a notebook, run every cell in its kernel, and save it. Returns the errors that the
        author did not expect.
        """
        notebook = await self.read(path)
        kernel = await self.open_kernel(path)
        errors = []
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = await kernel.execute(cell.source)
                if "raises-exception" not in cell.metadata.get("tags", []):
                    errors += [
                        f"{out.ename}: {out.evalue}"
                        for out in cell.outputs
                        if out.output_type == "error"
                    ]
        (await self.save(path, notebook)).raise_for_status()
        await kernel.close()
        return errors


@dataclass
class Kernel:
    """A kernel's channel."""

    id: str
    session: str
    channel: WebSocketClientConnection
    closed: bool = False

    async def execute(self, code: str) -> list[Any]:
        """Run code. Returns its outputs as nbformat nodes. Raises Refused if the channel ends."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": "execute_request",
            "session": self.session,
            "username": "",
            "version": "5.3",
            "date": "",
        }
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "allow_stdin": False,
            "stop_on_error": True,
        }
        message = {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        await self.channel.write_message(json.dumps(message))
        outputs: list[Any] = []
        idle = replied = False
        while not (idle and replied):
            raw = await asyncio.wait_for(self.channel.read_message(), PATIENCE)
            if raw is None:
                raise Refused("the channel to the kernel was closed")
            if isinstance(raw, bytes):
                continue  # a widget's picture
            said = json.loads(raw)
            if said["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind = said["msg_type"]
            replied |= kind == "execute_reply"
            idle |= (
                kind == "status"
                and said["content"]["execution_state"] == "idle"
            )
            if kind in {"stream", "display_data", "execute_result", "error"}:
                outputs.append(
                    nbformat.v4.output_from_msg(nbformat.from_dict(said))
                )
        return outputs

    async def close(self) -> None:
        """Close the channel, and wait for the other side to close it as well. Closing it again does
        nothing.
        """
        if not self.closed:
            self.closed = True
            self.channel.close()
            while await self.channel.read_message() is not None:
                pass

    async def text(self, code: str) -> str:
        """What the code prints or raises."""
        outputs = await self.execute(code)
        return "".join(
            out.get("text") or f"{out.get('ename')}: {out.get('evalue')}"
            for out in outputs
        )
