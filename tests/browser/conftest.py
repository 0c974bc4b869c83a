"""JupyterLab as `coursekit lab` starts it, in Debian's Chromium or any other.

SCREENSHOTS=FOLDER saves a picture of every screenful; CHROMIUM=PROGRAM names the browser.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from coursekit.workshop.authoring.chromium import chromium
from support.chapter_page import LOADING, ChapterPage
from support.lab_server import LabServer, lab_server
from support.waiting import HANG

ROOT = Path(__file__).parents[2]
expect.set_options(timeout=1000 * HANG)
# A sandbox needs privileges that a container does not have. The other options turn off Chromium's
# background work.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-sync",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(600))
            if chromium() is None:
                item.add_marker(
                    pytest.mark.skip(
                        reason="no chromium (name one with CHROMIUM=)"
                    )
                )


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab with a copy of the notebooks, so that running and saving them changes nothing
    here.
    """
    home = tmp_path_factory.mktemp("lab")
    root = home / "course"
    for folder in ("notebooks", "solutions", "exercises"):
        (root / folder).mkdir(parents=True)
        for notebook in (ROOT / folder).glob("*.ipynb"):
            shutil.copy(notebook, root / folder)
    with lab_server(root, home, warm=True) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all modules in this package that a worker runs. While it runs, asyncio.run()
    fails in every test in its process, so it ends with the package.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def jupyterlab(lab: LabServer, browser: Browser) -> Page:
    """JupyterLab, loaded only once, because loading takes longer than most tests."""
    page = browser.new_page()
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_function("!!window.jupyterapp", timeout=LOADING)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
    )
    return page


@pytest.fixture
def open_chapter(
    lab: LabServer, jupyterlab: Page
) -> Iterator[Callable[..., ChapterPage]]:
    """open_chapter(stem, width=1280, folder="notebooks") -> ChapterPage, in front of those that the
    test has already opened.

    If SCREENSHOTS is set, pictures of the page in front are taken at the end.
    """
    pages: list[ChapterPage] = []

    def open_one(
        stem: str, width: int = 1280, folder: str = "notebooks"
    ) -> ChapterPage:
        jupyterlab.set_viewport_size({"width": width, "height": 1000})
        pages.append(ChapterPage(jupyterlab, lab, f"{folder}/{stem}.ipynb"))
        return pages[-1]

    yield open_one
    for page in reversed(pages):
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshots(Path(folder))
        page.close()
