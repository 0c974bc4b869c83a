"""``make site``: the course as web pages, to read without installing anything.

The pages are copied to a separate folder with the repository's layout, so that links between
notebooks still work, and are built there by Sphinx with MyST-NB. No cells are run: the pages show
the committed outputs. A broken link is an error. The configuration is in .github/site/conf.py, and
the ``site`` extra installs the tools.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from coursekit.course import lessons
from coursekit.workshop import CommandError, notebooks_in

ROOT = Path(__file__).parents[2]
HTML = ROOT / "build" / "site"  # ignored by git
CONFIGURATION = Path(".github", "site")
PREDICT = re.compile(r"^\*\*Predict\.\*\*", re.MULTILINE)
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)")
LIVE = (
    '<p class="only-live">This is a picture of a live lab. To use the lab in JupyterLab, run '
    "<code>make lab</code>, and then run this cell.</p>"
)
RUN = (
    '<p class="run-here"><a href="{}/lab/index.html?path={}">Run this notebook here, in your '
    "browser</a>. There is nothing to install.</p>"
)
SECTIONS = {  # for each folder, its heading and what it contains
    "notebooks": ("Chapters", "In order, with the outputs of every cell."),
    "exercises": (
        "Exercises",
        "Functions to write. You can read them here; in JupyterLab, checks tell you what is right.",
    ),
    "solutions": (
        "Solutions",
        "The exercises, solved. Try them first: each check has three hints.",
    ),
}


def site(to: str | None = None, runs: str | None = None) -> int:
    """Build the site in the new or empty folder ``to`` (default: build/site, which is replaced).
    Returns the exit code.

    runs  the site's folder with the browser edition, where each notebook can be run

    Raises CommandError if the extra ``site`` is not installed or the folder is not empty.
    """
    built = Path(to) if to else HTML
    if find_spec("myst_nb") is None or find_spec("pydata_sphinx_theme") is None:
        raise CommandError(
            "The site's tools are not installed. Run `make site`, or: pip install -e '.[site]'"
        )
    if to is None:
        shutil.rmtree(built, ignore_errors=True)
    elif built.exists() and (not built.is_dir() or any(built.iterdir())):
        raise CommandError(
            f"{built} is not an empty folder. Nothing was overwritten; name a new folder."
        )
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as place:
        pages = Path(place, "pages")
        lay_out(ROOT, pages, runs)
        code: int = build_main(
            [
                "--quiet",
                "--fail-on-warning",
                "--keep-going",
                "-d",
                f"{place}/read",
                f"{pages}",
                f"{built}",
            ]
        )
    if code == 0:
        # a template from the theme, not a page
        (built / "_static" / "webpack-macros.html").unlink(missing_ok=True)
        print(f"The site is built: open {built / 'index.html'} in a browser.")
    return code


def lay_out(root: Path, pages: Path, runs: str | None = None) -> None:
    """Write the pages of the repository at ``root`` and their configuration into the new folder
    ``pages``.
    """
    (pages / "static").mkdir(parents=True)
    shutil.copy(root / CONFIGURATION / "conf.py", pages)
    shutil.copy(root / CONFIGURATION / "site.css", pages / "static")
    for folder, (heading, contents) in SECTIONS.items():
        (pages / folder).mkdir()
        for notebook in notebooks_in(root / folder):
            run = runs and RUN.format(f"../{runs}", f"{folder}/{notebook.name}")
            (pages / folder / notebook.name).write_text(
                readable(notebook.read_text(encoding="utf-8"), run), "utf-8"
            )
        here = [
            f"{lesson.number:02} {lesson.title} <{lesson.stem}>"
            for lesson in lessons()
            if (root / folder / f"{lesson.stem}.ipynb").is_file()
        ]
        (pages / folder / "index.md").write_text(
            f"# {heading}\n\n{contents}\n{_contents(here)}", "utf-8"
        )
    documents = {root / "README.md": pages / "index.md"}
    for folder, name in (
        ("notebooks", "notebooks"),
        ("deploy", "deploy"),
        ("deploy/browser", "deploy/browser"),
        (".github", "authors"),
    ):
        found = sorted(
            (root / folder).glob("*.md"),
            key=lambda page: (page.stem != "README", page.stem),
        )
        documents |= {page: pages / name / page.name for page in found}
    for page, target in documents.items():
        _copy_document(root, page, pages, target)
    more = [
        page.relative_to(pages).with_suffix("").as_posix()
        for page in documents.values()
    ][1:]
    with (pages / "index.md").open("a", encoding="utf-8") as front:
        front.write(
            _contents(
                [f"{folder}/index" for folder in SECTIONS] + more, ":hidden:\n"
            )
        )


def readable(notebook: str, run: str | None = None) -> str:
    """Return a notebook's JSON, adapted for a page: a line above a lab's output says where the lab
    is live, links lead to pages, and the output that answers a Predict is folded. If ``run`` is
    given, this HTML paragraph with a link is below the title.
    """
    read: dict[str, Any] = json.loads(notebook)
    for asks, cell in pairwise([{}, *read["cells"]]):
        if cell.get("cell_type") == "code" and PREDICT.search(
            "".join(asks.get("source", ""))
        ):
            cell["metadata"].setdefault("tags", []).append("hide-output")
    if run:
        link = {
            "cell_type": "markdown",
            "id": "run-here",
            "metadata": {},
            "source": run,
        }
        read["cells"].insert(1, link)
    for cell in read["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/html" in data:
                shown = re.sub(
                    r'(href="[^":]+)\.ipynb\b',
                    r"\1.html",
                    "".join(data["text/html"]),
                )
                live = "(run the notebook to " in "".join(
                    data.get("text/plain", "")
                )
                data["text/html"] = (LIVE if live else "") + shown
    return json.dumps(read, ensure_ascii=False)


def anchor(title: str) -> str:
    """Return a heading's anchor as JupyterLab writes it, so that links work there and on the
    site.
    """
    return title.replace(" ", "-")


def _contents(names: list[str], option: str = "") -> str:
    return "\n```{toctree}\n" + option + "\n" + "\n".join(names) + "\n```\n"


def _copy_document(root: Path, page: Path, pages: Path, target: Path) -> None:
    """Copy a Markdown page and the files that it links to, except other pages. Links to README.md
    and .github/ are adjusted.
    """
    text = page.read_text(encoding="utf-8")
    target.parent.mkdir(exist_ok=True)
    moved = re.sub(r"(\]\((?:\.\./)*)\.github/", r"\1authors/", text).replace(
        "](../README.md", "](../index.md"
    )
    target.write_text(moved, "utf-8")
    for link in LINK.findall(text):
        file = (page.parent / link).resolve()
        if file.is_file() and file.suffix not in {".md", ".ipynb"}:
            # Web hosts leave out folders whose names begin with a dot.
            place = pages / file.relative_to(root).as_posix().replace(
                ".github/", "authors/", 1
            )
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)


def main() -> int:
    """Build the site; returns the exit code."""
    parser = argparse.ArgumentParser(description="The course as web pages.")
    parser.add_argument(
        "--to", metavar="FOLDER", help="where to (default: build/site)"
    )
    try:
        return site(parser.parse_args().to)
    except CommandError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
