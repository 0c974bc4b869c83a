"""coursekit lab: JupyterLab as the course starts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from coursekit.workshop.commands.lab import open_lab
from support.lab_server import LabServer, lab_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    home = tmp_path_factory.mktemp("home")
    root = home / "a course"
    (root / "notebooks").mkdir(parents=True)
    with lab_server(root, home) as running:
        yield running


def test_it_asks_for_its_token(server: LabServer) -> None:
    """Without the token, only the login page is served."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.get("/api/contents", token=False)
    refused.value.close()
    assert refused.value.code == 403
    assert (
        json.loads(server.get("/api/contents"))["content"][0]["path"]
        == "notebooks"
    )


def test_it_listens_on_this_machine_only(server: LabServer) -> None:
    """All sockets on which the server waits for connections are bound to 127.0.0.1."""
    sockets = psutil.Process(server.pid).net_connections(kind="tcp")
    listening = [
        each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_it_has_no_news_and_asks_for_no_updates(server: LabServer) -> None:
    """The page's settings keep JupyterLab from requesting news and updates."""
    name = urllib.parse.quote("@jupyterlab/apputils-extension:notification")
    said = json.loads(server.get(f"/lab/api/settings/{name}"))["schema"][
        "properties"
    ]
    assert said["fetchNews"]["default"] == "false"
    assert said["checkForUpdates"]["default"] is False
    assert json.loads(server.get("/lab/api/news"))["news"] == []
    assert json.loads(server.get("/lab/api/update"))["notification"] is None


def test_a_document_opens_to_be_read(server: LabServer) -> None:
    """The glossary opens as a page, not as its source."""
    name = urllib.parse.quote("@jupyterlab/docmanager-extension:plugin")
    said = json.loads(server.get(f"/lab/api/settings/{name}"))["schema"][
        "properties"
    ]
    assert said["defaultViewers"]["default"] == {"markdown": "Markdown Preview"}


def test_controls_of_labs_have_names(server: LabServer) -> None:
    """The page loads the extension that tells screen readers what a slider is for, and its script
    is served.
    """
    page = server.get("/lab").decode()
    assert (
        '"extension": "./extension", "load": "static/remoteEntry.js", "name": '
        '"coursekit-accessible"' in page
    )
    assert b"aria-labelledby" in server.get(
        "/lab/extensions/coursekit-accessible/static/remoteEntry.js"
    )


def test_it_opens_the_first_notebook(server: LabServer) -> None:
    """The address that is opened is that of 00_start_here."""
    log = server.root.parent.joinpath("lab.log").read_text()
    assert f"{server.url}/lab/tree/notebooks/00_start_here.ipynb?token=" in log


def test_arguments_are_jupyterlabs_own() -> None:
    """Arguments after `lab` are passed to JupyterLab."""
    command = [sys.executable, "-m", "coursekit", "lab", "--version"]
    said = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert said.stdout.startswith("4.")


def test_coursekit_is_a_command_inside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`coursekit` is found in JupyterLab's terminals and after "!" in a cell, whether or not .venv
    was activated.
    """
    monkeypatch.setattr(
        "coursekit.workshop.commands.lab.learners_copy", lambda *_: tmp_path
    )
    monkeypatch.chdir(tmp_path)
    for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH", "PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(
        "jupyterlab.labapp.LabApp.launch_instance", lambda more: None
    )
    open_lab([])
    assert Path(shutil.which("coursekit") or "").parent == Path(
        sysconfig.get_path("scripts")
    )
