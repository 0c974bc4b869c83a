"""The learner's working copy of the course: notebooks without outputs, which are theirs to change.

A prediction counts only if its answer is not on the screen yet, and `git pull` must never meet a
learner's work. So learners never work in the course's own notebooks: `coursekit lab` brings the
copy up to date and opens it, from a clone, from a wheel, and on a hub.

    new in the course        is copied, its outputs cleared
    changed in the course    replaces a file that the learner never changed
    changed by the learner   stays; a message says that a newer version exists
    --fresh LESSON           a clean copy of a lesson; the old one is kept under another name

The copy remembers in ``.coursekit-copy.json`` what it was given: a file that differs from that is
the learner's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...course import DATA, lesson, repository
from ...foundation.files import write_atomically
from .. import CommandError

IN_WHEEL = DATA / "course"  # put there by .ci/notebooks_in_wheel.py
FOLDER = "coursekit-course"
FIRST = Path("notebooks", "00_start_here.ipynb")
GIVEN = ".coursekit-copy.json"
FOLDERS = ("notebooks", "exercises", "solutions")


@dataclass
class Update:
    """What an update did: the files, relative to the copy, in the order of the course.

    added     were not there
    replaced  were unchanged, and are now the course's newer version
    newer     were changed by the learner, so they stay, although the course has a newer version
    set_aside old name -> new name of what `--fresh` moved out of the way
    failed    could not be written, with the reason
    """

    added: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    set_aside: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def lines(self, root: Path) -> Iterator[str]:
        """The lines to show the learner; none if nothing happened."""
        if self.added:
            yield f"{_count(self.added)} copied to {root}. They are yours to change."
        if self.replaced:
            yield f"New versions of: {', '.join(self.replaced)}."
        if self.newer:
            yield (
                f"You have changed {', '.join(self.newer)}, so your version stays. "
                "To get the course's newer version next to it, run coursekit lab --fresh LESSON."
            )
        for old, new in self.set_aside.items():
            yield f"{old} is a fresh copy. Your version is in {new}."
        for name, why in self.failed.items():
            yield f"{name} could not be copied: {why}."


def learners_copy(here: Path, fresh: str | None = None) -> Path:
    """Bring the learner's copy up to date, and return its folder.

    here   where the command runs. The copy is this folder, if it is one already; otherwise
           coursekit-course in the clone or, if installed from a wheel, in this folder
    fresh  a lesson to start over

    Prints what changed. Raises CommandError if there is no course to copy, or the copy cannot be
    written; UnknownLesson.
    """
    clone = repository()
    course = clone or IN_WHEEL
    if not (course / FIRST).is_file():
        raise CommandError(
            "coursekit is installed here without the course's notebooks. "
            "Get the course's repository (git clone), and run `make lab` in its folder."
        )
    root = next(
        (
            folder
            for folder in (here, *here.parents)
            if (folder / GIVEN).is_file()
        ),
        (clone or here) / FOLDER,
    )
    update = update_copy(course, root, fresh=fresh and lesson(fresh).stem)
    for line in update.lines(root):
        print(line, flush=True)
    if not (root / FIRST).is_file():
        why = next(iter(update.failed.values()), "it is not there")
        raise CommandError(
            f"The notebooks cannot be copied to {root}: {why}. "
            "Run coursekit lab in a folder that you can write to."
        )
    return root


def update_copy(
    course: Path,
    root: Path,
    *,
    folders: Iterable[str] = FOLDERS,
    fresh: str | None = None,
) -> Update:
    """Bring the copy in ``root`` up to date with the ``course``.

    fresh  the stem of a lesson whose files are replaced

    A file that cannot be written is named in the result, and the others are still copied.
    """
    update, given = Update(), _given(root)
    for path in _files(course, folders):
        name = path.relative_to(course).as_posix()
        target, text = root / name, without_outputs(path)
        try:
            if fresh == path.stem and target.exists():
                aside = target.rename(_free_name(target))
                update.set_aside[name] = aside.relative_to(root).as_posix()
            if target.exists():
                if given.get(name) == _digest(text):
                    continue  # the course has nothing new
                theirs = target.read_text(encoding="utf-8")
                if _digest(theirs) != given.get(name):
                    if _sources(theirs) != _sources(text):
                        update.newer.append(name)
                    continue
                changed = update.replaced
            else:
                changed = update.added
            _write(target, text)
            given[name] = _digest(text)
            if name not in update.set_aside:
                changed.append(name)
        except OSError as error:
            update.failed[name] = error.strerror or str(error)
    try:
        _write(root / GIVEN, json.dumps(given, indent=1, sort_keys=True) + "\n")
    except OSError as error:
        update.failed[GIVEN] = error.strerror or str(error)
    return update


def without_outputs(path: Path) -> str:
    """The text of a file of the course; a notebook's without outputs and counts."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook["metadata"].pop("widgets", None)
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _sources(text: str) -> Any:
    """What a person wrote in a notebook: the cells' kinds and sources. Of another file, its text.

    A browser saves the same notebook with other spacing and metadata.
    """
    try:
        cells = json.loads(text)["cells"]
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return text


def _files(course: Path, folders: Iterable[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((course / folder).glob("[0-9]*.ipynb"))
        yield from sorted((course / folder).glob("*.md"))
    if course == IN_WHEEL:  # in a clone, .env belongs next to the README
        yield course / ".env.example"


def _given(root: Path) -> dict[str, str]:
    """File -> digest of the version that the course gave; empty without a record."""
    try:
        given = json.loads((root / GIVEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return given if isinstance(given, dict) else {}


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, text)


def _free_name(target: Path) -> Path:
    """03_multi_turn-yours.ipynb, or with the first number that is free."""
    number = 1
    while True:
        end = "-yours" if number == 1 else f"-yours-{number}"
        aside = target.with_stem(target.stem + end)
        if not aside.exists():
            return aside
        number += 1


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _count(names: list[str]) -> str:
    return "1 file was" if len(names) == 1 else f"{len(names)} files were"
