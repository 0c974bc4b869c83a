"""notebooks/glossary.md: every term links to the section that teaches it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
ENTRY = re.compile(
    r"^- \*\*(?P<term>.+?)\*\*(?P<text>.+) → \[(?P<number>\d\d), "
    r"[^\]]+\]\((?P<file>\w+\.ipynb)#(?P<place>\S+)\)$"
)


def entries() -> list[re.Match[str]]:
    lines = [
        line
        for line in (NOTEBOOKS / "glossary.md")
        .read_text(encoding="utf-8")
        .splitlines()
        if line[:2] == "- "
    ]
    found = [(line, ENTRY.match(line)) for line in lines]
    assert [line for line, match in found if match is None] == [], (
        "- **term**: text → [03, section](file#heading)"
    )
    return [match for _, match in found if match]


@cache
def sections(file: str) -> dict[str, str]:
    """A chapter's sections, including code, by their headings' anchors in JupyterLab (the text,
    with hyphens instead of spaces).
    """
    found: dict[str, str] = {}
    here = ""
    for cell in nbformat.read(NOTEBOOKS / file, as_version=4).cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and (
                heading := re.match(r"#{2,6} +(.+)", line)
            ):
                here = heading[1].replace("`", "").replace(" ", "-")
            found[here] = found.get(here, "") + line + "\n"
    return found


def test_every_word_leads_to_the_section_that_teaches_it() -> None:
    """The linked section exists and contains the term's words, and the number before it is the
    chapter's.
    """
    for entry in entries():
        place, text = entry["place"], sections(entry["file"])
        assert entry["file"].startswith(entry["number"])
        assert place in text, (
            f"{entry['file']} has no section {place}; it has {', '.join(text)}"
        )
        words = re.findall(r"\w+", entry["term"].lower())
        missing = [
            word
            for word in words
            if word.removesuffix("s").removesuffix("y")
            not in text[place].lower()
        ]
        assert not missing, (
            f"{entry['term']}: {missing} stands nowhere in {entry['file']}, {place}"
        )


def test_the_glossary_can_be_looked_through() -> None:
    """Terms are sorted, and each is explained once, in at most two sentences."""
    terms = [entry["term"].lower() for entry in entries()]
    assert terms == sorted(set(terms))
    for entry in entries():
        assert len(re.findall(r"[.!?](?= [A-Z`]|$)", entry["text"])) <= 2, (
            entry["term"]
        )
        assert entry["text"].endswith("."), entry["term"]
