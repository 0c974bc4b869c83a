"""``coursekit record``: run a lesson in record mode, say what changed, and put the new recordings in place.

The run writes into a folder of its own. The lesson's recordings are replaced as a whole when it has
succeeded, and stay as they are when it has not.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from ..course import lesson, lessons, recordings_of, replies_of
from ..local_model.llama import LocalModelMissing, require
from ..local_model.model_file import PLACE, model_in_force
from ..offline.answering import RECORD_LOCAL
from ..offline.recordings import Recordings
from ..offline.written import Written
from ..settings import settings
from . import CommandError, notebooks_of, repository_or_error
from .environment import offline_environment
from .execution import execute
from .recorded_changes import changes
from .warm_kernel import warm_kernels

SECONDS_PER_CELL = 600  # a live cell may stream several long answers


def record(name: str, *, written: bool, yes: bool, local: bool = False) -> int:
    """Record a lesson anew: from the real API, from its author's replies file (``written``), or from the local model.

    Nothing is sent that costs money unless ``yes``, or a person at the keyboard agrees.
    """
    stem = lesson(name).stem
    paths = notebooks_of(repository_or_error(), [stem])
    environment = _written(stem) if written else _local() if local else _live(stem, yes)
    target = recordings_of(stem)
    target.parent.mkdir(parents=True, exist_ok=True)
    _finish_interrupted(target)
    with tempfile.TemporaryDirectory(prefix=f".{stem}-", dir=target.parent) as staging:
        new = Path(staging) / stem
        new.mkdir()
        _write_dialogues(stem, new)
        with warm_kernels(environment):
            for path in paths:
                execute(path, environment | {"COURSEKIT_RECORDINGS": str(new)}, SECONDS_PER_CELL)
        _leave_to_earlier_lessons(stem, new)
        print(f"{stem}: {len(list(new.glob('*.json')))} recordings")
        for line in changes(target, new):
            print(f"  {line}")
        _replace(target, new)
    print(f"Next: coursekit refresh {stem}")
    return 0


def _written(stem: str) -> dict[str, str]:
    replies = replies_of(stem)
    if not replies.is_file():
        raise CommandError(f"--written takes the answers from {replies}, and there is no such file. Write it first.")
    return offline_environment() | {"COURSEKIT_MODE": "record", "COURSEKIT_REPLIES": str(replies)}


def _local() -> dict[str, str]:
    model = model_in_force(settings()).path
    try:
        require(model)
    except LocalModelMissing as error:
        raise CommandError(str(error)) from error
    return offline_environment() | {"COURSEKIT_MODE": "record", RECORD_LOCAL: "1", PLACE: str(model)}


def _live(stem: str, yes: bool) -> dict[str, str]:
    if not settings().get("OPENAI_API_KEY"):
        raise CommandError(
            "recording asks the real API, and there is no OPENAI_API_KEY, in the environment or in .env. "
            "Set one, or record from an author's replies: --written."
        )
    if not yes:
        if not sys.stdin.isatty():
            raise CommandError("recording asks the real API and costs money. Add --yes if that is meant.")
        answer = input(f"Recording {stem} asks the real API and costs money. Go on? [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("nothing was sent.")
    kept = {name: value for name, value in os.environ.items() if name not in ("COURSEKIT_REPLIES", RECORD_LOCAL)}
    return kept | {"COURSEKIT_MODE": "record"}


def _write_dialogues(stem: str, new: Path) -> None:
    """Store the author's dialogues, which cells in replay mode can ask for. What a cell records replaces them."""
    if replies_of(stem).is_file():
        api = Written(replies_of(stem), Recordings([new]))
        for request in api.requests:
            api.answer(request)


def _leave_to_earlier_lessons(stem: str, new: Path) -> None:
    """Drop what an earlier lesson has recorded: replay looks there first, a second copy would never be used."""
    for earlier in lessons():
        if earlier.stem == stem:
            return
        for path in sorted(new.glob("*.json")):
            if (recordings_of(earlier.stem) / path.name).exists():
                print(f"  (left to {earlier.stem}: {path.name})")
                path.unlink()


def _replace(target: Path, new: Path) -> None:
    """Put the folder ``new`` in the place of ``target``. Interrupted half-way, the old one lies beside it, whole."""
    old = _old(target)
    if target.exists():
        os.replace(target, old)
    if any(new.iterdir()):
        os.replace(new, target)
    shutil.rmtree(old, ignore_errors=True)


def _finish_interrupted(target: Path) -> None:
    """Put back what an interrupted ``_replace`` had moved aside."""
    old = _old(target)
    if old.exists() and not target.exists():
        os.replace(old, target)
    shutil.rmtree(old, ignore_errors=True)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")
