"""README, CONTRIBUTING, and the other documents are accurate about chapters, commands, and
files.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coursekit.course import lessons
from coursekit.workshop import CommandError
from coursekit.workshop.authoring.readme import (
    course,
    refresh_part,
    refresh_readme,
    refusals,
)
from coursekit.workshop.commands.command_line import _parser

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / ".github").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def code_of(path: Path) -> list[str]:
    """The code in a document: blocks and inline code."""
    return CODE.findall(path.read_text(encoding="utf-8"))


def commands() -> set[str]:
    return {
        name
        for action in _parser()._actions
        if action.dest == "command"
        for name in action.choices or ()
    }


def test_the_readme_has_the_course_as_it_is() -> None:
    """The README's chapters, labs, exercises, and numbers are those of the course (if not, run
    coursekit refresh 00).
    """
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert course(ROOT) in readme, "run: coursekit refresh 00"


def test_the_offline_api_says_where_each_refusal_was_seen() -> None:
    """The tables in the offline API's README are derived from the data files."""
    page = (ROOT / "coursekit" / "offline" / "README.md").read_text(
        encoding="utf-8"
    )
    assert refusals() in page, "run: coursekit refresh 00"


def test_what_the_readme_gets(tmp_path: Path) -> None:
    """The README has one row for each chapter, with its promise and labs. Refreshing it again
    changes nothing, and the rest of the text stays unchanged.
    """
    assert course(ROOT).count("](notebooks/") == len(lessons())
    assert (
        "| logprob strip, a garden of forking paths | [5](exercises/02_parameters.ipynb) |"
        in course(ROOT)
    )
    readme = tmp_path / "README.md"
    readme.write_text(
        "Mine.\n<!-- the course: written by coursekit refresh -->\nold\n<!-- end of the course "
        "-->\n"
    )
    assert refresh_readme(tmp_path)
    assert not refresh_readme(tmp_path)
    assert readme.read_text().startswith("Mine.\n<!-- the course")
    assert "old" not in readme.read_text()
    readme.write_text("Mine.\n")
    with pytest.raises(
        CommandError, match=r"README.md has lost the two comments"
    ):
        refresh_readme(tmp_path)


def test_a_part_of_another_document_is_written_too(tmp_path: Path) -> None:
    """Only the part between the comments changes, and refreshing it again changes nothing."""
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- it: written by coursekit refresh -->\nold\n<!-- end of it -->\nb\n"
    )
    assert refresh_part(page, "it", "new\n")
    assert not refresh_part(page, "it", "new\n")
    assert page.read_text().splitlines()[::2] == ["a", "new", "b"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_in_a_document_exist(document: Path) -> None:
    """Each `make WORD` is a target in the Makefile, and each `coursekit WORD` is a command."""
    goals = set(
        re.findall(
            r"^([a-z-]+):",
            (ROOT / "Makefile").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    for code in code_of(document):
        assert set(re.findall(r"(?<![\w./-])make ([a-z]+)", code)) <= goals, (
            code
        )
        assert (
            set(re.findall(r"(?<![\w.-])coursekit ([a-z]+)(?![\w-]* *:)", code))
            <= commands()
        ), code


@pytest.mark.parametrize(
    "document",
    [page for page in DOCUMENTS if "deploy" not in page.parts],
    ids=lambda p: p.name,
)
def test_the_files_in_a_document_exist(document: Path) -> None:
    """A path that a document names exists in the repository."""
    known = r"(?:tests|coursekit|notebooks|exercises|solutions|deploy|\.ci|\.github)/[\w./-]*\w"
    for code in code_of(document):
        for name in re.findall(rf"(?<![\w/.-]){known}", code):
            # STEM, CHAPTER: placeholders
            if not re.search(r"[A-Z]{3}", name.removesuffix(".md")):
                assert (ROOT / name).exists(), f"{document.name}: {name}"
