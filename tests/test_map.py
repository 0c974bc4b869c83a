"""coursekit/README.md: the map is accurate."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import coursekit
from coursekit.course import lessons
from coursekit.workshop import notebooks_in
from coursekit.workshop.commands.command_line import _parser
from support.notebook_norms import Notebook, nodes

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "coursekit"
MAP = (PACKAGE / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d\d) \| ((?:`[^`]+` ?)+)\|", MAP, re.MULTILINE)
TAUGHT = re.compile(r"Taught in (\d\d)([^.]*)\.$")
PLACE = re.compile(r'§(\d+)|"([^"]+)"|\b(lab)\b')
NAMED = set(re.findall(r"`([a-z_]+(?:\.py|/(?:[a-z_]+/)?))`", MAP))


def test_every_module_and_folder_is_on_the_map() -> None:
    """A new department or module is on the map, and everything on the map exists."""
    here = {
        path.name
        for path in PACKAGE.glob("*.py")
        if not path.name.startswith("__")
    }
    here |= {
        f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")
    } | {"data/"}
    assert {
        name
        for name in NAMED
        if name.count("/") < 2 and not name.endswith("authoring/")
    } >= here
    assert all(
        (PACKAGE / name).exists() for name in NAMED if not is_in_workshop(name)
    )


def is_in_workshop(name: str) -> bool:
    return (PACKAGE / "workshop" / name).exists()


def test_a_chapter_uses_what_the_map_says_it_teaches() -> None:
    """A chapter's cells use at least one of the modules next to its number, directly or through a
    name that the package exports.
    """
    front = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert [int(number) for number, _ in ROWS] == [
        lesson.number for lesson in lessons()
    ], "add a row for each chapter to the table What the chapters teach"
    for number, modules in ROWS:
        chapter = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"))
        cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
        code = "".join(
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "code"
        )
        used = False
        for module in re.findall(r"`([a-z_]+)", modules):
            exported = re.findall(rf"from \.{module}\S* import ([^\n]+)", front)
            names = [module, *re.findall(r"\w+", " ".join(exported))]
            used |= any(re.search(rf"\b{name}\b", code) for name in names)
        assert used, number


def test_a_module_says_where_it_is_taught() -> None:
    """The docstring of each module that a chapter imports, or that the map lists, ends with its
    chapter and section: Taught in 04 §7. Or: Taught in 00, "Heading". Or: Taught in 03, lab.
    """
    listed = {module: number for number, row in ROWS for module in on_row(row)}
    wrong = []
    for module in sorted(listed.keys() | imported_by_chapters()):
        taught = TAUGHT.search(docstring(module))
        if taught is None:
            wrong.append(f"{module}: end its docstring with: Taught in NN §n.")
            continue
        number, where = taught.groups()
        if listed.get(module, number) != number:
            wrong.append(f"{module}: the map says {listed[module]}")
        sections = sections_of(number)
        places = [
            f"{section} " if section else title or "Lab: "
            for section, title, _ in PLACE.findall(where)
        ]
        if not places:
            wrong.append(f"{module}: {taught[0]} Name the section: §n")
        wrong += [
            f"{module}: {taught[0]} But {number} has no such section"
            for place in places
            if not any(each.startswith(place) for each in sections)
        ]
    assert not wrong, "\n".join(wrong)


def test_every_lab_is_in_a_notebook() -> None:
    """A lab that no chapter or exercise imports is one that no learner sees."""
    homes = {
        f"coursekit.widgets.{path.stem}"
        for path in (PACKAGE / "widgets").glob("*.py")
        if re.search(
            r"^class \w+\(Lab\)", path.read_text(encoding="utf-8"), re.M
        )
    }
    unseen = homes - imported_by_chapters() - imported_by("solutions")
    assert not unseen, f"put into a chapter, or remove: {unseen}"


def test_every_command_is_on_the_map() -> None:
    """The row of the workshop lists each command next to the folder of its module."""
    row = next(
        line for line in MAP.splitlines() if line.startswith("| `workshop/`")
    )
    listed = set(re.findall(r"[a-z]+", row.partition("`testing/`")[0]))
    choices = {
        name
        for action in _parser()._actions
        if action.dest == "command"
        for name in action.choices or ()
    }
    assert choices <= listed, f"add to that row: {choices - listed}"


def docstring(module: str) -> str:
    """A module's docstring, without importing the module."""
    place = ROOT.joinpath(*module.split("."))
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


def on_row(row: str) -> list[str]:
    """The modules in one of the map's rows."""
    names = re.findall(r"`([a-z_/]+)", row)
    return ["coursekit." + name.strip("/").replace("/", ".") for name in names]


def imported_by_chapters() -> set[str]:
    """Each coursekit module that the chapters' code cells import. A name that the package exports
    counts as its module's.
    """
    return imported_by("notebooks")


def imported_by(folder: str) -> set[str]:
    found = set()
    for path in notebooks_in(ROOT / folder):
        for cell in Notebook(path, "").code:
            for node in nodes(cell, ast.ImportFrom):
                if (node.module or "").partition(".")[0] == "coursekit":
                    found |= {
                        home(node.module, each.name) for each in node.names
                    }
    return found


def home(package: str, name: str) -> str:
    """The module that ``from package import name`` is about."""
    if package == "coursekit":
        return f"coursekit.{coursekit._HOME.get(name, name)}"
    place = ROOT.joinpath(*package.split("."), name)
    is_module = place.is_dir() or place.with_suffix(".py").exists()
    return f"{package}.{name}" if is_module else package


def sections_of(number: str) -> list[str]:
    """The headings of a chapter's sections, such as "4 Usage" and "Lab: the token strip"."""
    path = next((ROOT / "notebooks").glob(f"{number}_*.ipynb"), None)
    if path is None:
        return []
    return re.findall(r"^## (.+)", Notebook(path, "").prose, re.MULTILINE)


def test_links_lead_somewhere() -> None:
    """Each link on the map leads to a file in the repository."""
    for target in re.findall(r"\]\(([^)#]+)\)", MAP):
        assert (PACKAGE / target).resolve().exists(), target


def test_the_map_draws_the_layers_in_their_order() -> None:
    """The path of a request on the map is that of the offline API: each layer is below the one
    around it.
    """
    drawn = [
        "standard headers",
        "faults",
        "batches",
        "rate limits",
        "recorded/replay",
        "model list",
        "rules",
        "miss",
    ]
    places = [MAP.index(f"\n{layer}") for layer in drawn]
    assert places == sorted(places)
    engine = (PACKAGE / "offline" / "engine.py").read_text(encoding="utf-8")
    made = [
        engine.index(name)
        for name in ("RateLimits(", "BatchApi(", "Faults(", "StandardHeaders(")
    ]
    assert made == sorted(made), "the innermost is made first"
