"""The course in a browser. Needs the extra ``browser``, Chromium, and Pyodide's distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile, coalesce_streams

from browser_edition.edition import READY, Edition
from coursekit.course import lessons

pytestmark = [pytest.mark.browser_edition, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
# The settings of the other notebook tests' kernels.
ENVIRONMENT = {"COURSEKIT_SPEED": "instant", "COURSEKIT_PROGRESS": "off"}
NOTEBOOKS = [
    f"{folder}/{lesson.stem}"
    for folder in ("notebooks", "solutions")
    for lesson in lessons()
    if (ROOT / folder / f"{lesson.stem}.ipynb").is_file()
]
ENDLESS = """
from coursekit.checks.engine.running import run
def endless():
    while True:
        pass
async def endless_task():
    import asyncio
    while True:
        await asyncio.sleep(1)
print([run(endless, seconds=0.5).endless, run(endless_task, awaits=True, seconds=0.5).endless])
"""


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_gives_the_committed_output(
    name: str, edition: Edition, request: pytest.FixtureRequest
) -> None:
    """All cells run in a browser, in order, and their outputs match the committed ones by nbval's
    own rules.
    """
    path = ROOT / f"{name}.ipynb"
    ran = edition.run(f"{name}.ipynb", ENVIRONMENT)["notebook"]
    outputs = {
        cell["id"]: nbformat.from_dict(cell.get("outputs", []))
        for cell in ran["cells"]
    }
    different = []
    for item in cells_of(path, request):
        expected = coalesce_streams(item.cell.outputs)
        shown = coalesce_streams(outputs[item.cell.id])
        if item.options["check"] and not item.compare_outputs(shown, expected):
            first = item.cell.source.splitlines()[0]
            different.append(
                "\n".join(
                    [f"{item.cell.id}: {first}", *item.comparison_traceback]
                )
            )
    assert not different, "\n\n".join(different)


def cells_of(path: Path, request: pytest.FixtureRequest) -> list[IPyNbCell]:
    """A notebook's code cells as nbval's items, with this repository's rules."""
    file: Any = IPyNbFile.from_parent(request.session, path=path)
    cells = list(file.collect())
    file.setup_sanitize_files()
    # Pyodide's Matplotlib uses another version of its font library, so alternative texts are
    # compared, but pixels are not.
    file.sanitize_patterns["base64,[A-Za-z0-9+/=]+"] = "base64,PIXELS"
    return cells


def test_the_front_page_opens_the_first_notebook(edition: Edition) -> None:
    """Without a path, a visitor gets chapter 00, which says that Python is loading until it is
    ready.
    """
    page = edition.context.new_page()
    page.goto(f"{edition.address}/index.html")
    page.wait_for_url("**/lab/index.html?path=notebooks/00_start_here.ipynb")
    loading = page.get_by_text("Python is loading.")
    loading.wait_for(timeout=READY)
    loading.wait_for(state="hidden", timeout=READY)
    page.close()


def test_an_endless_loop_ends(edition: Edition) -> None:
    """A check stops an endless function and an endless task, even though a page has no threads."""
    assert edition.printed(ENDLESS) == "[True, True]\n"


def test_work_is_kept_and_can_be_downloaded(edition: Edition) -> None:
    """A changed notebook is still there after the page is reloaded. One ZIP file contains it and
    the passed checks.
    """
    edition.printed(
        "from coursekit import progress; from pathlib import Path\n"
        "Path('/drive/notebooks/mine.ipynb').write_text('{}')\n"
        "print(progress.place())"
    )
    edition.open()
    code = "from coursekit.workshop.commands.download import download_work; print(*download_work().files)"
    files = edition.printed(code).split()
    assert {"notebooks/mine.ipynb", "notebooks/00_start_here.ipynb"} <= set(
        files
    )


def test_what_a_page_cannot_do_says_so(edition: Edition) -> None:
    """Live mode is not available, and the message says why and what to do."""
    shown = edition.printed(
        "from coursekit import connect\ntry:\n    connect('live', api_key='k')\nexcept RuntimeError as error:\n"
        "    print(error)"
    )
    assert shown.startswith(
        "Live and record mode are not available in the browser edition"
    )


def test_what_was_loaded_needs_no_network(edition: Edition) -> None:
    """Once coursekit is loaded, charts and labs load even if the network is lost."""
    with edition.kernel() as printed:
        fetched = printed(
            "import sys\nfrom coursekit.foundation import platform\n"
            "await platform.FETCHING\nprint('matplotlib' in sys.modules)"
        )
        edition.context.set_offline(True)
        try:
            shown = printed(
                "from coursekit.charts import basics\nimport ipywidgets, matplotlib\n"
                "print(matplotlib.__name__, ipywidgets.__name__)"
            )
        finally:
            edition.context.set_offline(False)
    assert [fetched, shown] == ["False\n", "matplotlib ipywidgets\n"]


def test_the_doctor_finds_nothing_missing(edition: Edition) -> None:
    """The doctor finds packages that are loaded only when they are imported."""
    shown = edition.printed(
        "from coursekit.workshop.commands.doctor import checks, summary\nprint(summary(checks()))"
    )
    assert "FIX" not in shown
    assert "packages" in shown
