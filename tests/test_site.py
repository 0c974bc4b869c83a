"""The course as web pages. Most of these tests need the extra ``site``, and the test of valid HTML
needs the Nu checker: VNU=path/to/vnu.jar.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import reading_site
from coursekit import course
from coursekit.workshop import notebooks_in
from reading_site import LIVE, SECTIONS, lay_out, readable
from support.site_pages import Site

ROOT = Path(__file__).parents[1]


def output(**data: str) -> str:
    return json.dumps(
        {
            "cells": [
                {
                    "outputs": [
                        {
                            "data": {
                                kind.replace("_", "/"): text
                                for kind, text in data.items()
                            }
                        }
                    ]
                }
            ]
        }
    )


def html_of(notebook: str) -> str:
    shown: Any = json.loads(notebook)["cells"][0]["outputs"][0]["data"][
        "text/html"
    ]
    return str(shown)


def test_a_page_says_where_a_lab_is_live() -> None:
    """A line above a lab's picture says how to use the lab in JupyterLab; no other output has such
    a line.
    """
    assert html_of(
        readable(
            output(
                text_plain="The lab (run the notebook to use it)",
                text_html="<b>1</b>",
            )
        )
    ) == (LIVE + "<b>1</b>")
    assert (
        html_of(readable(output(text_plain="a receipt", text_html="<b>1</b>")))
        == "<b>1</b>"
    )


def test_the_answer_to_a_prediction_is_folded() -> None:
    """Readers predict first on the site as well, so the output after a prediction is folded. Other
    outputs are open.
    """
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": ["**Predict.** How many?"],
        },
        {
            "cell_type": "code",
            "metadata": {},
            "source": ["1 + 1"],
            "outputs": [],
        },
        {"cell_type": "code", "metadata": {}, "source": ["2"], "outputs": []},
    ]
    read = json.loads(readable(json.dumps({"cells": cells})))["cells"]
    assert [cell["metadata"].get("tags") for cell in read] == [
        None,
        ["hide-output"],
        None,
    ]


def test_links_in_outputs_lead_to_pages() -> None:
    """A link to a notebook in a cell's output leads to the notebook's page; other addresses stay
    unchanged.
    """
    shown = '<a href="../exercises/01_basics.ipynb#a">1</a><a href="https://example.com/a.ipynb">2</a>'
    assert html_of(readable(output(text_html=shown))) == shown.replace(
        "01_basics.ipynb", "01_basics.html"
    )


def test_every_notebook_becomes_a_page_in_course_order(tmp_path: Path) -> None:
    """The site has a page for every notebook in the three folders, and each section lists its
    notebooks in course order.
    """
    lay_out(ROOT, tmp_path / "pages")
    for folder in SECTIONS:
        there = {path.name for path in notebooks_in(ROOT / folder)}
        assert {
            path.name for path in (tmp_path / "pages" / folder).glob("*.ipynb")
        } == there
        listed = (tmp_path / "pages" / folder / "index.md").read_text(
            encoding="utf-8"
        )
        places = [
            listed.index(f"<{lesson.stem}>")
            for lesson in course.lessons()
            if f"{lesson.stem}.ipynb" in there
        ]
        assert len(places) == len(there)
        assert places == sorted(places)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """If a folder is named, the site is built there only if the folder is new or empty; the refusal
    says so.
    """
    if find_spec("myst_nb") is None:
        pytest.skip("the extra site is not installed")
    (tmp_path / "mine").write_text("mine")
    ran = build(tmp_path)
    assert ran.returncode == 1
    assert "is not an empty folder" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def build(to: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(reading_site.__file__), "--to", str(to)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("myst_nb") is None:
        pytest.skip("the extra site is not installed")
    folder = tmp_path_factory.mktemp("site") / "html"
    ran = build(folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


@pytest.mark.site
def test_the_site_is_whole(built: Path) -> None:
    """Links and anchors lead somewhere, images have alternative text, headings are in order, and
    nothing is loaded from other sites.
    """
    site = Site(built)
    assert len(site.pages) > 3 * len(course.lessons()) - 4
    assert not site.problems()


@pytest.mark.site
def test_the_checks_of_the_site_see_what_is_wrong(tmp_path: Path) -> None:
    """For a page with one problem of each kind, each problem is reported."""
    (tmp_path / "a.css").write_text("@import url(https://example.com/font.css)")
    (tmp_path / "a.html").write_text(
        '<article><h1 id="x">1</h1><h3>2</h3><a href="b.html">1</a><a href="#y">2</a><a '
        'href="a.html#x">3</a>'
        '<img src="data:image/png;base64,"><script src="https://example.com/a.js"></script>'
        "<th>3</th><th> </th></article>"
    )
    assert [
        problem.partition(": ")[2] or problem
        for problem in Site(tmp_path).problems()
    ] == [
        "a leads to b.html, which is not there",
        "a leads to #y; there is no such place",
        '<img src="data:image/png;base64,"/> has no alternative text',
        "script loads https://example.com/a.js",
        "a heading skips a level: [1, 3]",
        "a table has an empty head, after '3'",
        "a.css loads url(https://example.com/font.css",
    ]


@pytest.mark.site
def test_the_html_is_valid(built: Path) -> None:
    """The Nu HTML checker, the W3C's own, finds no errors on any page."""
    checker = os.environ.get("VNU")
    if not checker or not shutil.which("java"):
        pytest.skip(
            "no Nu HTML checker: VNU=path/to/vnu.jar (npm install vnu-jar) and java"
        )
    command = [
        "java",
        "-jar",
        checker,
        "--errors-only",
        "--skip-non-html",
        "--format",
        "gnu",
        "--stdout",
        str(built),
    ]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
