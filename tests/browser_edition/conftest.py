"""One build of the browser edition, and one browser, for all of its tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from browser.conftest import FLAGS
from browser_edition.edition import ONLY_HERE, Edition, served
from coursekit.workshop import CommandError
from coursekit.workshop.authoring.chromium import chromium
from running_site import jupyterlite

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "PYODIDE_DISTRIBUTION"  # a folder with Pyodide's distribution, for machines without a network


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the site's JupyterLite. Skips the tests if something is not available here."""
    if find_spec("jupyterlite_pyodide_kernel") is None:
        pytest.skip("the extra browser is not installed")
    folder = tmp_path_factory.mktemp("browser_edition") / "run"
    given = os.environ.get(DISTRIBUTION)
    try:
        jupyterlite(ROOT, folder, Path(given) if given else None)
    except CommandError as error:
        pytest.skip(f"{error} ({DISTRIBUTION}=FOLDER names one for the tests)")
    with served(folder) as address:
        yield address


@pytest.fixture(scope="package")
def edition(site: str) -> Iterator[Edition]:
    """The edition as a first-time visitor sees it, in a browser that can reach nothing else.

    All tests share one page, and each of them starts its own kernel.
    """
    program = chromium()
    if program is None:
        pytest.skip("no chromium (name one with CHROMIUM=)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(program), args=[*FLAGS, ONLY_HERE]
        )
        edition = Edition(browser, site)
        edition.open()
        yield edition
        assert edition.elsewhere == []
        browser.close()
