"""coursekit/README.md: a map that shows what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

from coursekit.course import lessons

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "coursekit"
MAP = (PACKAGE / "README.md").read_text(encoding="utf-8")
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
    """At least one of the modules next to a chapter's number is used by its cells, directly or by a
    name of the package's front door.
    """
    front = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \| ((?:`[^`]+` ?)+)\|", MAP, re.MULTILINE)
    assert [int(number) for number, _ in rows] == [
        lesson.number for lesson in lessons()
    ]
    for number, modules in rows:
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


def test_links_lead_somewhere() -> None:
    """Each link of the map is a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)\)", MAP):
        assert (PACKAGE / target).resolve().exists(), target


def test_the_map_draws_the_layers_in_their_order() -> None:
    """The path of a request is that of the offline API: each layer is below the one around it."""
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
